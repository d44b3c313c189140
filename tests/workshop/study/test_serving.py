"""Hosting: consent, answers that count once, several raters, kill -9, prefixes, tokens and ranges of videos."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.workshop.study.examples import plan, written
from tests.workshop.study.hosting import Host, Reply, need_libraries

from diffposetalk.cli import run
from diffposetalk.errors import InputError
from diffposetalk.workshop.study.answers import Answers
from diffposetalk.workshop.study.design import pages_for
from diffposetalk.workshop.study.plan import FIVE, HUNDRED, PAIRS, QUESTIONS, REFERENCE, Study
from diffposetalk.workshop.study.serving.ranges import requested_range
from diffposetalk.workshop.study.study_file import StudyFile


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> StudyFile:
    return written(plan(PAIRS, 2, 3, questions=("lips", "style")), tmp_path_factory.mktemp("study") / "pairs.pyz")


@pytest.fixture(scope="module")
def host(file: StudyFile) -> Iterator[Host]:
    with Host(file.path) as running:
        yield running


def stored(file: StudyFile, answers: Path | None = None) -> Answers:
    path = answers or file.path.with_suffix(".answers.sqlite")
    return Answers(path, file.study, create=False)


def rows_of(file: StudyFile, link: str, answers: Path | None = None) -> list[tuple[int, str, float]]:
    """Return page, system and value of every stored answer of a rater."""
    store = stored(file, answers)
    rater = store.rater(link.rpartition("/")[2])
    assert rater is not None
    return [(row.page, row.system, row.value) for row in store.all() if row.rater == rater.number]


def question_of(file: StudyFile, rater: int, page: int) -> str:
    return pages_for(file.study, rater)[page].questions[0]


def test_nobody_begins_without_consent(file: StudyFile, host: Host) -> None:
    before = len(stored(file).progress())
    page = host.get("/").text
    assert "You may stop at any time." in page and "required" in page
    for form in ({"request": "a" * 20}, {"request": "a" * 20, "agree": "no"}, {"agree": "yes"}, {}):
        assert host.ask("POST", "/begin", urlencode(form).encode()).status == 400
    assert len(stored(file).progress()) == before


def test_a_double_click_begins_once(file: StudyFile, host: Host) -> None:
    before = len(stored(file).progress())
    with ThreadPoolExecutor(8) as pool:
        links = list(pool.map(lambda _: host.begin(request="the same request word"), range(8)))
    assert len(set(links)) == 1 and len(stored(file).progress()) == before + 1


def test_an_answer_counts_once(file: StudyFile, host: Host) -> None:
    """Eight equal requests at once, one again later, and one with another value: the first counts."""
    link = host.begin()
    host.get(link)
    rater = stored(file).rater(link.rpartition("/")[2])
    assert rater is not None
    question = rater.pages[0].questions[0]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: host.answer(link, 0, {question: [1, 0]}), range(8)))
    assert {reply.status for reply in replies} == {200}
    assert host.answer(link, 0, {question: [1, 0]}).status == 200
    assert host.answer(link, 0, {question: [0, 1]}).status == 200
    left, right = rater.pages[0].systems
    assert rows_of(file, link) == [(0, left, 1.0), (0, right, 0.0)]


def test_a_rater_resumes_by_the_link(file: StudyFile, host: Host) -> None:
    link = host.begin()
    assert "Page 1 of" in host.get(link).text
    rater = stored(file).rater(link.rpartition("/")[2])
    assert rater is not None
    host.answer(link, 0, {rater.pages[0].questions[0]: [0.5, 0.5]})
    assert "Page 2 of" in host.get(link).text


@pytest.mark.parametrize(
    ("answers", "status"),
    [({}, 409), ({"lips": [1]}, 409), ({"lips": [1, 1]}, 409), ({"lips": [2, -1]}, 409), ({"natural": [1, 0]}, 409),
     ({"lips": [1, 0], "style": [1, 0]}, 409), ({"lips": ["a", 0]}, 422), ({"lips": None}, 422)],
)  # fmt: skip
def test_impossible_answers_are_refused(
    file: StudyFile, host: Host, answers: dict[str, list[float]], status: int
) -> None:
    link = host.begin()
    host.get(link)
    reply = host.answer(link, 0, answers)
    assert reply.status == status and reply.json()["error"]
    assert rows_of(file, link) == []


def test_pages_cannot_be_skipped(file: StudyFile, host: Host) -> None:
    link = host.begin()
    host.get(link)
    for page in (1, 5, 99):
        assert host.answer(link, page, {"lips": [1, 0], "style": [1, 0]}).status == 409
    assert host.ask("POST", f"{link}/0", b"x" * 30_000).status == 413
    assert host.ask("POST", f"{link}/0", b"\xff{").status == 422
    assert rows_of(file, link) == []


def test_an_answer_before_the_videos_can_have_ended_is_refused(tmp_path: Path) -> None:
    file = written(plan(FIVE, 2, 3, seconds=0.8), tmp_path / "slow.pyz")
    with Host(file.path) as slow:
        link = slow.begin()
        assert slow.answer(link, 0, {"lips": [4]}).status == 409  # the page was not even shown
        slow.get(link)
        assert slow.answer(link, 0, {"lips": [4]}).json()["error"] == "Please play the videos to the end first."
        time.sleep(0.9)
        assert slow.answer(link, 0, {"lips": [4]}).status == 200


def test_many_raters_at_once(file: StudyFile, host: Host) -> None:
    """Six raters answer all their pages at the same time: everybody's answers are there, under their own number."""

    def rate(_: int) -> str:
        link = host.begin()
        token = link.rpartition("/")[2]
        rater = stored(file).rater(token)
        assert rater is not None
        for number, page in enumerate(rater.pages):
            host.get(link)
            value = [1, 0] if rater.number % 2 else [0, 1]
            assert host.answer(link, number, {page.questions[0]: value}).status == 200
        assert "Thank you" in host.get(link).text
        return link

    with ThreadPoolExecutor(6) as pool:
        links = list(pool.map(rate, range(6)))
    numbers = set()
    for link in links:
        rater = stored(file).rater(link.rpartition("/")[2])
        assert rater is not None and rater.finished and rater.pages == pages_for(file.study, rater.row)
        numbers.add(rater.number)
        first = 1.0 if rater.number % 2 else 0.0
        expected = [
            (number, system, value)
            for number, page in enumerate(rater.pages)
            for system, value in zip(page.systems, (first, 1 - first))
        ]
        assert rows_of(file, link) == expected
    assert len(numbers) == 6


