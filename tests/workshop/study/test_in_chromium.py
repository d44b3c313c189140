"""A rater in Chromium, from the consent text to the end: mouse, keys, reload, kill -9 of the server, narrow and wide."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.workshop.study.chromium import Chromium
from tests.workshop.study.examples import CONSENT, write_folders
from tests.workshop.study.hosting import Host, need_libraries

from diffposetalk.cli import run
from diffposetalk.workshop.study.answers import Answer, Answers
from diffposetalk.workshop.study.study_file import StudyFile, open_study

ON_PAGE = (
    "document.readyState == 'complete' && typeof update == 'function' && document.querySelector('#where').textContent"
)
PICTURES = os.environ.get("DIFFPOSETALK_STUDY_PICTURES")
"""Folder for screenshots; none are kept without it."""


@pytest.fixture
def browser() -> Iterator[Chromium]:
    need_libraries()
    with Chromium() as chromium:
        chromium.size(1440, 900)
        yield chromium


def study(folder: Path, *options: str) -> StudyFile:
    """Make a study of two clips of 0.6 s."""
    folders = write_folders(folder, ("ours",))
    (folder / "consent.txt").write_text(CONSENT)
    words = ["study", "make", "--reference", str(folders["reference"]), "--system", f"ours={folders['ours']}"]
    path = folder / "study.pyz"
    assert run([*words, "--consent", str(folder / "consent.txt"), "-o", str(path), *options]) == 0
    return open_study(path)


def answers_of(file: StudyFile) -> list[Answer]:
    return Answers(file.path.with_suffix(".answers.sqlite"), file.study, create=False).all()


def begin(browser: Chromium, host: Host) -> None:
    """Agree to the consent text with the mouse."""
    browser.open(f"http://127.0.0.1:{host.port}/")
    browser.click(".next")  # the box is not ticked: nothing may happen
    assert browser.run("location.pathname") == "/"
    browser.click(".agree input")
    browser.click(".next")
    wait_for_page(browser, 1)


def wait_for_page(browser: Chromium, number: int) -> None:
    browser.wait(f"({ON_PAGE} || '').startsWith('Page {number} of')")


def play(browser: Chromium) -> None:
    """Play every video by the keyboard; nothing can be answered before."""
    assert browser.run(
        "next.disabled && [...document.querySelectorAll('fieldset, input[type=range]')].every(e => e.disabled)"
    )
    browser.key(" ")
    browser.wait("allPlayed() && players.every(player => player.video.paused)")


def check_names(browser: Chromium, *expected: tuple[str, str]) -> None:
    """Everything that a screen reader can act on has a name."""
    found = browser.accessible()
    assert [role for role, name in found if not name and role != "group"] == []
    assert set(expected) <= set(found), found


def picture(browser: Chromium, name: str) -> None:
    """Keep screenshots of the present page: wide, narrow and dark. Nothing may be wider than the screen."""
    for width, height, dark in ((1440, 900, False), (390, 844, False), (1440, 900, True), (390, 844, True)):
        browser.size(width, height, dark)
        assert browser.run("document.documentElement.scrollWidth") <= width
        if PICTURES:
            browser.picture(Path(PICTURES) / f"{name}-{width}{'-dark' if dark else ''}.png")
    browser.size(1440, 900)


def check_clean(browser: Chromium, host: Host) -> None:
    """No script failed, and no other server was asked."""
    assert browser.complaints == []
    own = (f"http://127.0.0.1:{host.port}/", "data:,", "about:")
    assert [address for address in browser.requests if not address.startswith(own)] == []


def test_pairs_from_consent_to_the_end(browser: Chromium, tmp_path: Path) -> None:
    file = study(tmp_path, "--questions", "lips")
    with Host(file.path) as host:
        begin(browser, host)
        link = browser.run("location.pathname")
        picture(browser, "pairs-new")
        check_names(browser, ("button", "Play Video A"), ("progressbar", "Page 1 of 4"), ("radio", "No difference"))

        # Page 1: keys. An answer before the end of the videos does nothing.
        browser.key("ArrowLeft")
        browser.key("Enter")
        assert browser.run("document.querySelector('input:checked')") is None and answers_of(file) == []
        play(browser)
        browser.key("ArrowRight")
        picture(browser, "pairs-chosen")
        browser.key("ArrowLeft")
        browser.key("Enter")
        wait_for_page(browser, 2)
        assert [row.value for row in answers_of(file)] == [1, 0]

        # Page 2: mouse; each video by its own button; two clicks on Next count once.
        for index in (1, 0):
            browser.click(f"[data-video='{index}'] .play")
            browser.wait(f"players[{index}].done")
        browser.click("input[value=same] + span")
        browser.run("for (let i = 0; i < 3; i++) next.click()")
        wait_for_page(browser, 3)
        assert [row.value for row in answers_of(file)] == [1, 0, 0.5, 0.5]

        # Page 3: a reload, then a new browser window by the link.
        browser.open(f"http://127.0.0.1:{host.port}{link}")
        wait_for_page(browser, 3)
        play(browser)

        # The server dies before the answer is sent, and comes back: the page sends it again by itself.
        host.kill()
        browser.key("ArrowRight")
        browser.key("Enter")
        browser.wait("statusLine.textContent.startsWith('No connection')")
        picture(browser, "pairs-lost")
        host.start()
        wait_for_page(browser, 4)
        assert [row.value for row in answers_of(file)][4:] == [0, 1]

        # Killed again between two pages, and opened anew.
        host.kill()
        host.start()
        browser.open(f"http://127.0.0.1:{host.port}{link}")
        wait_for_page(browser, 4)
        play(browser)
        replays = browser.run("replays")
        browser.key(" ")
        browser.wait(f"replays > {replays} && players.every(player => player.video.paused)")

        # The page is closed while its answer waits for the server: opened again, it sends the answer by itself.
        host.kill()
        browser.key("ArrowDown")
        browser.key("Enter")
        browser.wait("statusLine.textContent.startsWith('No connection')")
        browser.open("about:blank")
        assert len(answers_of(file)) == 6
        host.start()
        browser.open(f"http://127.0.0.1:{host.port}{link}")
        browser.wait("document.body.textContent.includes('Thank you.')")
        picture(browser, "end")
        check_clean(browser, host)
    rows = answers_of(file)
    assert [(row.page, row.slot) for row in rows] == [(page, slot) for page in range(4) for slot in (0, 1)]
    assert rows[-1].value == 0.5 and rows[-1].replays > 0


def test_ratings_from_1_to_5(browser: Chromium, tmp_path: Path) -> None:
    """The paper's study: three questions on a page, the person shown without sound."""
    file = study(tmp_path, "--preset", "paper")
    with Host(file.path, "--root-path", "/study1") as host:
        browser.open(f"http://127.0.0.1:{host.port}/study1/")
        browser.click(".agree input")
        browser.click(".next")
        wait_for_page(browser, 1)
        assert browser.run("players.map(player => player.video.muted)") == [True, False]
        play(browser)
        browser.key("4")
        browser.click("fieldset:nth-of-type(3) label:nth-of-type(2) span")
        assert browser.run("next.disabled")
        browser.key("5")
        picture(browser, "paper-chosen")
        check_names(
            browser, ("group", "How well do the lips match the speech?"), ("radio", "4 Good"), ("button", "Next")
        )
        browser.key("Enter")
        wait_for_page(browser, 2)
        assert {row.question: row.value for row in answers_of(file)} == {"lips": 4, "style": 5, "natural": 2}
        check_clean(browser, host)


