import bpy

op = bpy.context.active_operator

op.quality = "DRAFT"
op.max_gaussians = 60_000
op.refine = "off"
op.check_fit = "DOUBT"
