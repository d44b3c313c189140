"""Systems that are compared: models, baselines, and folders of outputs of any program."""

from diffposetalk.workshop.evaluate.systems.base import Output, System, VertexMotion

__all__ = ["Output", "System", "VertexMotion"]
