import bpy

op = bpy.context.active_operator

op.quality = "BEST"
op.max_gaussians = 262_144
op.refine = "full"
op.check_fit = "ALWAYS"