def test_kill_9_while_answers_are_sent(file: StudyFile, tmp_path: Path) -> None:
    """The server dies again and again while three raters answer. Who sends until it is saved has every answer once."""
    answers = tmp_path / "killed.sqlite"
    with Host(file.path, answers=answers) as mortal:
        links = [mortal.begin() for _ in range(3)]
        sent: dict[str, list[list[float]]] = {link: [] for link in links}

        def patiently(link: str, page: int, question: str, value: list[float]) -> Reply:
            while True:
                try:
                    mortal.get(link)
                    return mortal.answer(link, page, {question: value})
                except OSError:
                    time.sleep(0.02)

        def rate(link: str) -> None:
            chance = random.Random(link)
            for page in range(len(pages_for(file.study, links.index(link)))):
                question = question_of(file, links.index(link), page)
                value: list[float] = chance.choice([[1, 0], [0, 1], [0.5, 0.5]])
                assert patiently(link, page, question, value).status == 200
                sent[link].append(value)
                time.sleep(0.05)

        raters = [threading.Thread(target=rate, args=(link,)) for link in links]
        for rater in raters:
            rater.start()
        chance = random.Random(0)
        for _ in range(4):
            time.sleep(chance.uniform(0.05, 0.4))
            mortal.kill()
            mortal.start()
        for rater in raters:
            rater.join()
        for link in links:
            assert "Thank you" in mortal.get(link).text
            values = [value for _, _, value in rows_of(file, link, answers)]
            assert values == [value for row in sent[link] for value in row]
            assert len(sent[link]) == len(pages_for(file.study, links.index(link)))


