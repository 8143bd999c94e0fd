"""Likeness: one portrait in, an animatable 3D Gaussian avatar out."""
