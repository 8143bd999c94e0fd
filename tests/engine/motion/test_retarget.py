"""Other skeletons' motion on ours, against joints that are worked out independently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.model import Body
from likeness.engine.core.rotations import (
    axis_angle_to_matrix,
    axis_angle_to_quaternion,
    matrix_to_axis_angle,
)
from likeness.engine.core.types import (
    JOINT_INDEX,
    JOINT_NAMES,
    NUM_JOINTS,
    PARENTS,
    FloatArray,
    LikenessError,
    Pose,
)
from likeness.engine.motion.bone_maps import detect_bones
from likeness.engine.motion.bvh import read_bvh
from likeness.engine.motion.motion_source import MotionSource
from likeness.engine.motion.placing import (
    TargetAvatar,
    align_quat_signs,
    floor_height,
    foot_lock_offsets,
    gaussian_blur,
    joints_over_time,
    loop_motion,
    place_motion,
    smooth_motion,
    step_scale,
)
from likeness.engine.motion.prepare_motion import motion_from_poses
from likeness.engine.motion.reenact import leg_length
from likeness.engine.motion.retarget import retarget_motion

from .bvh_files import USED, write_bvh

FRAMES = 12


def random_motion(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    full_pose = np.zeros((FRAMES, NUM_JOINTS, 3))
    full_pose[:, USED] = rng.normal(0, 0.35, (FRAMES, len(USED), 3))
    return full_pose, rng.normal([0.0, 0.3, 0.0], 0.5, (FRAMES, 3))


RESTS = {
    "t": {},
    "a": {"left_shoulder": [0, 0, -0.8], "right_shoulder": [0, 0, 0.8]},
    "odd": {
        "left_shoulder": [0.2, -0.3, -1.2],
        "right_shoulder": [0, 0.6, 0.4],
        "left_elbow": [0, -0.7, 0],
        "right_hip": [-0.2, 0, -0.2],
        "right_ankle": [0.2, 0, 0.2],
        "left_knee": [0.3, 0, 0],
        "left_ankle": [-0.3, 0, 0],  # feet flat, as of all who stand
    },
}


@pytest.mark.parametrize("rest", list(RESTS))
@pytest.mark.parametrize("up", ["y", "z"])
def test_a_bvh_with_another_rest_pose_gives_the_same_joints(
    body: Body, target: TargetAvatar, tmp_path: Path, rest: str, up: str
) -> None:
    rng = np.random.default_rng(5)
    full_pose, transl = random_motion(rng)
    poses = [Pose(p, t, np.zeros(body.num_expression)) for p, t in zip(full_pose, transl)]
    resting = Pose.rest(body.num_expression).with_joints(**RESTS[rest])
    turn = axis_angle_to_matrix(np.array([np.pi / 2, 0, 0])) if up == "z" else None
    write_bvh(tmp_path / "m.bvh", body, poses, resting, rng, scale=37.0, turn=turn)
    moved = read_bvh(tmp_path / "m.bvh")
    assert moved.frame_rate == 30
    found = detect_bones(moved.skeleton.names)
    done = retarget_motion(moved, found, target.joints)
    assert done.known[USED].all()
    assert ("z up" in " ".join(done.notes)) == (up == "z")
    _, ours = joints_over_time(done.full_pose, done.transl, target.joints)
    _, wanted = joints_over_time(full_pose, transl, target.joints)
    # where each bone ends follows from its own turn: the last joints of the chains have theirs, too
    assert np.abs(ours[:, USED] - wanted[:, USED]).max() < 0.01
    for j in USED[1:]:
        p = PARENTS[j]
        a, b = ours[:, j] - ours[:, p], wanted[:, j] - wanted[:, p]
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 1.0, JOINT_NAMES[j]


def test_other_proportions_keep_directions_and_scale_the_path(
    body: Body, target: TargetAvatar, tmp_path: Path
) -> None:
    rng = np.random.default_rng(6)
    full_pose, transl = random_motion(rng)
    poses = [Pose(p, t, np.zeros(body.num_expression)) for p, t in zip(full_pose, transl)]
    write_bvh(tmp_path / "m.bvh", body, poses, Pose.rest(body.num_expression), rng, scale=100.0)
    moved = read_bvh(tmp_path / "m.bvh")
    taller = target.joints * [1.1, 1.3, 1.0]
    done = retarget_motion(moved, detect_bones(moved.skeleton.names), taller)
    ratio = leg_length(taller) / leg_length(target.joints)
    _, ours = joints_over_time(done.full_pose, done.transl, taller)
    _, theirs = joints_over_time(full_pose, transl, target.joints)
    middle = [JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]
    np.testing.assert_allclose(
        ours[:, middle].mean(1), ratio * theirs[:, middle].mean(1), atol=1e-4
    )
    for a, b in (("left_elbow", "left_wrist"), ("right_hip", "right_knee")):
        x, y = ((g[:, JOINT_INDEX[b]] - g[:, JOINT_INDEX[a]]) for g in (ours, theirs))
        cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
        assert cosine.min() > np.cos(np.radians(0.1))


def test_first_frame_and_given_rests(body: Body, target: TargetAvatar, tmp_path: Path) -> None:
    """A calibration pose in the first frame; bones of which nobody knows how they rest."""
    rng = np.random.default_rng(7)
    full_pose, transl = random_motion(rng)
    full_pose[0] = 0.0
    poses = [Pose(p, t, np.zeros(body.num_expression)) for p, t in zip(full_pose, transl)]
    rest = Pose.rest(body.num_expression).with_joints(
        **{name: rng.normal(0, 1.0, 3) for name in ("spine1", "left_hip", "left_ankle", "neck")}
    )
    write_bvh(tmp_path / "m.bvh", body, poses, rest, rng)
    moved = read_bvh(tmp_path / "m.bvh")
    found = detect_bones(moved.skeleton.names)
    done = retarget_motion(moved, found, target.joints, "first_frame")
    _, ours = joints_over_time(done.full_pose, done.transl, target.joints)
    _, wanted = joints_over_time(full_pose, transl, target.joints)
    assert np.abs(ours[:, USED] - wanted[:, USED]).max() < 0.01
    t_pose = Pose.rest(body.num_expression)
    write_bvh(tmp_path / "t.bvh", body, [t_pose], t_pose, rng)
    moved = read_bvh(tmp_path / "t.bvh")
    arms = retarget_motion(moved, found, target.joints, "a_pose").full_pose[0]
    assert np.degrees(np.linalg.norm(arms[JOINT_INDEX["left_shoulder"]])) > 20
    assert np.abs(retarget_motion(moved, found, target.joints, "t_pose").full_pose).max() < 1e-6


def test_one_bone_for_the_trunk_bends_all_of_it(target: TargetAvatar, tmp_path: Path) -> None:
    """Spine and Head alone: the turn is shared by the joints in between."""
    lines = """HIERARCHY
