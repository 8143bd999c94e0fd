"""Dual-UV: image features carried to the body's UV space (paper section 3.1)."""

from ..core.sampling import bilinear
from .sampling import SurfaceSamples, UVMap, sample_core, sample_shell, sample_surface, scatter_mean

__all__ = [
    "SurfaceSamples",
    "UVMap",
    "bilinear",
    "sample_core",
    "sample_shell",
    "sample_surface",
    "scatter_mean",
]
