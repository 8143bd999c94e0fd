"""The worker process: one task outside Blender, answered in JSON lines."""
