"""Checks of motions in and out, run inside Blender by ``inside.py``; each returns plain figures."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import bpy
import likeness
import numpy as np
import people
from likeness.addon.motion.actions import find_channelbag
from likeness.addon.scene.avatar_objects import AvatarObjects, build_scene
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import JOINT_INDEX, Avatar, FloatArray, Pose
from likeness.engine.motion.io import load_motion, pose_arrays, write_npz

FRAMES, RATE = 31, 30
SAM_FRAMES = 4


def empty() -> None:
    people.empty_scene()
    bpy.context.scene.render.fps = RATE


def person(seed: int = 0, name: str = "Person") -> tuple[Avatar, AvatarObjects]:
    avatar = people.random_avatar(seed, count=300)
    return avatar, build_scene(avatar, name)


def wandering(frames: int, size: int, rng: np.random.Generator, spread: float) -> FloatArray:
    """[frames, size] smooth random curves."""
    turn = np.linspace(0, 2 * np.pi, frames)[:, None, None]
    phase, wave = rng.uniform(0, 6.3, (1, size, 3)), np.array([0.5, 1.0, 2.0])
    return spread * (rng.normal(size=(1, size, 3)) * np.sin(turn * wave + phase)).sum(-1)


def made_up(avatar: Avatar, path: Path, frames: int = FRAMES, **extra: Any) -> dict[str, Any]:
    """A motion file of a person who moves everything; its arrays."""
    rng = np.random.default_rng(3)
    full_pose = wandering(frames, 165, rng, 0.25).reshape(-1, 55, 3)
    full_pose[:, 0] += np.linspace(0, 1, frames)[:, None] * [0.0, 7.0, 0.0]  # more than a turn
    transl = wandering(frames, 3, rng, 0.2) + np.linspace(0, 1, frames)[:, None] * [0.0, 0, 2.0]
    expression = rng.uniform(0, 1, (frames, avatar.body.num_expression))
    arrays = pose_arrays(full_pose, transl, expression, avatar.body)
    arrays |= {"mocap_frame_rate": np.array(float(RATE)), "pelvis": avatar.body.J_template[0]}
    arrays |= {"camera_K": np.eye(3), "camera_viewmat": np.eye(4), "camera_size": np.array([4, 4])}
    arrays |= {k: np.asarray(v) for k, v in extra.items()}
    legs = [
        np.linalg.norm(np.diff(avatar.body.J_template[list(c)], axis=0), axis=1).sum()
        for c in ((1, 4, 7), (2, 5, 8))
    ]
    arrays["leg_length"] = np.array(np.mean(legs))
    write_npz(arrays, path)
    return {"full_pose": full_pose, "transl": transl, "expression": expression}


def shown(objects: AvatarObjects, avatar: Avatar, frames: Any) -> list[Pose]:
    """The poses that one sees at frames of the scene."""
    out = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        out.append(objects.get_pose(avatar.body.expression_names))
    return out


def turn_error(a: FloatArray, b: FloatArray) -> float:
    """Largest angle between rotations, radians."""
    R = np.swapaxes(axis_angle_to_matrix(a), -1, -2) @ axis_angle_to_matrix(b)
    sine = (
        np.stack(
            [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]],
            -1,
        )
        / 2
    )
    cosine = (np.trace(R, axis1=-2, axis2=-1) - 1) / 2
    return float(np.arctan2(np.linalg.norm(sine, axis=-1), cosine).max())


def errors(poses: list[Pose], wanted: dict[str, Any]) -> dict[str, float]:
    return {
        "turn": turn_error(np.array([p.full_pose for p in poses]), wanted["full_pose"]),
        "transl": float(np.abs([p.transl for p in poses] - wanted["transl"]).max()),
        "expression": float(np.abs([p.expression for p in poses] - wanted["expression"]).max()),
    }


def keyed(objects: AvatarObjects) -> dict[str, Any]:
    """What the armature's action looks like."""
    data = objects.armature.animation_data
    action = data.action
    bag = find_channelbag(action, data.action_slot)
    counts = {len(curve.keyframe_points) for curve in bag.fcurves}
    quats = np.array(
        [
            [
                bag.fcurves.find('pose.bones["pelvis"].rotation_quaternion', index=k)
                .keyframe_points[t]
                .co[1]
                for k in range(4)
            ]
            for t in range(max(counts))
        ]
    )
    return {
        "name": action.name,
        "slots": len(action.slots),
        "bound": data.action_slot == action.slots[0],
        "curves": len(bag.fcurves),
        "keys": sorted(counts),
        "paths": sorted({curve.data_path for curve in bag.fcurves}),
        "cosine": float((quats[1:] * quats[:-1]).sum(1).min()),
        "kinds": sorted({p.interpolation for c in bag.fcurves for p in c.keyframe_points}),
        "modifiers": sum(len(curve.modifiers) for curve in bag.fcurves),
        "range": list(action.frame_range),
    }


