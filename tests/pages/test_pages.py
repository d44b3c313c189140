"""Pages: everything is escaped, figures are plain SVG that follows the page's colours, missing packages get one line."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree

import pytest

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.pages import BAR, new_figure, render, require_libraries, set_class, set_tooltip, svg

pytest.importorskip("matplotlib", reason="matplotlib comes with the extra pages")


def drawing(label: str = "x", tooltip: str = "y") -> str:
    figure = new_figure(2, 1)
    panel = figure.subplots()
    (bar,) = panel.bar([0], [1], color=BAR)
    set_tooltip(bar, tooltip)
    set_class(panel.axvline(0), "now")
    panel.plot([0, 1], [0, 1], "o")
    return svg(figure, label)


def test_figures_follow_the_scheme_of_the_page_and_request_nothing():
    text = drawing()
    assert text.startswith('<svg viewBox="0 0 144 72" role="img" aria-label="x">')
    assert "fill: var(--bar)" in text and BAR not in text
    assert '<g class="now">' in text
    assert "http" not in text and "<style" not in text and "<metadata" not in text


def test_figures_are_the_same_every_time():
    assert drawing() == drawing()


def test_figures_escape_names():
    text = drawing('a "b" <i>', "</title><script>&")
    assert "<script" not in text
    root = ElementTree.fromstring(text.replace("xlink:", ""))
    assert root.get("aria-label") == 'a "b" <i>'
    assert "</title><script>&" in [title.text for title in root.iter("title")]


@pytest.mark.parametrize(
    ("package", "template"),
    [("diffposetalk.data.report", "dataset.html"), ("diffposetalk.workshop.corpus.report", "corpus.html")],
)
def test_a_value_that_is_missing_is_an_error(package, template):
    with pytest.raises(Exception, match="is undefined"):
        render(package, template, title="x")


@pytest.mark.parametrize("module", ["jinja2", "matplotlib.figure"])
def test_missing_packages_get_one_line(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        DiffPoseTalkError, match=r"^a page needs jinja2 and matplotlib: pip install 'diffposetalk\[pages\]'$"
    ):
        require_libraries()
