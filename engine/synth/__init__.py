"""Synthetic people: their traits, clothes, meshes and textures, and a fast rasteriser.

Both renderers (Cycles in ``addon/synth``, our own rasteriser here) get the same meshes with the
same textures, so a person looks and measures the same in both.
"""
