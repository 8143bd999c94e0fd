"""Synthetic people: who they are, what they wear, their meshes and textures, and a quick picture.

Whatever draws them (Cycles in ``addon/synth``, our own rasteriser here) gets the same meshes with
the same textures, so a person looks and measures the same in both.
"""