def attempt(operator: Any, **arguments: Any) -> str:
    """What an operator that is refused says; empty when it is done."""
    try:
        operator(**arguments)
    except RuntimeError as error:
        return str(error)
    return ""


def several(checks: list[str], folder: str) -> dict[str, Any]:
    """The answers of checks, one after the other in one process; what fails says how."""
    import armature_checks  # late: it imports this file

    known = {**vars(armature_checks), **globals()}
    out: dict[str, Any] = {}
    for name in checks:
        own = Path(folder, name)
        own.mkdir()
        try:
            out[name] = known[name](str(own))
        except Exception:
            out[name] = traceback.format_exc()
        likeness.unregister()
    return out


def there_and_back(folder: str) -> dict[str, Any]:
    """A motion file on an avatar, played, exported, and read again."""
    empty()
    likeness.register()
    avatar, objects = person()
    source, target = Path(folder, "wave.npz"), Path(folder, "again.npz")
    wanted = made_up(avatar, source)
    scene = bpy.context.scene
    bpy.ops.likeness.import_motion(filepath=str(source), place="file")
    out: dict[str, Any] = {
        "range": [scene.frame_start, scene.frame_end],
        "now": scene.frame_current,
    }
    out["keyed"] = keyed(objects)
    poses = shown(objects, avatar, range(1, FRAMES + 1))
    out["played"] = errors(poses, wanted)
    scene.frame_set(7)
    vertices, _ = avatar.body.vertices(poses[6])
    out["body"] = float(np.abs(people.body_vertices(objects) - vertices).max())
    bpy.ops.likeness.export_motion(filepath=str(target), frame_start=1, frame_end=FRAMES)
    again = load_motion(target, avatar.body.num_expression)
    out["rate"] = again.frame_rate
    out["again"] = errors([again.pose(t) for t in range(len(again))], wanted)
    with np.load(target) as file:
        out["keys"] = sorted(file.files)
    bpy.ops.likeness.export_motion(
        filepath=str(target), frame_start=3, frame_end=11, frame_step=4, up="z", space="world"
    )
    again = load_motion(target, avatar.body.num_expression)
    out["step"] = [len(again), again.frame_rate]
    joints = people.body_vertices(objects)  # evaluates
    pelvis = again.transl[2] + avatar.body.J_template[0]
    scene.frame_set(11)
    bpy.context.view_layer.update()
    bone = objects.armature.matrix_world @ objects.armature.pose.bones["pelvis"].head
    out["z_up"] = float(np.abs(np.array(bone) - pelvis).max()) + 0 * float(joints[0, 0])
    out["scenes"] = [s.name for s in bpy.data.scenes]
    bpy.ops.likeness.export_pose(filepath=str(target))
    again = load_motion(target, avatar.body.num_expression)
    out["pose"] = [len(again), turn_error(again.full_pose[0], wanted["full_pose"][10])]
    return out


def with_ik(folder: str) -> dict[str, Any]:
    """A hand on its IK control, which is keyed: written as one sees it."""
    from likeness.addon.rig.control_names import ik_control
    from likeness.addon.rig.ik import switch_to_ik

    empty()
    likeness.register()
    avatar, objects = person()
    switch_to_ik(objects.armature, ["left_hand", "right_foot"])
    control = objects.armature.pose.bones[ik_control("left_hand")]
    for frame, x in ((1, 0.0), (9, 0.15)):
        control.location = (x, x, 0.5 * x)
        control.keyframe_insert("location", frame=frame)
    poses = shown(objects, avatar, range(1, 10))
    target = Path(folder, "ik.npz")
    bpy.ops.likeness.export_motion(filepath=str(target), frame_start=1, frame_end=9)
    again = load_motion(target, avatar.body.num_expression)
    arm = [JOINT_INDEX["left_shoulder"], JOINT_INDEX["left_elbow"]]
    ends = [p.full_pose[arm] for p in (poses[0], poses[-1])]
    return {
        "error": turn_error(again.full_pose, np.array([p.full_pose for p in poses])),
        "moved": turn_error(*ends),
    }


