"""Poses and motion on the armature."""