def test_ratings_from_0_to_100(browser: Chromium, tmp_path: Path) -> None:
    """Sliders by mouse and keys; each must be moved, and each opens with its video."""
    file = study(tmp_path, "--preset", "mushra", "--questions", "natural")
    with Host(file.path) as host:
        begin(browser, host)
        browser.click("[data-video='1'] .play")
        browser.wait("players.find(player => player.figure.dataset.video == '1').done")
        assert browser.run("sliders.map(slider => slider.disabled)") == [True, False, True]
        browser.key(" ")
        browser.wait("allPlayed() && players.every(player => player.video.paused)", 30)
        browser.click("[data-slot='0']")
        browser.key("ArrowRight")
        browser.key("Tab")
        browser.run("sliders[1].focus()")
        for _ in range(3):
            browser.key("ArrowLeft")
        assert browser.run("next.disabled")
        browser.run("sliders[2].focus()")
        browser.key(" ")  # on a slider: its own video
        browser.wait("players.find(player => player.figure.dataset.video == '2').video.ended")
        browser.key("ArrowRight")
        picture(browser, "mushra-rated")
        check_names(browser, ("slider", "Rating of Video A, 0 to 100"), ("button", "Play Video B again"))
        browser.key("Enter")
        wait_for_page(browser, 2)
        values = [row.value for row in answers_of(file)]
        assert abs(values[0] - 51) <= 2 and values[1:] == [47, 51]
        check_clean(browser, host)
