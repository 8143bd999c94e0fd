"""Hands that the photo does not show: whole, and out of its sight."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import BoolArray, Pose
from likeness.engine.gaussians.lift.hidden_hands import tuck_hidden_hands
from likeness.engine.gaussians.lift.regions import HANDS
from likeness.engine.poses import build_pose
from likeness.engine.render.mesh import MeshBuffer, rasterize_mesh


@dataclass(frozen=True)
class Stub:
    """What the search reads of the regions."""

    body: MeshBuffer
    mask: BoolArray
    hidden: BoolArray


def test_a_hand_before_a_thigh_that_is_not_seen_goes_behind_its_surface(average: Body) -> None:
    """The pose has a hand on the thigh, where the photo shows the thigh."""
    pose = build_pose("sit", average)
    pose = replace(pose, transl=np.array([0.0, 0.1, -2.6]))
    camera = photo_camera(420.0, 240, 260)
    hand = np.asarray(average.weights[:, HANDS[1]].sum(1) > 0.5)[average.f[:, 0]]
    shown = average.f[~hand]
    own = np.unique(average.f[hand])

    def exposed(of: Pose) -> float:
        vertices, _ = average.vertices(of)
        front = rasterize_mesh(vertices, shown, camera).depth
        xy, z = project(vertices[own], camera)
        col, row = xy.astype(int).T
        apart = np.where(np.isinf(front), 9.0, front)[row, col] - z
        return float(np.clip(apart, 0.0, 0.15).mean())  # beside the body is as wrong as far before

    buffer = rasterize_mesh(average.vertices(pose)[0], shown, camera)
    regions = Stub(buffer, buffer.face >= 0, hand)
    tucked = tuck_hidden_hands(regions, camera, average, pose)  # type: ignore[arg-type]
    assert exposed(pose) > 0.04
    assert exposed(tucked) < 0.2 * exposed(pose)
    moved = np.abs(tucked.full_pose - pose.full_pose).max(1) > 0
    assert set(np.nonzero(moved)[0]) <= set(HANDS[1])
    nothing = replace(regions, hidden=np.zeros(len(average.f), bool))
    assert tuck_hidden_hands(nothing, camera, average, pose) is pose  # type: ignore[arg-type]
