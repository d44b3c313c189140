"""Motion to and from other programs' files.

`FORMATS` is the table of formats (`formats` says how to add one); `export` writes, `load_motion` reads. Channels are matched
by name, never by position, because programs order the 52 ARKit channels in three ways.
"""

from __future__ import annotations

from diffposetalk.exchange.exporting import Exported, check_target, export, export_all
from diffposetalk.exchange.formats import FORMATS, Format, format_of, suffixes
from diffposetalk.exchange.loading import load_motion
from diffposetalk.exchange.options import ExportOptions, Scene

__all__ = [
    "FORMATS",
    "ExportOptions",
    "Exported",
    "Format",
    "Scene",
    "check_target",
    "export",
    "export_all",
    "format_of",
    "load_motion",
    "suffixes",
]
