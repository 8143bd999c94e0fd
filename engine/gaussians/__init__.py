"""Gaussians on a body: their triangle frames, how they are lifted, refined, ordered and posed."""

from ..core.geometry import Frames, triangle_frames, vertex_normals
from .binding import bind, place
from .posing import pose_avatar

__all__ = ["Frames", "bind", "place", "pose_avatar", "triangle_frames", "vertex_normals"]
