import bpy

op = bpy.context.active_operator

op.program = "UNREAL"
op.animation = True
op.texture = "2048"
