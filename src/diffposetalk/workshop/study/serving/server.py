"""The web application of a study (FastAPI). `host` runs it; nothing else imports this module, since FastAPI is optional."""

import hashlib
import json
import math
import secrets
import sqlite3
from collections.abc import Iterator
from importlib import resources
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Header, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from jinja2 import Environment, FunctionLoader, StrictUndefined
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from diffposetalk.workshop.study.answers import Answers, Rater, RefusedError
from diffposetalk.workshop.study.design import Page, length
from diffposetalk.workshop.study.plan import FIVE, HUNDRED, PAIRS, Video
from diffposetalk.workshop.study.serving.ranges import requested_range
from diffposetalk.workshop.study.serving.texts import Texts
from diffposetalk.workshop.study.study_file import StudyFile

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Of every response: no other site is asked, nothing is kept, and the rater's link is told to nobody."""
NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""Of FastAPI (its earlier versions ignore it): spans would hold the raters' links."""
STATIC = {
    "study.css": "text/css; charset=utf-8",
    "study.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}
"""Files of the pages -> media type."""
KINDS = {PAIRS: "pair", FIVE: "one", HUNDRED: "grid"}
"""Scale -> class of the page."""
MOST_COLUMNS = 5
"""Most videos beside one another."""
LARGEST_BODY = 20_000
"""Largest request, bytes."""
MOST_REPLAYS = 10_000
"""A larger number of replays is an error."""
BLOCK = 1 << 18
"""Bytes of a video sent at a time."""


class Sent(BaseModel):
    """Body of a request that answers a page."""

    answers: dict[str, list[float]]
    replays: int = Field(ge=0, le=MOST_REPLAYS, default=0)


class Pages:
    """Fills in the templates of one study."""

    def __init__(self, file: StudyFile, root: str) -> None:
        self.study = file.study
        self.root = root
        self.texts = Texts(file.study.strings)
        folder = resources.files(__package__)
        self._environment = Environment(
            loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._n_pages, minutes = length(file.study)
        self._minutes = max(1, math.ceil(minutes))

    def _fill(self, template: str, status: int = 200, **values: object) -> HTMLResponse:
        common = {"t": self.texts, "root": self.root, "title": self.study.title}
        return HTMLResponse(self._environment.get_template(template).render(**common | values), status)

    def start(self, token: str) -> HTMLResponse:
        """Return the page with the consent text."""
        return self._fill(
            "start.html",
            pages=self._n_pages,
            minutes=self._minutes,
            sound=self.study.sound,
            consent=[part for part in self.study.consent.split("\n\n") if part.strip()],
            request_word=secrets.token_urlsafe(16),
            token=token,
        )

    def message(self, text: str, status: int = 200) -> HTMLResponse:
        """Return a page with one sentence."""
        return self._fill("message.html", status, heading=self.study.title, text=self.texts(text), code="")

    def end(self, rater: Rater) -> HTMLResponse:
        """Return the page after the last."""
        heading, text = self.texts("end.title"), self.texts("end.text")
        return self._fill("message.html", heading=heading, text=text, code=rater.code(self.study))

    def page(self, rater: Rater) -> HTMLResponse:
        """Return the rater's next page."""
        study, t = self.study, self.texts
        page = rater.pages[rater.next_page]
        here = f"{self.root}/r/{rater.token}"
        style, reference = study.shows_style(page.questions), study.shows_reference(page.questions)
        letters = "ABCDEFGHIJKLMNOP"
        single = len(page.systems) == 1
        names = [t("page.only_video")] if single else [t("page.video", name=letter) for letter in letters]
        together = len(page.questions) > 1
        heading = t("page.together") if together else t(f"questions.{study.scale}.{page.questions[0]}")
        videos = len(page.systems) + (style or reference)
        job = {
            "scale": study.scale,
            "here": here,
            "send": f"{here}/{rater.next_page}",
            "pairs": {"left": [1, 0], "right": [0, 1], "same": [0.5, 0.5]},
            "texts": {
                "play": t("page.play"), "pause": t("page.pause"), "again": t("page.again"), "played": t("page.played"),
                "play_all": t("status.play"), "play_one": t("status.play_one"), "broken": t("status.broken"),
                **{name: t(f"status.{name}") for name in ("choose", "rate", "ready", "sending", "lost")},
            },
        }  # fmt: skip
        return self._fill(
            "page.html",
            kind=KINDS[study.scale],
            scale=study.scale,
            ties=study.ties,
            heading=heading,
            sound=page.sound,
            names=names[: len(page.systems)],
            shown=style or reference,
            videos=videos,
            columns=math.ceil(videos / math.ceil(videos / MOST_COLUMNS)),
            style=style,
            questions=page.questions,
            number=rater.next_page,
            pages=len(rater.pages),
            here=here,
            job=job,
        )


def create_app(file: StudyFile, answers: Answers, root: str = "", token: str | None = None) -> FastAPI:
    """Return the application.

    Args:
        file: the study.
        answers: where answers go.
        root: path prefix under which the study is seen, such as ``/study1``; the proxy may strip it or not.
        token: word that the link to the first page must hold; None: anybody may begin.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, root_path=root, telemetry=NO_TELEMETRY)
    pages = Pages(file, root)

    def invited(word: str) -> bool:
        return token is None or secrets.compare_digest(word.encode(), token.encode())

    def known(word: str) -> Rater:
        rater = answers.rater(word)
        if rater is None:
            raise HTTPException(404, "errors.unknown_link")
        return rater

    @app.middleware("http")
    async def _headers(request: Request, call_next):  # type: ignore[no-untyped-def]
        response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(HTTPException)
    async def _failed(request: Request, error: HTTPException) -> Response:
        key = error.detail if error.detail.startswith("errors.") else "errors.not_found"
        return pages.message(key, error.status_code)

    @app.exception_handler(sqlite3.Error)
    async def _busy(request: Request, error: sqlite3.Error) -> Response:
        return JSONResponse({"error": pages.texts("errors.busy")}, 503, {"Retry-After": "2"})

    @app.get("/")
    def _start(token: str = "") -> Response:
        return pages.start(token) if invited(token) else pages.message("start.closed", 403)

    @app.post("/begin")
    async def _begin(request: Request) -> Response:
        form = parse_qs((await _body(request)).decode("utf-8", "replace"))
        first = {name: values[0] for name, values in form.items()}
        if not invited(first.get("token", "")):
            return pages.message("start.closed", 403)
        if first.get("agree") != "yes":
            return pages.message("errors.agree_first", 400)
        word = first.get("request", "")
        if not 16 <= len(word) <= 64:
            return pages.message("errors.not_found", 400)
        rater = await run_in_threadpool(answers.begin, word)
        return RedirectResponse(f"{root}/r/{rater.token}", 303)

    @app.get("/r/{word}")
    def _page(word: str) -> Response:
        rater = known(word)
        if rater.finished:
            return pages.end(rater)
        answers.show(rater, rater.next_page)
        return pages.page(rater)

    @app.post("/r/{word}/{number}")
    async def _answer(request: Request, word: str, number: int) -> Response:
        rater = await run_in_threadpool(known, word)
        try:
            sent = Sent.model_validate_json(await _body(request))
            await run_in_threadpool(answers.answer, rater, number, sent.answers, sent.replays)
        except ValidationError:
            return JSONResponse({"error": pages.texts("errors.incomplete"), "reload": False}, 422)
        except RefusedError as error:
            reload = error.reason == "wrong_page"
            return JSONResponse({"error": pages.texts(f"errors.{error.reason}"), "reload": reload}, 409)
        return JSONResponse({"saved": number})

    @app.api_route("/r/{word}/{number}/{index}.mp4", methods=["GET", "HEAD"])
    def _video(
        request: Request, word: str, number: int, index: str, range: Annotated[str | None, Header()] = None
    ) -> Response:
        rater = known(word)
        video = _video_of(file, rater.pages[number], index) if 0 <= number < len(rater.pages) else None
        if video is None:
            raise HTTPException(404)
        return _part(file, video, range, request.method == "HEAD")

    @app.get("/files/{name}")
    def _static(name: str) -> Response:
        if name not in STATIC:
            raise HTTPException(404)
        data = (resources.files(__package__) / name).read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()[:16]}"', "Cache-Control": "no-cache"}
        return Response(data, media_type=STATIC[name], headers=headers)

    @app.get("/health")
    def _health() -> Response:
        return Response(json.dumps({"study": file.study.identity()}), media_type="application/json")

    return app


async def _body(request: Request) -> bytes:
    """Read the body of a request, up to `LARGEST_BODY`."""
    data = b""
    async for block in request.stream():
        data += block
        if len(data) > LARGEST_BODY:
            raise HTTPException(413)
    return data


def _video_of(file: StudyFile, page: Page, index: str) -> Video | None:
    """Return a video of a page: "0", "1", ... from left to right, or "shown"; None if there is none of this name."""
    study = file.study
    if index == "shown":
        return (
            study.style_video(page.clip) if study.shows_style(page.questions) else study.videos[page.clip]["reference"]
        )
    if index.isascii() and index.isdigit() and len(index) < 3 and int(index) < len(page.systems):
        return study.videos[page.clip][page.systems[int(index)]]
    return None


def _part(file: StudyFile, video: Video, wanted: str | None, head_only: bool) -> Response:
    """Return the requested bytes of a video."""
    size = file.places[video.sha256].size
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, max-age=3600"}
    try:
        part = requested_range(wanted, size)
    except ValueError:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    start, stop = part or (0, size)
    headers["Content-Length"] = str(stop - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    status = 200 if part is None else 206

    def blocks() -> Iterator[bytes]:
        for place in range(start, stop, BLOCK):
            yield file.read(video, place, min(stop, place + BLOCK))

    if head_only:
        return Response(status_code=status, headers=headers, media_type="video/mp4")
    return StreamingResponse(blocks(), status, headers, media_type="video/mp4")
