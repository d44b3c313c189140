"""Host a study: ``diffposetalk study serve study.pyz``, or without the project ``python study.pyz``."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.workshop.study.answers import Answers
from diffposetalk.workshop.study.study_file import open_study

MISSING = "hosting a study needs FastAPI, uvicorn and Jinja2: pip install fastapi uvicorn jinja2"
SHORTEST_TOKEN = 8
"""Characters; a shorter word could be guessed."""


@dataclass(frozen=True)
class HostOptions:
    """Where a study is seen, and by whom."""

    host: str = "127.0.0.1"
    """address to listen on; others than this machine can reach 0.0.0.0, which needs a token or public."""
    port: int = 8000
    """port; 0 takes a free one."""
    root_path: str = ""
    """path prefix behind a proxy, such as /study1."""
    token: str | None = None
    """word that the link to the first page must hold (8 characters or more)."""
    public: bool = False
    """let anybody begin who reaches the address."""


def answers_path(study: str | Path) -> Path:
    """Return the usual place of a study's answers: beside it."""
    return Path(study).with_suffix(".answers.sqlite")


def add_host_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `HostOptions`."""
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=_port, default=8000, metavar="N", help="port; 0 takes a free one (default: 8000)"
    )
    parser.add_argument(
        "--root-path", default="", metavar="/PREFIX", help="prefix behind a proxy, such as /study1 (default: none)"
    )
    parser.add_argument(
        "--token", metavar="WORD", help="word of at least 8 characters that the link to the first page must hold"
    )
    parser.add_argument("--public", action="store_true", help="let anybody begin who reaches the address")


def host_options(args: argparse.Namespace) -> HostOptions:
    """Check the options of `add_host_arguments`.

    Raises:
        UsageError: the study would be open to others without `--token` or `--public`, or an option is malformed.
    """
    root = args.root_path.rstrip("/")
    if root and (not root.startswith("/") or root.startswith("//") or quote(root, safe="/-._~") != root):
        raise UsageError(f"--root-path {args.root_path}: write a path such as /study1")
    if args.token is not None and (len(args.token) < SHORTEST_TOKEN or quote(args.token, safe="-._~") != args.token):
        raise UsageError(f"--token: use {SHORTEST_TOKEN} or more letters, digits, '-', '.', '_' or '~'")
    if args.token is not None and args.public:
        raise UsageError("--token and --public contradict each other")
    if not _is_own(args.host) and args.token is None and not args.public:
        raise UsageError(f"--host {args.host} lets other machines in: add --token WORD, or --public for everybody")
    return HostOptions(args.host, args.port, root, args.token, args.public)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 65535")
    return int(text)


def _is_own(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(
    study: str | Path, answers: str | Path | None, options: HostOptions, say: Callable[[str], None]
) -> dict[str, Any]:
    """Host a study until Ctrl-C.

    Args:
        study: study file.
        answers: SQLite file of the answers; made if it is missing. None: beside the study.
        options: where it is seen.
        say: prints a line.

    Returns:
        Numbers of raters at the end.

    Raises:
        InputError: the study or the answers cannot be read.
        UsageError: the address cannot be used.
        DiffPoseTalkError: a library is missing.
    """
    try:
        import jinja2  # noqa: F401
        import uvicorn

        from diffposetalk.workshop.study.serving.server import create_app
    except ModuleNotFoundError as error:
        raise DiffPoseTalkError(f"{MISSING} ({error.name} is missing)") from None
    file = open_study(study, check_videos=True)
    store = Answers(answers or answers_path(study), file.study)
    app = create_app(file, store, options.root_path, options.token)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=5
    )
    with _listen(options) as listening:
        say(f"{_link(options, listening)}  (answers: {store.path}; Ctrl-C ends)")
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
    progress = store.progress().values()
    finished = sum(done == total for done, total in progress)
    say(f"{len(progress)} raters, {finished} finished; answers: {store.path}")
    return {"answers": str(store.path), "raters": len(progress), "finished": finished}


def _listen(options: HostOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((options.host, options.port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise UsageError(
            f"cannot listen on {options.host} port {options.port}: {error.strerror or error}; choose another --port"
        ) from None
    return listening


def _link(options: HostOptions, listening: socket.socket) -> str:
    host = socket.gethostname() if options.host in ("0.0.0.0", "::") else options.host
    name = f"[{host}]" if ":" in host else host
    query = f"?token={options.token}" if options.token else ""
    return f"http://{name}:{listening.getsockname()[1]}{options.root_path}/{query}"


def main() -> None:
    """Host the study in whose file this module lies."""
    study = Path(sys.argv[0])
    parser = argparse.ArgumentParser(
        prog=f"python {study.name}", description="Host this study. Needs fastapi, uvicorn, jinja2."
    )
    parser.add_argument("--answers", metavar="FILE", help="SQLite file of the answers (default: beside the study)")
    add_host_arguments(parser)
    args = parser.parse_args()
    try:
        serve(study, args.answers, host_options(args), lambda line: print(line, flush=True))
    except DiffPoseTalkError as error:
        print(f"{study.name}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
