import bpy

op = bpy.context.active_operator

op.kind = ".usdz"
op.content = "mesh"
op.animation = True
op.texture = "2048"
