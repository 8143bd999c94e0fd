"""Gaussians of the photo's pixels and of the body's texels."""
