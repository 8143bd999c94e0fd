"""Splats drawn on the GPU in Blender's 3D view.

:mod:`.splat_cloud` has an avatar's splats and sorts them by depth, :mod:`.shader` draws them, and
:mod:`.fast_splats` decides which avatars are drawn when, :mod:`.edit_mode` leaves those in
Edit Mode to Blender. Renders do not use it.
"""
