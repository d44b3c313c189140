"""Pictures and video of moving meshes; of a head model, only `mesh` and `iter_vertices` are used."""

from diffposetalk.render.background import STUDIO, TRANSPARENT, Background
from diffposetalk.render.camera import Camera
from diffposetalk.render.gl import Renderer
from diffposetalk.render.video import (
    contact_sheet,
    render_frame,
    render_motion,
    render_video,
    save_tiles,
)

__all__ = [
    "STUDIO",
    "TRANSPARENT",
    "Background",
    "Camera",
    "Renderer",
    "contact_sheet",
    "render_frame",
    "render_motion",
    "render_video",
    "save_tiles",
]
