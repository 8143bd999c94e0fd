"""The Likeness engine: portrait in, posable Gaussian avatar out. Never imports Blender."""
