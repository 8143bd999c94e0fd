import bpy

op = bpy.context.active_operator

op.program = "BLENDER"
op.animation = True
op.texture = "2048"
