"""The lift: from a photo and a fitted body to Gaussians, in closed form.

``lift_photo.py`` runs it. The photo is labelled (``label_photo.py``), and the body's mesh carried
out to what is worn (``dress_person.py``, ``shape/dressed_mesh.py``). Three sets share the budget on
it: photo splats carry the sharpness (``splats/photo_splats.py``), core texels the skin and shell
texels what is worn, all around (``splats/texels.py``); what stands too far off the mesh gets a back
of its own (``splats/far_side.py``). All are bound to the body's triangles.

A skirt is a mesh of its own beside the body's (``skirts/skirt.py``), a hat with a brim a surface
around the head (``accessories/hats.py``). Glasses are removed first and added last
(``accessories/glasses.py``). Ears, lids, eyes and mouth are finished separately
(``splats/ears.py``, ``face/face_finish.py``); finally the colours are calibrated
(``splats/calibrate.py``).

Each stage's constants are one dataclass, registered under ``lift.<module>`` (``core/settings.py``).
"""
