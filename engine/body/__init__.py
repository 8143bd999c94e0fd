"""The body: one file format, linear blend skinning, and the bake of the default body."""

from .body_file import load_body, save_body
from .model import Body, Landmarks
from .skinning import joint_transforms, skin_vertices

__all__ = ["Body", "Landmarks", "joint_transforms", "load_body", "save_body", "skin_vertices"]