def options(folder: str) -> dict[str, Any]:
    """Where and how a motion lands."""
    empty()
    likeness.register()
    avatar, objects = person()
    objects.armature.location.x += 3.0
    source = Path(folder, "wave.npz")
    made_up(avatar, source)
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 60, 101, 400
    bpy.context.view_layer.update()
    before = objects.get_pose(avatar.body.expression_names)
    lowest = float(people.body_vertices(objects)[:, 1].min())
    out: dict[str, Any] = {}
    bpy.ops.likeness.import_motion(filepath=str(source))
    out["keyed"] = keyed(objects)
    out["range"] = [scene.frame_start, scene.frame_end]
    poses = shown(objects, avatar, range(101, 101 + 2 * FRAMES - 1))
    out["moved"] = float(np.abs((poses[0].transl - before.transl)[[0, 2]]).max())
    fronts = [axis_angle_to_matrix(p.full_pose[0])[[0, 2], 2] for p in (before, poses[0])]
    out["front"] = float(
        np.degrees(np.arccos(min(1.0, np.dot(*(f / np.linalg.norm(f) for f in fronts)))))
    )
    floors = []
    for frame in range(101, 161, 4):
        scene.frame_set(frame)
        floors.append(float(people.body_vertices(objects)[:, 1].min()))
    out["floor"] = [float(np.percentile(floors, 10)) - lowest, min(floors) - lowest]
    out["path"] = float(np.linalg.norm(poses[-1].transl - poses[0].transl))
    bpy.ops.likeness.import_motion(
        filepath=str(source),
        place="in_place",
        cyclic=True,
        rate="motion",
        scene_range="always",
        start_frame=11,
    )
    out["loop"] = keyed(objects)
    out["loop_rate"] = scene.render.fps / scene.render.fps_base
    out["loop_range"] = [scene.frame_start, scene.frame_end]
    first, last, later = shown(objects, avatar, (11, 11 + FRAMES - 1, 11 + 2 * (FRAMES - 1)))
    out["loop_gap"] = [turn_error(first.full_pose, p.full_pose) for p in (last, later)]
    out["loop_way"] = float(np.abs(last.transl - first.transl).max())
    objects.armature.pose.bones["left_elbow"].rotation_mode = "XYZ"  # the user's
    bpy.ops.likeness.import_motion(filepath=str(source), nla=True, start_frame=5)
    out["mode"] = objects.armature.pose.bones["left_elbow"].rotation_mode
    data = objects.armature.animation_data
    out["nla"] = {
        "action": data.action is None,
        "strips": [
            [s.name, s.frame_start, s.action_slot is not None]
            for t in data.nla_tracks
            for s in t.strips
        ],
        "users": sorted(a.users > 0 for a in bpy.data.actions),
    }
    a, b = shown(objects, avatar, (5, 20))
    out["nla_moves"] = turn_error(a.full_pose, b.full_pose)
    return out


