"""Gaussians on a body: the triangle frame and, beside it, the lift that makes them."""

from .binding import Frames, bind, place, triangle_frames, vertex_normals
from .posing import pose_avatar

__all__ = ["Frames", "bind", "place", "pose_avatar", "triangle_frames", "vertex_normals"]
