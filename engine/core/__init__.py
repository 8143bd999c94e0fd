"""Shared ground: types, errors, rotations, cameras, colour, geometry, sampling, progress."""
