"""Polished frames of a recorded scene: by the photos' poses, whatever the scene's are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.attributes import APPEARS, STAYS, Attribute, constant_span
from likeness.engine.core.cameras import orbit
from likeness.engine.core.grading import Grade
from likeness.engine.core.types import Avatar, LikenessError
from likeness.engine.formats.avatar import load_editable_avatar, save_avatar
from likeness.engine.gaussians import pose_avatar
from likeness.engine.gaussians.polish.planes import seen_splats, splat_marks
from likeness.engine.gaussians.polish.polish_network import PolishRuntime, draw_polished
from likeness.engine.scene.frames import AVATAR_NAME, FRAMES_NAME, VERTICES_NAME, SceneFrames
from likeness.engine.scene.looks import pack_grades, pack_sliders
from likeness.engine.scene.polished_frames import FramePolisher

from tests.engine.gaussians.test_polish import CENTRE, reddening, walls

__all__ = ["reddening"]  # a fixture
BAKED = {"options": {"polish": "bake"}}


def record(avatars: list[Avatar], folder: Path, sliders: tuple[float, ...] = ()) -> SceneFrames:
    """Avatars as Blender writes them, seen from behind their photos; sliders of hats by frame."""
    count = max(1, len(sliders))
    behind = orbit(avatars[0].camera, CENTRE, 180.0)
    for k, avatar in enumerate(avatars):
        bowed = replace(avatar, pose=replace(avatar.pose, transl=np.array([0.0, 0.0, 3.0])))
        save_avatar(bowed, folder / AVATAR_NAME.format(k))
        vertices, _ = avatar.body.vertices(avatar.pose)
        np.save(folder / VERTICES_NAME.format(k), np.tile(vertices, (count, 1, 1)))
    looks = {}
    if sliders:
        looks = {
            "grades": np.array([[pack_grades({"Top": Grade()})] * count] * len(avatars)),
            "sliders": np.array([[pack_sliders({"hat": x}) for x in sliders]] * len(avatars)),
        }
    np.savez(
        folder / FRAMES_NAME,
        counts=np.array([len(avatar.gaussians) for avatar in avatars]),
        places=np.tile(np.eye(4), (len(avatars), count, 1, 1)),
        viewmats=np.tile(behind.viewmat, (count, 1, 1)),
        Ks=np.tile(behind.K, (count, 1, 1)),
        size=np.array([behind.width, behind.height]),
        frames=np.arange(count),
        frame_rate=np.array(24.0),
        **looks,
    )
    return SceneFrames.load(folder)


def test_a_frame_is_the_polished_picture_of_its_avatar(
    tmp_path: Path, reddening: PolishRuntime
) -> None:
    avatar = walls()
    scene = record([avatar], tmp_path)
    plain, change = FramePolisher(scene, reddening, [avatar.pose]).draw(0, "cpu")
    stored = replace(load_editable_avatar(tmp_path / AVATAR_NAME.format(0)), pose=avatar.pose)
    marks = splat_marks(stored.gaussians, seen_splats(stored))
    wanted = draw_polished(reddening, pose_avatar(stored), marks, scene.camera(0))
    assert np.abs(change).max() > 0.02
    np.testing.assert_allclose(plain.rgb + change, wanted.rgb, atol=1e-5)
    np.testing.assert_allclose(plain.alpha, wanted.alpha, atol=1e-6)


def test_avatars_that_were_polished_before_stay(tmp_path: Path, reddening: PolishRuntime) -> None:
    avatar = walls()
    baked = replace(avatar, provenance=BAKED)
    scene = record([avatar, replace(baked, gaussians=avatar.gaussians.take(slice(0, 1)))], tmp_path)
    assert np.abs(FramePolisher(scene, reddening, [avatar.pose] * 2).draw(0, "cpu")[1]).max() > 0.02
    scene = record([replace(avatar, gaussians=avatar.gaussians.take(slice(0, 1))), baked], tmp_path)
    assert np.abs(FramePolisher(scene, reddening, [avatar.pose] * 2).draw(0, "cpu")[1]).max() < 2e-3
    with pytest.raises(LikenessError, match="polished when they were built"):
        FramePolisher(record([baked], tmp_path), reddening, [avatar.pose])


def test_hats_may_come_and_go(tmp_path: Path, reddening: PolishRuntime) -> None:
    avatar = walls()
    span = constant_span(STAYS, len(avatar.gaussians))
    span[:20] = APPEARS
    worn = replace(avatar, attributes=(Attribute("hat", "hat", "cap", "#112233", 1.0, span),))
    scene = record([worn], tmp_path, (0.0, 0.0, 1.0))
    assert len(scene.gaussians(2).means) == len(scene.gaussians(0).means) + 20
    polisher = FramePolisher(scene, reddening, [avatar.pose])
    changes = [polisher.draw(t, "cpu")[1] for t in range(3)]
    np.testing.assert_array_equal(changes[0], changes[1])
    assert np.abs(changes[2]).max() > 0.02
