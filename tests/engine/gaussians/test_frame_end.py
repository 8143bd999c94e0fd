"""Avatars that end where the photo does: softly, or with a clean, closed cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, Avatar, Camera, Matte
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.frame_cut import S as CUT
from likeness.engine.gaussians.frame_end import WHOLE, S, arm_share, end_avatar, find_frame_end
from likeness.engine.render import render_camera


def lifted(shot) -> Avatar:
    pose, camera, framing = shot.track.pose, shot.track.camera, shot.track.framing
    return Avatar(shot.body, shot.lift(40_000), pose, camera, framing)


@pytest.fixture(scope="module")
def avatars(shots) -> dict[str, Avatar]:
    return {name: lifted(shots[name]) for name in ("head", "half", "full")}


def end(shot, avatar: Avatar, below: str) -> Avatar:
    return end_avatar(avatar, [(shot.matte, shot.track)], below)


def at_rest(avatar: Avatar):
    return place_gaussians(avatar.gaussians, avatar.body.v_template, avatar.body)


@pytest.mark.parametrize("below", ["full", "fade", "cut"])
def test_whole_people_stay_as_they_are(shots, avatars, below) -> None:
    assert end(shots["full"], avatars["full"], below) is avatars["full"]


def cropped(shot, height: float):
    """The matte and fit of a photo whose frame ends at a height of the body at rest, metres."""
    track = shot.track
    at = shot.body.J_template[0] + [0.0, height, 0.0] + track.pose.transl
    row = round(float(project(at, track.camera)[0][1]))
    camera = replace(track.camera, height=row)
    matte = Matte(shot.matte.alpha[:row], shot.matte.foreground[:row])
    return matte, replace(track, camera=camera)


def test_the_end_is_where_the_frame_cuts_the_body(shots) -> None:
    """The body stands upright: a frame's lower edge is about one height of it."""
    shot = shots["full"]
    for height in (0.3, 0.1, -0.3, -0.6):
        found = find_frame_end(shot.body, [cropped(shot, height)], False)
        assert found.height - shot.body.J_template[0, 1] == pytest.approx(height, abs=0.05)
    both = [cropped(shot, 0.3), cropped(shot, -0.3)]
    assert find_frame_end(shot.body, both, False) == find_frame_end(shot.body, both[1:], False)


def test_arms_are_whole_from_the_elbow_on(shots) -> None:
    shot = shots["full"]
    joint = {name: shot.body.J_template[k] for name, k in JOINT_INDEX.items()}
    length = float(np.linalg.norm(joint["left_elbow"] - joint["left_shoulder"]))
    elbow = float(joint["left_shoulder"][1] - joint["pelvis"][1]) - length
    for height, whole in ((elbow + 0.08, False), (elbow - 0.08, True)):
        ends = find_frame_end(shot.body, [cropped(shot, height)], True).arms
        assert [end == WHOLE for end in ends] == [whole] * 2


def test_a_soft_end_keeps_the_photo_and_fades_below_it(shots, avatars) -> None:
    shot, before = shots["half"], avatars["half"]
    after = end(shot, before, "fade")
    drawn, was = shot.draw(after.gaussians), shot.draw(before.gaussians)
    assert np.abs(drawn.rgb - was.rgb).mean() < 0.002
    found = find_frame_end(shot.body, [(shot.matte, shot.track)], False)
    placed = at_rest(after)
    trunk = arm_share(shot.body)[shot.body.f[after.gaussians.triangle]].mean(1) < 0.01
    below = found.height - placed.means[trunk, 1]
    assert below.max() < S.fade
    opacity = placed.opacities[trunk]
    rings = [opacity[(below > a) & (below < a + 0.03)].max() for a in np.arange(0, 0.19, 0.04)]
    assert all(np.diff(rings) < 0.0)
    assert (placed.opacities <= at_rest(before).opacities.max()).all()


def from_below(avatar: Avatar, height: float) -> Camera:
    """A camera that looks straight up at the body at rest."""
    camera = photo_camera(500.0, 160, 160)
    view = np.eye(4)
    view[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    pelvis = avatar.body.J_template[0]
    view[:3, 3] = -view[:3, :3] @ [pelvis[0], height - 1.0, pelvis[2]]
    return replace(camera, viewmat=view)


def test_a_cut_leaves_nothing_below_and_keeps_the_photo(shots, avatars) -> None:
    for name in ("head", "half"):
        shot, before = shots[name], avatars[name]
        after = end(shot, before, "cut")
        found = find_frame_end(shot.body, [(shot.matte, shot.track)], True)
        arm = arm_share(shot.body)[shot.body.f[after.gaussians.triangle]].mean(1)
        placed = at_rest(after)
        assert found.above(placed.means, arm.round(), shot.body).min() > -0.001
        assert (
            np.abs(shot.draw(after.gaussians).rgb - shot.draw(before.gaussians).rgb).mean() < 0.01
        )
        assert len(after.gaussians) <= len(before.gaussians)


def test_a_cut_is_closed_and_stays_so_when_arms_move(shots, avatars) -> None:
    shot = shots["head"]
    after = end(shot, avatars["head"], "cut")
    body = shot.body
    height = find_frame_end(body, [(shot.matte, shot.track)], True).height
    camera = from_below(after, height)
    for joints in ({}, {"left_shoulder": [0, 0, 0.9], "right_shoulder": [0, 0, -1.2]}):
        pose = replace(shot.track.pose, transl=np.zeros(3)).with_joints(**joints)
        vertices, _ = body.vertices(pose)
        drawn = render_camera(place_gaussians(after.gaussians, vertices, body), camera)
        points = np.argwhere(drawn.alpha > 0.5)
        assert len(points) > 200
        # Well inside the chest the first surface from below is the cap.
        middle = (slice(70, 90), slice(70, 90))
        assert drawn.alpha[middle].min() > 0.95
        assert np.abs(drawn.depth[middle] - 1.0).max() < 2 * CUT.bevel
