"""Avatars under other light than the photo's: normals, albedo and spherical harmonics."""
