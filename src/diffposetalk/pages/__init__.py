"""HTML pages of one file that need no network: Jinja2 templates, matplotlib figures as SVG, media as data addresses."""

from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING, Any

from diffposetalk.errors import DiffPoseTalkError

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

TEXT = "#1d1f23"
"""Colour of text and of strong lines in figures. Like all colours below it follows the page's light or dark scheme."""
SOFT = "#62666d"
"""Colour of labels."""
LINE = "#dcdee2"
"""Colour of axes."""
BAR = "#3f73b8"
"""Colour of bars and sound."""
CURVE = "#c2582b"
"""Colour of curves and marks."""
_VARIABLES = {
    TEXT: "text",
    SOFT: "soft",
    LINE: "line",
    BAR: "bar",
    CURVE: "curve",
    "#000000": "text",
    "#ffffff": "card",
}
"""Name of the variable in `page.css` that stands in a figure for a colour."""
_MISSING = "a page needs jinja2 and matplotlib: pip install 'diffposetalk[pages]'"


def require_libraries() -> None:
    """Check that pages can be made.

    Raises:
        DiffPoseTalkError: Jinja2 or matplotlib is not installed.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise DiffPoseTalkError(_MISSING) from None


def render(package: str, template: str, **values: Any) -> bytes:
    """Fill in a template.

    Every value is escaped, unless it is `Markup` as `svg` returns it. A template can extend `base.html` and import
    `macros.html` of this package.

    Args:
        package: dotted name of the package that holds the template.
        template: its file name.
        values: its variables; a missing one is an error.

    Raises:
        DiffPoseTalkError: Jinja2 or matplotlib is not installed.
    """
    require_libraries()
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name, "") for name in (package, __name__)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values).encode()


def new_figure(width: float, height: float, constrained: bool = True) -> Figure:
    """Return an empty figure of a size in inches; ``constrained`` lets matplotlib lay out its parts.

    Raises:
        DiffPoseTalkError: Jinja2 or matplotlib is not installed.
    """
    require_libraries()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained" if constrained else None)


def set_tooltip(artist: Artist, text: str) -> None:
    """Show a text while the pointer is on a part of a figure."""
    artist.set_gid(f"tooltip:{text}")


def set_class(artist: Artist, name: str) -> None:
    """Give a part of a figure a class by which scripts of the page find it."""
    artist.set_gid(f"class:{name}")


def svg(figure: Figure, label: str) -> Markup:
    """Draw a figure as SVG to be put into a page.

    The same figure gives the same text. Texts stay texts, and the identifiers in it depend on what they stand for, so
    that many figures fit into one page.

    Args:
        figure: at 72 dots per inch, so that a font size of 11 is 11 pixels.
        label: description for screen readers.
    """
    import matplotlib
    from markupsafe import Markup, escape

    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "diffposetalk"}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<style type.*?</style>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'<g id="tooltip:([^"]*)">', r"<g><title>\1</title>", text)
    text = re.sub(r'<g id="class:([^"]*)">', r'<g class="\1">', text)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    for color, variable in _VARIABLES.items():
        text = re.sub(rf"(fill|stroke): {color}\b", rf"\1: var(--{variable})", text)
    width, height = (72 * size for size in figure.get_size_inches())
    opening = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">'
    return Markup(re.sub(r"^<svg[^>]*>", lambda _: opening, text))


def data_address(data: bytes, kind: str) -> str:
    """Return the address that holds a file itself; ``kind`` is its media type, such as ``video/mp4``."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
