import bpy

op = bpy.context.active_operator

op.kind = ".glb"
op.content = "mesh"
op.animation = True
op.texture = "2048"
