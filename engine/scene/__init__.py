"""What Blender is handed: meshes, fits, frames and files as plain arrays."""
