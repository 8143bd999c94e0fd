"""The body: one file format, linear blend skinning, and the bake of the default body."""

from .model import Body, Landmarks, load_body, save_body
from .skinning import joint_transforms, skin_vertices

__all__ = ["Body", "Landmarks", "joint_transforms", "load_body", "save_body", "skin_vertices"]
