"""A crowd in the scene: people that share their meshes and motions, each with its own time.

Every member is an armature, a body and splats of its own, because a pose belongs to an object. All
data are shared: the splats of one person are one mesh, the bones one armature, the motion one
action, which each member plays as a strip of the NLA from its own time on. Members have no
controls, sliders or camera, and need no extension.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...engine.scene.files import load_scene_steps
from ...engine.workflows.crowd_plan import CrowdMember, choose_level, draw_persons, plan_crowd
from ...engine.workflows.options import CrowdOptions
from .. import keys
from ..motion.actions import ActionOptions, write_action
from ..rig.bone_shapes import remove_unused_shapes
from .avatar_objects import create_rig, subject_name
from .avatar_ops import driver_targets
from .body_object import create_body_steps
from .node_group import splat_group_steps
from .selection import discard_collection, enter_object_mode
from .splat_object import MODIFIER_NAME, set_input, splat_mesh_steps, splat_object

TALL = 220.0
"""Pixels of the picture that a member covers in height from which on it shows all its splats."""

_HEIGHT = 1.7  # metres of a person

Steps = Generator[None, None, Any]


@dataclass(frozen=True)
class _Person:
    """The first member of a person, and the person's actions."""

    armature: Any
    body: Any
    splats: Any
    actions: list[Any]


def draw_avatars(files: Sequence[Path], options: CrowdOptions) -> list[Path]:
    """Draw whose avatar files are in a crowd if there are more than members; else all are."""
    return [files[number] for number in draw_persons(options, len(files))]


def add_crowd_steps(
    context: Any, people: Sequence[Mapping[str, Any]], options: CrowdOptions
) -> Steps:
    """Add a crowd at the 3D cursor, in slices; the generator returns its collection.

    An error, or closing the generator, removes what was made.

    Args:
        context: of Blender.
        people: as the worker's task ``crowd`` answers.
        options: of the crowd.

    Raises:
        LikenessError: A file of the worker cannot be read.
    """
    enter_object_mode(context)
    scene = context.scene
    crowd = bpy.data.collections.new("Crowd")
    scene.collection.children.link(crowd)
    loose: list[Any] = []  # data that no object may use yet
    start = scene.frame_start, scene.frame_end
    try:
        members = plan_crowd(options, len(people), min(len(one["motions"]) for one in people))
        used = sorted({member.person for member in members})
        yield from splat_group_steps()
        made: dict[int, _Person] = {}
        for number in used:
            made[number] = yield from _add_person(context, crowd, people[number], loose)
        first = set(used)
        for member in members:
            person = made[member.person]
            is_first = member.person in first
            first.discard(member.person)
            armature, splats = (
                (person.armature, person.splats) if is_first else _copy_person(person)
            )
            _place(armature, member, scene.cursor.location)
            _play(armature, person.actions[member.motion], member, start)
            armature[keys.CROWD] = "member"
            splats[keys.CROWD] = "splats"
            yield
        context.view_layer.update()
        set_levels(scene)
    except BaseException:
        discard_collection(crowd, loose)
        remove_unused_shapes()
        raise
    return crowd


def _add_person(context: Any, crowd: Any, person: Mapping[str, Any], loose: list[Any]) -> Steps:
    """The first member of a person; new meshes and actions are appended to ``loose``."""
    ready = yield from load_scene_steps(Path(person["scene"]))
    name = subject_name(ready.avatar, Path(person["avatar"]))
    home = bpy.data.collections.new(f"Crowd {name}")
    crowd.children.link(home)
    mesh = yield from splat_mesh_steps(ready.splats, f"Splats {name}")
    loose.append(mesh)
    armature = create_rig(ready.avatar, name, home, context)
    yield
    from ...engine.motion.prepare_motion import PreparedMotion  # late: loads scipy

    actions = []
    for title, file in person["motions"]:
        motion = PreparedMotion.load(Path(file))
        action = yield from write_action(
            armature, motion, f"{title} {name}", ActionOptions(scene_range="never"), context.scene
        )
        loose.append(action)
        action.use_fake_user = False
        actions.append(action)
    _strip_controls(armature)
    body = yield from create_body_steps(ready.avatar.body, f"Body {name}", armature, home)
    splats = splat_object(mesh, f"Splats {name}", body, home)
    return _Person(armature, body, splats, actions)


