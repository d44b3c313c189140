"""Pictures and video of moving meshes; a head model is met only through its `mesh` and `iter_vertices`."""

from diffposetalk.render.background import STUDIO, TRANSPARENT, Background
from diffposetalk.render.camera import Camera
from diffposetalk.render.gl import Renderer
from diffposetalk.render.video import (
    contact_sheet,
    render_frame,
    render_motion,
    render_sequence,
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
    "render_sequence",
    "render_video",
    "save_tiles",
]