@pytest.mark.parametrize("stripped", [True, False])
def test_behind_a_prefix(file: StudyFile, tmp_path: Path, stripped: bool) -> None:
    """The proxy may take the prefix off or leave it on; links hold it either way."""
    with Host(file.path, "--root-path", "/study1/", answers=tmp_path / "a.sqlite") as behind:
        at = "" if stripped else "/study1"
        page = behind.get(f"{at}/")
        assert 'action="/study1/begin"' in page.text and 'href="/study1/files/study.css"' in page.text
        form = urlencode({"request": "r" * 20, "agree": "yes"}).encode()
        link = behind.ask("POST", f"{at}/begin", form).headers["location"]
        assert link.startswith("/study1/r/")
        inside = at + link.removeprefix("/study1")
        assert f'src="{link}/0/0.mp4"' in behind.get(inside).text
        assert behind.get(f"{inside}/0/0.mp4").status == 200 and behind.get(f"{at}/files/study.js").status == 200


def test_a_token_is_needed(file: StudyFile, tmp_path: Path) -> None:
    with Host(file.path, "--token", "sesame-2026", answers=tmp_path / "a.sqlite") as closed:
        for path in ("/", "/?token=", "/?token=sesame", "/?token=%C3%A9"):
            assert closed.get(path).status == 403
        form = urlencode({"request": "r" * 20, "agree": "yes", "token": "wrong"}).encode()
        assert closed.ask("POST", "/begin", form).status == 403
        link = closed.begin(token="sesame-2026")
        assert closed.get(link).status == 200


def test_videos_are_served_in_parts(file: StudyFile, host: Host) -> None:
    link = host.begin()
    rater = stored(file).rater(link.rpartition("/")[2])
    assert rater is not None
    page = rater.pages[0]
    video = file.study.videos[page.clip][page.systems[1]]
    whole = host.get(f"{link}/0/1.mp4")
    assert (
        whole.status == 200
        and whole.headers["accept-ranges"] == "bytes"
        and whole.headers["content-type"] == "video/mp4"
    )
    assert whole.body == file.read(video, 0, len(whole.body)) and len(whole.body) == file.places[video.sha256].size
    part = host.get(f"{link}/0/1.mp4", Range="bytes=10-19")
    assert part.status == 206 and part.body == whole.body[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.body)}" and part.headers["content-length"] == "10"
    assert host.get(f"{link}/0/1.mp4", Range="bytes=-5").body == whole.body[-5:]
    assert host.get(f"{link}/0/1.mp4", Range=f"bytes={len(whole.body)}-").status == 416
    head = host.ask("HEAD", f"{link}/0/1.mp4")
    assert head.status == 200 and head.headers["content-length"] == str(len(whole.body)) and head.body == b""
    for missing in ("0/2.mp4", "99/0.mp4", "0/x.mp4", "0/-1.mp4"):
        assert host.get(f"{link}/{missing}").status == 404
    style = next(number for number, page in enumerate(rater.pages) if page.questions == ("style",))
    shown = host.get(f"{link}/{style}/shown.mp4").body
    reference = file.study.videos[rater.pages[style].clip][REFERENCE]
    assert shown == file.read(reference, 0, len(shown))


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("bytes=0-", (0, 100)), ("bytes=0-1", (0, 2)), ("bytes=90-500", (90, 100)), ("bytes=-500", (0, 100)),
     ("bytes=5-5", (5, 6)), ("bytes=9-5", None), ("bytes=0-1,5-6", None), ("lines=0-1", None), ("bytes=-", None),
     (" Bytes = 0 - 9 ", (0, 10)), ("bytes=²-3", None)],
)  # fmt: skip
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    assert requested_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_ranges_outside_the_file(header: str) -> None:
    with pytest.raises(ValueError, match="not in the file"):
        requested_range(header, 100)


def test_nothing_tells_the_system_and_no_other_site_is_asked(file: StudyFile, host: Host) -> None:
    link = host.begin()
    reply = host.get(link)
    assert not any(f"{name}" in reply.text for name in (*file.study.systems, "anchor", "clip0"))
    assert "http" not in reply.text
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["referrer-policy"] == "no-referrer" and reply.headers["cache-control"] == "no-store"
    for path in ("/r/unknown", "/files/../server.py", "/files/server.py", "/docs", "/openapi.json"):
        assert host.get(path).status == 404
    assert "Please check that it is complete" in host.get("/r/unknown").text


