"""People light enough to be in a crowd by the hundred, and what they do there.

People of a crowd keep the photo's expression, which is part of their shape, and have no sliders.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..body import Body
from ..body.expression_limits import limit_expression
from ..core.types import Avatar, Pose
from ..formats.avatar import avatar_to_bytes
from ..gaussians.lod import simplify_avatar
from ..gaussians.mesh_extraction import floor_offset
from ..motion.io import write_npz
from ..motion.placing import TargetAvatar
from ..poses import build_pose
from ..scene.files import SceneAvatar
from ..scene.mesh import make_splat_mesh

STANDING = (
    "relaxed",
    "contrapposto",
    "hand_on_hip",
    "arms_crossed",
    "look_left",
    "hands_on_hips",
    "thinking",
)
"""Poses of a crowd without motions."""


def make_crowd_person(avatar: Avatar, splats: int) -> SceneAvatar:
    """Prepare an avatar for a crowd: few splats, the photo's expression, at rest on the floor.

    Args:
        avatar: the avatar, as its sliders stand.
        splats: upper limit of its splats.
    """
    small = simplify_avatar(avatar, splats)
    body: Body = avatar.body
    weights = limit_expression(np.asarray(avatar.pose.expression)[None], body.expression_names)[0]
    shape = np.asarray(body.v_template + body.exprdirs @ weights, np.float32)
    nobody = np.zeros((len(shape), 3, 0), np.float32)
    plain = replace(body, v_template=shape, exprdirs=nobody, expression_names=(), landmarks=None)
    nothing = slice(0, 0)
    alone = replace(
        small,
        body=plain,
        pose=Pose.rest(0),
        gaussians=small.gaussians.take(nothing),
        lod_start=None,
        attributes=(),
    )
    return SceneAvatar(alone, make_splat_mesh(small), zlib.compress(avatar_to_bytes(alone), 6))


def crowd_target(body: Body) -> TargetAvatar:
    """The person of a crowd as the target of motions: at rest."""
    sole = float(np.asarray(body.v_template)[:, 1].min())
    joints = np.asarray(body.J_template, np.float64)
    return TargetAvatar(joints, sole, joints[0], np.array([0.0, 0.0, 1.0]), sole)


def save_standing_poses(body: Body, folder: Path) -> list[Path]:
    """Write :data:`STANDING` for a person of a crowd, as motions of one frame.

    Args:
        body: the person's.
        folder: gets the files.

    Returns:
        The files, as :class:`..motion.prepare_motion.PreparedMotion` reads them.
    """
    files: list[Path] = []
    target = crowd_target(body)
    for name in STANDING:
        pose = build_pose(name, body)
        vertices, joints = body.vertices(pose)
        by = floor_offset(vertices, joints[0]) + target.pelvis * [1.0, 0.0, 1.0]
        by[1] += target.floor
        path = folder / f"{name}.npz"
        write_npz(
            {
                "full_pose": np.asarray(pose.full_pose)[None],
                "transl": (np.asarray(pose.transl) + by)[None],
                "expression": np.zeros((1, 0)),
                "shot": np.zeros(1, np.int32),
                "known": np.ones(len(joints), bool),
                "face": np.array(False),
                "frame_rate": np.array(30.0),
            },
            path,
        )
        files.append(path)
    return files
