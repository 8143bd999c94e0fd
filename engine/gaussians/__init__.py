"""Gaussians on a body: their triangle frames, how they are lifted, refined, ordered and posed."""

from ..core.geometry import TriangleFrames, triangle_frames, vertex_normals
from .binding import bind_gaussians, place_gaussians
from .posing import pose_avatar

__all__ = [
    "TriangleFrames",
    "bind_gaussians",
    "place_gaussians",
    "pose_avatar",
    "triangle_frames",
    "vertex_normals",
]
