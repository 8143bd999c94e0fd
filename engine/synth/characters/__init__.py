"""A user's own characters: the body model fitted to foreign meshes, rigged or not."""
