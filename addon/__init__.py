"""The Blender side of Likeness that is neither operator nor panel."""
