"""True splats in Blender's 3D view, drawn on the graphics card.

:mod:`.cloud` holds an avatar's splats and knows their order in depth, :mod:`.shader` draws them,
:mod:`.fast` says which avatars and when. Renders do not come here.
"""