def leftovers(folder: str) -> dict[str, Any]:
    """A motion of the trunk and limbs after one that moved everything, in three ways."""
    from likeness.engine.poses import find_pose

    empty()
    likeness.register()
    avatar, objects = person()
    first, second = Path(folder, "all.npz"), Path(folder, "body.npz")
    made_up(avatar, first)
    frames, rng = 47, np.random.default_rng(4)
    body = wandering(frames, 66, rng, 0.2).astype(np.float32)
    arrays = {"global_orient": body[:, :3], "body_pose": body[:, 3:], "transl": body[:, :3]}
    write_npz({**arrays, "mocap_frame_rate": np.array(float(RATE))}, second)
    scene, out = bpy.context.scene, {}
    scene.frame_start, scene.frame_end = 1, 250
    relaxed = find_pose("relaxed").joints["left_index2"]
    for others in ("keep", "ease", "rest"):
        bpy.ops.likeness.import_motion(filepath=str(first))
        out.setdefault("first", scene.frame_end)
        scene.frame_set(20)
        before = objects.get_pose(avatar.body.expression_names)
        bpy.ops.likeness.import_motion(filepath=str(second), others=others)
        scene.frame_set(20)
        now = objects.get_pose(avatar.body.expression_names)
        finger = JOINT_INDEX["left_index2"]
        out[others] = {
            "end": scene.frame_end,
            "kept": float(np.abs(now.full_pose[finger] - before.full_pose[finger]).max()),
            "eased": float(np.abs(now.full_pose[finger] - relaxed).max()),
            "turned": float(np.abs(now.full_pose[finger]).max()),
            "jaw": float(np.abs(now.full_pose[JOINT_INDEX["jaw"]]).max()),
            "face": float(np.abs(now.expression).max()),
        }
    scene.frame_end = 99  # the user's own
    bpy.ops.likeness.import_motion(filepath=str(first))
    out["own"] = scene.frame_end
    return out


FEW = ("truncated.npz", "pickle.pkl", "bones.bvh", "broken.fbx", "missing.bvh")
"""Of the bad files, one of each reader."""


def more_bad_files(folder: str) -> dict[str, Any]:
    """All bad files; the engine's own tests hand them to its readers."""
    return bad_files(folder, every=True)


def bad_files(folder: str, every: bool = False) -> dict[str, Any]:
    """Refusals, after each of which the scene is as before."""
    empty()
    likeness.register()
    _, objects = person()
    root = Path(folder)
    whole = root / "whole.npz"
    np.savez(whole, poses=np.zeros((3, 165)))
    files = {
        "truncated.npz": whole.read_bytes()[:-200],
        "pickle.pkl": b"\x80\x04.",
        "empty.bvh": b"",
        "note.npz": b"no motion",
        "frames.bvh": b"HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\nCHANNELS 0\n}\nMOTION\n"
        b"Frames: 0\nFrame Time: 0.1\n",
        "bones.bvh": b"HIERARCHY\nROOT Cube\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n}\nMOTION\n"
        b"Frames: 1\nFrame Time: 0.1\n0\n",
        "broken.fbx": b"no fbx at all",
    }
    for name, content in files.items():
        (root / name).write_bytes(content)
    np.savez(root / "pickled.npz", poses=np.array([{}], dtype=object))
    np.savez(root / "shapes.npz", poses=np.zeros((3, 100)))
    np.savez(root / "nan.npz", poses=np.full((3, 165), np.nan))
    np.savez(root / "lengths.npz", poses=np.zeros((3, 165)), trans=np.zeros((4, 3)))
    np.savez(root / "other.npz", images=np.zeros(3))
    np.save(root / "columns.npy", np.zeros((5, 17)))

    def state() -> list[Any]:
        data = bpy.data
        kinds = (data.scenes, data.objects, data.actions, data.armatures)
        pose = np.array([b.matrix_basis for b in objects.armature.pose.bones])
        return [[sorted(x.name for x in kind) for kind in kinds], pose.round(6).tolist()]

    before, said = state(), {}
    for name in [
        *files,
        "pickled.npz",
        "shapes.npz",
        "nan.npz",
        "lengths.npz",
        "other.npz",
        "columns.npy",
        "missing.bvh",
    ]:
        if not every and name not in FEW:
            continue
        said[name] = attempt(bpy.ops.likeness.import_motion, filepath=str(root / name))
        if state() != before:
            said[name] += " CHANGED"
    said["export"] = attempt(
        bpy.ops.likeness.export_motion, filepath=str(root / "no" / "where.npz")
    )
    said["armature"] = attempt(bpy.ops.likeness.retarget_armature, source="nothing")
    bpy.ops.object.select_all(action="DESELECT")
    return said


