import bpy

op = bpy.context.active_operator

op.program = "UNITY"
op.animation = True
op.texture = "2048"
