"""Gaussians on a body: the triangle frame and, beside it, the lift that makes them."""

from .binding import Frames, bind, place, pose_avatar, triangle_frames, vertex_normals

__all__ = ["Frames", "bind", "place", "pose_avatar", "triangle_frames", "vertex_normals"]