def sam_3d_body(folder: str) -> dict[str, Any]:
    """Frames of SAM 3D Body, imported: what is keyed, and the poses that one sees."""
    empty()
    likeness.register()
    avatar, objects = person()
    source = Path(folder).parent / "sam.npz"
    bpy.ops.likeness.import_motion(filepath=str(source), place="file")
    poses = shown(objects, avatar, range(1, SAM_FRAMES + 1))
    return {
        "keyed": keyed(objects),
        "full_pose": [pose.full_pose.tolist() for pose in poses],
        "transl": [pose.transl.tolist() for pose in poses],
    }


def smoothing(folder: str) -> dict[str, Any]:
    """Jitter goes, slow movement stays, nothing comes late, rotations stay rotations."""
    empty()
    likeness.register()
    avatar, objects = person()
    rng = np.random.default_rng(1)
    count = 90
    clean = np.zeros((count, 55, 3))
    t = np.arange(count) / RATE
    clean[:, JOINT_INDEX["left_elbow"], 1] = -0.8 + 0.6 * np.sin(2 * np.pi * 0.4 * t)
    clean[:, 0, 1] = 4 * t  # turns more than once
    noisy = clean + 0.03 * rng.normal(size=clean.shape)
    path = Path(folder, "noisy.npz")
    write_npz(
        pose_arrays(noisy, np.zeros((count, 3)), np.zeros((count, 0)), None)
        | {"mocap_frame_rate": np.array(30.0)},
        path,
    )
    bpy.ops.likeness.import_motion(filepath=str(path), place="file")
    out = {}
    elbow = JOINT_INDEX["left_elbow"]

    def off() -> float:
        poses = shown(objects, avatar, range(10, count - 8))
        R = np.array([p.full_pose[elbow] for p in poses])
        return float(np.sqrt(((R - clean[9 : count - 9, elbow]) ** 2).sum(1).mean()))

    out["before"] = off()
    bpy.context.view_layer.objects.active = objects.armature
    bpy.ops.likeness.smooth_motion(seconds=0.07, keep_feet=False)
    out["after"] = off()
    out["keyed"] = keyed(objects)
    lengths = []
    for frame in range(1, count + 1, 7):
        bpy.context.scene.frame_set(frame)
        q = np.array(objects.armature.pose.bones["pelvis"].rotation_quaternion)
        lengths.append(abs(float(np.linalg.norm(q)) - 1))
    out["length"] = max(lengths)
    # The switch of a hand's control jumps at a frame, and goes on doing so.
    hand = objects.armature.pose.bones["left_hand_ik"]
    for frame, value in ((1, 0.0), (40, 1.0)):
        hand["ik"] = value
        hand.keyframe_insert('["ik"]', frame=frame)
    switch = 'pose.bones["left_hand_ik"]["ik"]'
    bag = find_channelbag(
        *(getattr(objects.armature.animation_data, n) for n in ("action", "action_slot"))
    )
    for point in bag.fcurves.find(switch).keyframe_points:
        point.interpolation = "CONSTANT"
    kept = {c.data_path: c for c in bag.fcurves if c.data_path.endswith(".location")}
    assert kept
    was = lower_feet(objects, avatar, count)
    copy = objects.armature.animation_data.action.copy()
    bpy.ops.likeness.smooth_motion(seconds=0.3, keep_feet=False)
    slid = lower_feet(objects, avatar, count)
    slot = copy.slots[0].identifier
    objects.armature.animation_data.action = copy
    objects.armature.animation_data.action_slot = copy.slots[slot]
    bpy.ops.likeness.smooth_motion(seconds=0.3, keep_feet=True)
    stood = lower_feet(objects, avatar, count)
    out["slid"], out["stood"] = (
        float(np.linalg.norm(x - was, axis=-1).mean()) for x in (slid, stood)
    )
    bag = find_channelbag(copy, copy.slots[0])
    out["switch"] = [bag.fcurves.find(switch).evaluate(frame) for frame in (38, 39, 40, 41)]
    return out


def lower_feet(objects: AvatarObjects, avatar: Avatar, count: int) -> FloatArray:
    """[T, 3] a foot that stands nearly still, where it is on average over a few frames."""
    at = []
    for frame in range(1, count + 1):
        bpy.context.scene.frame_set(frame)
        at.append(objects.armature.pose.bones["left_foot"].head.copy())
    feet = np.array(at)
    window = np.ones(9) / 9
    return np.stack([np.convolve(feet[:, k], window, "valid") for k in range(3)], 1)
