"""Serve motion live: sound comes in over a WebSocket, the same sound with 52 weights and the head's rotation goes out.

diffposetalk serve
diffposetalk serve --host 0.0.0.0 --token "a long secret" --certificate cert.pem --key key.pem
diffposetalk serve --style me=mine.style.safetensors --limit sessions=8

The page at http://127.0.0.1:8765/ shows a face that speaks what you choose. docs/live-protocol.md describes the messages
and the Python and JavaScript clients. Needs pip install 'diffposetalk[serve]'.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads
from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError

if TYPE_CHECKING:
    import ssl

    from diffposetalk.cli.console import Console
    from diffposetalk.live.server import Limits, LiveServer
    from diffposetalk.style import Style

TOKEN_VARIABLE = "DIFFPOSETALK_TOKEN"
"""Environment variable that holds the token, which other users of the machine can see on a command line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen at; others than this machine's own need a token (default: 127.0.0.1, this machine alone)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=values.whole(0, 65535), default=8765, metavar="N", help="port; 0: any free one (default: 8765)"
    )
    parser.add_argument(
        "--token", metavar="TEXT", help=f"what clients must show (default: the variable {TOKEN_VARIABLE}, if it is set)"
    )
    reads(parser.add_argument("--certificate", metavar="FILE", help="certificate (PEM), to encrypt the connections"))
    reads(parser.add_argument("--key", metavar="FILE", help="key of the certificate (PEM), if it is in another file"))
    parser.add_argument(
        "--origin", action="append", default=[], metavar="URL",
        help="address of a web page that may connect, such as https://example.org (repeatable; default: our own page)",
    )  # fmt: skip
    reads(
        parser.add_argument(
            "--model", default="lite", metavar="NAME|FILE", help="model (default: lite, the bundled one)"
        )
    )
    reads(parser.add_argument(
        "--style", action="append", default=[], metavar="NAME=FILE",
        help="style that clients may choose by this name, beside the model's presets (repeatable)",
    ))  # fmt: skip
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps (default: cpu)")
    parser.add_argument(
        "--lookahead", type=values.number(0, 1000), default=240, metavar="MS",
        help="sound that is waited for after a frame: less comes sooner, more follows better (default: 240)",
    )  # fmt: skip
    parser.add_argument(
        "--hop",
        type=values.number(40, 1000),
        default=80,
        metavar="MS",
        help="motion that is made at once (default: 80)",
    )
    parser.add_argument(
        "--workers", type=values.whole(1, 1024), metavar="N",
        help="threads that make motion (default: one for each processor)",
    )  # fmt: skip
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=N",
        help="limit of the server, such as sessions=8 or idle_s=60; docs/live-protocol.md lists them (repeatable)",
    )  # fmt: skip


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Serve until Ctrl-C or SIGTERM."""
    try:
        import websockets  # noqa: F401
    except ImportError:
        raise DiffPoseTalkError("serve needs websockets: pip install 'diffposetalk[serve]'") from None
    from diffposetalk.live.protocol import is_loopback
    from diffposetalk.live.server import LiveServer, TalkerVoices

    limits, tls = limits_of(args.limit), _tls(args.certificate, args.key)
    token = args.token if args.token is not None else os.environ.get(TOKEN_VARIABLE)
    how: dict[str, Any] = {
        "token": token,
        "limits": limits,
        "workers": args.workers,
        "origins": args.origin,
        "tls": tls,
    }
    LiveServer.check(args.host, token)

    from diffposetalk.generate.talker import Talker

    talker = Talker.from_pretrained(args.model, args.device)
    voices = TalkerVoices(talker, _styles(args.style, talker), lookahead_ms=args.lookahead, hop_ms=args.hop)
    if tls is None and not is_loopback(args.host):
        console.warn("token and sound go over the network unencrypted; give --certificate and --key")
    server = LiveServer(voices, args.host, args.port, **how)
    asyncio.run(_serve(server, console))
    return {"url": server.url, "n_sessions": server.n_started}


async def _serve(server: LiveServer, console: Console) -> None:
    """Serve until a signal asks for the end."""
    stop = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # on Windows the signals end the program as exceptions do
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server:
        console.say(f"listening at {server.url}; page: {server.page_url}")
        if sys.stdout is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
        await stop.wait()


def limits_of(words: list[str]) -> Limits:
    """Return the limits of words such as ``sessions=8``.

    Raises:
        UsageError: a limit is unknown, or not a number above 0.
    """
    from diffposetalk.live.server import Limits

    kinds: dict[str, type] = {field.name: int if isinstance(field.default, int) else float for field in fields(Limits)}
    given: dict[str, Any] = {}
    for word in words:
        name, _, number = word.partition("=")
        if name not in kinds:
            raise UsageError(f"--limit {word}: unknown limit {name!r}: choose from {', '.join(kinds)}")
        try:
            given[name] = kinds[name](number)
        except ValueError:
            raise UsageError(f"--limit {word}: write {name}=N with a {'whole ' * (kinds[name] is int)}number") from None
    return Limits(**given)


def _styles(words: list[str], talker: Any) -> dict[str, Style]:
    styles: dict[str, Style] = {}
    for word in words:
        name, _, file = word.partition("=")
        if not name or not file:
            raise UsageError(f"--style {word}: write NAME=FILE, such as me=mine.style.safetensors")
        if not Path(file).is_file():
            raise InputError(f"{file}: no such file (--style {word})")
        if name in styles:
            raise UsageError(f"--style {word}: the name {name!r} is given twice")
        styles[name] = talker.style(file)
    return styles


def _tls(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    if certificate is None:
        if key is not None:
            raise UsageError("--key needs --certificate")
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        named = certificate if key is None else f"{certificate} and {key}"
        raise InputError(f"{named}: not a certificate and its key in PEM form ({error})") from None
    return context


def _no_password() -> str:
    raise ValueError("the key is protected by a password; give one without")