@pytest.mark.parametrize("scale", [PAIRS, FIVE, HUNDRED])
def test_every_scale_has_its_page(scale: str, tmp_path: Path) -> None:
    file = written(plan(scale, 2, 3, questions=QUESTIONS, sound="both", ties=False), tmp_path / "study.pyz")
    with Host(file.path, alone=True) as alone:
        link = alone.begin()
        for number, page in enumerate(pages_for(file.study, 0)):
            text = alone.get(link).text
            assert f"Page {number + 1} of" in text
            assert text.count("<video") == len(page.systems) + ("style" in page.questions or scale == HUNDRED)
            assert ("no sound" in text) == (not page.sound or "style" in page.questions)
            assert text.count('type="range"') == (len(page.systems) if scale == HUNDRED else 0)
            assert "No difference" not in text
            value = {PAIRS: [1, 0], FIVE: [3], HUNDRED: [50] * len(page.systems)}[scale]
            assert alone.answer(link, number, dict.fromkeys(page.questions, value)).status == 200
        assert "Thank you" in alone.get(link).text


def test_the_study_file_serves_without_the_project(file: StudyFile) -> None:
    """Its own copy of the modules runs, and needs neither numpy nor torch."""
    need_libraries()
    code = (
        f"import sys; sys.path.insert(0, {str(file.path)!r})\n"
        "for name in ('numpy', 'torch', 'av', 'safetensors', 'rich'): sys.modules[name] = None\n"
        "import diffposetalk.workshop.study.serving.server as server; print(server.__file__)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(file.path))


def test_ctrl_c_ends_with_a_summary(file: StudyFile, tmp_path: Path) -> None:
    with Host(file.path, answers=tmp_path / "a.sqlite") as ended:
        ended.begin()
        printed = ended.stop()
    assert ended.process.returncode == 0
    assert f"http://127.0.0.1:{ended.port}/" in printed and "1 raters, 0 finished" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--host", "0.0.0.0"], "add --token WORD, or --public"), (["--host", "example.org"], "add --token WORD"),
     (["--token", "short"], "8 or more letters"), (["--token", "long enough/"], "8 or more letters"),
     (["--token", "longenough", "--public"], "contradict"), (["--root-path", "study1"], "a path such as /study1"),
     (["--root-path", "//evil"], "a path such as /study1"), (["--root-path", "/a b"], "a path such as /study1"),
     (["--port", "70000"], "between 0 and 65535"), (["--host", "203.0.113.9", "--public"], "cannot listen on")],
)  # fmt: skip
def test_refused_options(
    file: StudyFile, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    need_libraries()
    assert run(["study", "serve", str(file.path), "--answers", str(tmp_path / "a.sqlite"), *options]) == 2
    assert message in capsys.readouterr().err


def test_a_port_in_use_is_said_in_one_line(
    file: StudyFile, host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["study", "serve", str(file.path), "--answers", str(tmp_path / "a.sqlite"), "--port", str(host.port)]
    assert run(words) == 2
    error = capsys.readouterr().err
    assert "choose another --port" in error and error.count("\n") == 1


def test_who_leaves_gives_the_order_to_the_next(
    file: StudyFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the orders stay balanced over those who finish; who comes back still finds the same pages."""
    store = Answers(tmp_path / "a.sqlite", file.study)
    first, second = (store.begin(f"request number {number} of a page") for number in range(2))
    assert (first.row, second.row) == (0, 1)
    now = time.time()
    monkeypatch.setattr("diffposetalk.workshop.study.answers.time.time", lambda: now + 2 * 3600)
    store.show(second, 0)
    third = store.begin("request number 3 of a page")
    assert (third.row, third.number) == (0, 2) and third.pages == first.pages
    assert store.begin("request number 4 of a page").row == 2
    again = store.rater(first.token)
    assert again is not None and again.pages == first.pages


def test_answers_of_another_study_are_refused(file: StudyFile, tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    Answers(path, file.study)
    other = Study(**{**file.study.__dict__, "title": "Another"})
    with pytest.raises(InputError, match="answers to another study"):
        Answers(path, other)
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to look like one" * 20)
    with pytest.raises(InputError, match=r"text\.sqlite: not a readable file of answers"):
        Answers(tmp_path / "text.sqlite", file.study)
    with pytest.raises(InputError, match="no such file of answers"):
        Answers(tmp_path / "missing.sqlite", file.study, create=False)