ROOT Hips
{
OFFSET 0 90 0
CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
JOINT Spine
{
OFFSET 0 20 0
CHANNELS 3 Zrotation Xrotation Yrotation
JOINT Head
{
OFFSET 0 40 0
CHANNELS 0
End Site
{
OFFSET 0 20 0
}
}
%s
}
%s
}
MOTION
Frames: 1
Frame Time: 0.04
0 90 0 0 0 0 0 60 0 %s"""
    arm = (
        "JOINT {0}Arm\n{{\nOFFSET {1}15 30 0\nCHANNELS 0\nJOINT {0}ForeArm\n{{\n"
        "OFFSET {1}25 0 0\nCHANNELS 0\n}}\n}}"
    )
    leg = (
        "JOINT {0}UpLeg\n{{\nOFFSET {1}10 0 0\nCHANNELS 0\nJOINT {0}Leg\n{{\n"
        "OFFSET 0 -40 0\nCHANNELS 0\n}}\n}}"
    )
    arms, legs = (
        "\n".join(part.format(*side) for side in (("Left", ""), ("Right", "-")))
        for part in (arm, leg)
    )
    (tmp_path / "m.bvh").write_text(lines % (arms, legs, ""), encoding="utf-8")
    moved = read_bvh(tmp_path / "m.bvh")
    found = detect_bones(moved.skeleton.names)
    assert "left_wrist" in found.missing
    assert "Without a bone" in found.report()
    pose = retarget_motion(moved, found, target.joints).full_pose[0]
    for name in ("spine1", "spine2", "spine3"):
        np.testing.assert_allclose(np.degrees(pose[JOINT_INDEX[name]]), [20, 0, 0], atol=0.5)


# Place, loop, smoothness --------------------------------------------------------------------


def walking(target: TargetAvatar, frames: int = 60, path_scale: float = 1.0) -> MotionSource:
    """Somebody who steps from foot to foot: the lower one stays where it is."""
    t = np.arange(frames) / 30
    full_pose = np.zeros((frames, NUM_JOINTS, 3))
    swing = 0.4 * np.sin(2 * np.pi * t)
    full_pose[:, JOINT_INDEX["left_hip"], 0] = swing
    full_pose[:, JOINT_INDEX["right_hip"], 0] = -swing
    forward = np.maximum(np.gradient(swing), 0) > 0  # the right leg goes forward
    full_pose[:, JOINT_INDEX["right_knee"], 0] = 0.6 * forward
    full_pose[:, JOINT_INDEX["left_knee"], 0] = 0.6 * ~forward
    _, heads = joints_over_time(full_pose, np.zeros((frames, 3)), target.joints)
    feet = heads[:, [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]]]
    stands = np.where(forward, 0, 1)
    steps = feet[np.arange(frames - 1), stands[1:]] - feet[np.arange(1, frames), stands[1:]]
    transl = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, 0)])
    motion = motion_from_poses(full_pose, path_scale * transl, 0, 30.0)
    known = np.ones(NUM_JOINTS, bool)
    return MotionSource(motion, known, False, path_scale * target.joints[0], None)


def test_steps_fit_the_legs_when_the_file_does_not_say_how_long_they_were(
    target: TargetAvatar,
) -> None:
    source = walking(target, path_scale=0.8)
    assert step_scale(source.motion, source.pelvis, target) == pytest.approx(1 / 0.8, rel=0.03)


@pytest.mark.parametrize("place", ["stand", "in_place"])
def test_stands_where_the_avatar_stands(target: TargetAvatar, place: str) -> None:
    source = walking(target)
    there = TargetAvatar(
        target.joints, target.sole, np.array([3.0, -0.4, 1.0]), np.array([1.0, 0, 0]), -1.7
    )
    done = place_motion(source, there, place).motion
    pelvis = done.transl[0] + target.joints[0]
    np.testing.assert_allclose(pelvis[[0, 2]], [3.0, 1.0], atol=1e-9)
    assert floor_height(done.full_pose, done.transl, there) == pytest.approx(-1.7, abs=1e-6)
    way = done.transl[-1] - done.transl[0]
    if place == "stand":
        assert way[0] > 0.5  # along its front
        assert abs(way[2]) < 0.05
    else:
        assert np.abs(way[[0, 2]]).max() < 1e-9
    same = place_motion(source, there, "file").motion
    np.testing.assert_allclose(same.transl + target.joints[0], source.motion.transl + source.pelvis)


def test_a_loop_ends_as_it_begins(target: TargetAvatar) -> None:
    rng = np.random.default_rng(0)
    motion = motion_from_poses(
        rng.normal(0, 0.2, (40, NUM_JOINTS, 3)), rng.normal(size=(40, 3)), 0, 30.0
    )
    done = loop_motion(motion)
    R = axis_angle_to_matrix(done.full_pose)
    np.testing.assert_allclose(R[0], R[-1], atol=1e-9)
    assert done.transl[-1, 1] == pytest.approx(done.transl[0, 1])
    np.testing.assert_allclose(done.full_pose[:28], motion.full_pose[:28], atol=1e-9)
    with pytest.raises(LikenessError, match="3 frames"):
        loop_motion(motion_from_poses(np.zeros((3, 55, 3)), np.zeros((3, 3)), 0, 30.0))


def test_smoothing_is_symmetric_and_leaves_straight_lines(target: TargetAvatar) -> None:
    impulse = np.zeros((41, 1))
    impulse[20] = 1.0
    out = gaussian_blur(impulse, 2.0)
    np.testing.assert_allclose(out, out[::-1], atol=1e-12)
    assert out.sum() == pytest.approx(1.0)
    line = np.linspace(3, 8, 30)[:, None] * np.ones((1, 2))
    np.testing.assert_allclose(gaussian_blur(line, 3.0), line, atol=1e-9)
    full_pose = np.zeros((90, NUM_JOINTS, 3))
    turns = axis_angle_to_matrix(np.linspace(0, 20, 90)[:, None] * [0.0, 1.0, 0.0])
    full_pose[:, 0] = matrix_to_axis_angle(turns)  # three times around
    done = smooth_motion(motion_from_poses(full_pose, np.zeros((90, 3)), 0, 30.0), 0.1)
    np.testing.assert_allclose(
        axis_angle_to_matrix(done.full_pose[:, 0])[9:-9], turns[9:-9], atol=1e-3
    )
    quats = align_quat_signs(axis_angle_to_quaternion(full_pose[:, 0]))
    assert (quats[1:] * quats[:-1]).sum(1).min() > 0.99


def test_smoothing_can_hold_the_foot_on_the_floor(target: TargetAvatar) -> None:
    before = walking(target).motion
    after = smooth_motion(before, 0.15)
    shift = foot_lock_offsets(
        before.full_pose, before.transl, after.full_pose, after.transl, target
    )
    held = after.transl + gaussian_blur(shift, 2.0)

    def slide(full_pose: FloatArray, transl: FloatArray) -> float:
        """Median way of the lower foot between two frames."""
        _, heads = joints_over_time(full_pose, transl, target.joints)
        feet = heads[:, [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]]]
        steps = np.linalg.norm(np.diff(feet, axis=0), axis=2)
        return float(np.median(steps.min(1)))

    assert slide(after.full_pose, held) < 0.6 * slide(after.full_pose, after.transl)
