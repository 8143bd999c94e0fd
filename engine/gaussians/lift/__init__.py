"""The lift: from a photo and a fitted body to Gaussians, in closed form.

The body's mesh is carried out to what is worn (``shape/dressed_mesh.py``), and three sets share the
budget on it: photo splats carry the sharpness (``photo_splats.py``), core texels the skin and shell
texels what is worn, all around (``texels.py``); what stands too far off the mesh gets a back of its
own (``far_side.py``). All are bound to the body's triangles.

A skirt is a mesh of its own beside the body's (``skirt.py``), a hat with a brim a surface around
the head (``hats.py``). Glasses are removed first and added last (``glasses.py``). Ears, lids, eyes
and mouth are finished separately (``ears.py``, ``face_finish.py``); finally the colours are
calibrated (``calibrate.py``).

Each stage's constants are one dataclass, registered under ``lift.<module>`` (``core/settings.py``).
"""
