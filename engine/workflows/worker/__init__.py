"""The worker process: one task apart from Blender, answered in JSON lines."""