def _strip_controls(armature: Any) -> None:
    """Leave the joints' bones to the action alone: a hundred rigs of controls would be slow."""
    armature.animation_data_clear()
    for bone in armature.pose.bones:
        for constraint in bone.constraints[:]:
            bone.constraints.remove(constraint)
        bone.custom_shape = None
    for collection in armature.data.collections_all:
        collection.is_visible = False


def _copy_person(person: _Person) -> tuple[Any, Any]:
    """One more member of a person: armature and splats."""
    home = person.armature.users_collection[0]
    armature, body, splats = (one.copy() for one in (person.armature, person.body, person.splats))
    for one in (armature, body, splats):
        home.objects.link(one)
    armature.animation_data_clear()
    body.parent, splats.parent = armature, armature
    body.modifiers["Armature"].object = armature
    if body.data.shape_keys is not None:  # pose correctives, which follow the member's own bones
        body.data = body.data.copy()
        for target in driver_targets(body.data.shape_keys):
            target.id = armature
    body.hide_set(True)
    set_input(splats.modifiers[MODIFIER_NAME], "Body", body)
    return armature, splats


def _place(armature: Any, member: CrowdMember, middle: Any) -> None:
    x, y = member.place
    at = Matrix.Translation(Vector((x, -y, 0.0)) + Vector(middle))
    armature.matrix_world = at @ Matrix.Rotation(member.turn, 4, "Z")


def _play(armature: Any, action: Any, member: CrowdMember, frames: tuple[int, int]) -> None:
    """Play an action from a time of its own on, again and again over the scene's frames."""
    data = armature.animation_data_create()
    track = data.nla_tracks.new()
    track.name = action.name
    first, last = (float(frame) for frame in action.frame_range)
    strip = track.strips.new(action.name, round(first), action)
    strip.action_slot = action.slots[0]
    length = (last - first) * member.speed
    if length < 1.0:  # a pose
        return
    strip.scale = member.speed
    strip.repeat = float(np.ceil((frames[1] - frames[0] + 1) / length) + 2)
    strip.frame_start_ui = float(frames[0] - member.offset * length)


def list_members(scene: Any) -> list[Any]:
    """The armatures of the crowds in a scene."""
    return [obj for obj in scene.objects if obj.get(keys.CROWD) == "member"]


def set_levels(scene: Any) -> dict[float, int]:
    """Let members show as many splats as their size in the scene's camera needs.

    Members whose splats were deleted are left out.

    Args:
        scene: of Blender; without a camera members show all of them.

    Returns:
        Share of the splats -> number of members.
    """
    count: dict[float, int] = {}
    near = _near_distance(scene)
    for armature in list_members(scene):
        modifier = _splats_modifier(armature)
        if modifier is None:
            continue
        level = 1.0
        if scene.camera is not None:
            away = armature.matrix_world.translation - scene.camera.matrix_world.translation
            level = choose_level(float(away.length), near)
        for name in ("Render Detail", "Viewport Detail"):
            set_input(modifier, name, level)
        count[level] = count.get(level, 0) + 1
    return count


def _splats_modifier(armature: Any) -> Any | None:
    """The modifier of a member's splats; None if the user deleted it or them."""
    splats = (one for one in armature.children if one.get(keys.CROWD) == "splats")
    return next((one.modifiers.get(MODIFIER_NAME) for one in splats), None)


def _near_distance(scene: Any) -> float:
    """Metres up to which a person is :data:`TALL` pixels tall in the scene's camera."""
    camera = scene.camera
    if camera is None or camera.data.type != "PERSP":
        return float("inf")
    render, data = scene.render, camera.data
    sensor, side = {
        "AUTO": (data.sensor_width, max(render.resolution_x, render.resolution_y)),
        "HORIZONTAL": (data.sensor_width, render.resolution_x),
        "VERTICAL": (data.sensor_height, render.resolution_y),
    }[data.sensor_fit]
    focal = data.lens / sensor * side * render.resolution_percentage / 100.0
    return float(_HEIGHT * focal / TALL)
