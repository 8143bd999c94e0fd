import bpy

op = bpy.context.active_operator

op.quality = "STANDARD"
op.max_gaussians = 150_000
op.refine = "fast"
op.check_fit = "DOUBT"
