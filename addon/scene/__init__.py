"""An avatar as Blender objects: armature, body, splats, camera."""
