"""People in several poses: the same person, each view of its own pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.cameras import project
from likeness.engine.core.errors import LikenessError
from likeness.engine.synth.figure import SynthContext, SynthOptions, SynthSubject, make_subject
from likeness.engine.synth.subject import RasterStudio, StageClock, draw_subject

OPTIONS = SynthOptions(seed=5, size=96, views=6, poses=3, framing="full", engine="raster")


@pytest.fixture(scope="module")
def made(synth_world: SynthContext) -> SynthSubject:
    return make_subject(1, OPTIONS, synth_world)


def test_one_person_in_several_poses(made: SynthSubject, synth_world: SynthContext) -> None:
    alone = make_subject(1, replace(OPTIONS, poses=1), synth_world)
    assert len(made.stances) == 3
    np.testing.assert_array_equal(made.betas, alone.betas)
    np.testing.assert_array_equal(made.pose.full_pose, alone.pose.full_pose)
    np.testing.assert_array_equal(made.views[0].camera.viewmat, alone.views[0].camera.viewmat)
    first, *others = made.stances
    for other in others:
        assert other.figure.looks == alone.figure.looks
        assert np.abs(other.pose.full_pose - first.pose.full_pose).max() > 0.1
        assert np.abs(other.pose.expression - first.pose.expression).max() > 0.01
        for mine, theirs in zip(first.figure.parts, other.figure.parts, strict=False):
            if mine.name == theirs.name == "skin":
                np.testing.assert_array_equal(mine.material.color, theirs.material.color)


@pytest.mark.soak
def test_each_view_shows_its_own_pose(made: SynthSubject, synth_world: SynthContext) -> None:
    """Hands lie on the person where the pose says so, and beside it by another pose."""
    subject = draw_subject(made, OPTIONS, RasterStudio(), StageClock())
    assert subject.full_pose.shape[0] == 3
    assert [view.pose for view in subject.views] == [0, 1, 2, 0, 1, 2]
    body = synth_world.dress.body
    hands = np.isin(np.array(body.part_names)[body.face_part], ["hand"])
    rows = np.unique(body.f[hands])
    own, other = [], []
    for view in subject.views:
        alpha = view.rgba()[..., 3]
        for k, stance in enumerate(made.stances):
            xy, _ = project(body.vertices(stance.pose, made.betas)[0][rows], view.camera)
            col, row = np.clip(xy.astype(int), 0, OPTIONS.size - 1).T
            (own if k == view.pose else other).append(float((alpha[row, col] > 0.5).mean()))
    assert np.mean(own) > 0.9
    assert np.mean(other) < np.mean(own) - 0.1


def test_every_pose_needs_a_view() -> None:
    with pytest.raises(LikenessError, match="3 poses"):
        SynthOptions(views=2, poses=3)
