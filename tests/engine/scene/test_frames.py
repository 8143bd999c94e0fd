"""Frames of a scene: grades and sliders that change from one to the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.attributes import APPEARS, STAYS, Attribute, constant_span
from likeness.engine.core.color import srgb_to_linear
from likeness.engine.core.grading import Grade
from likeness.engine.core.types import PARTS, Avatar, FloatArray, LikenessError
from likeness.engine.formats.avatar import save_avatar
from likeness.engine.scene.frames import AVATAR_NAME, FRAMES_NAME, VERTICES_NAME, SceneFrames
from likeness.engine.scene.looks import pack_grades, pack_sliders

from tests.engine.formats.test_avatar_file import make_avatar

GRADES = ({}, {"Top": Grade(exposure=-1.0)}, {"Top": Grade(exposure=-1.0)})
HATS = (0.0, 0.0, 0.5)


@pytest.fixture
def avatar() -> Avatar:
    made = make_avatar(200)
    return replace(made, lod_start=np.arange(200, dtype=np.float32))


def write(avatar: Avatar, folder: Path, grades: FloatArray) -> Avatar:
    """Three frames of an avatar whose first splats are a hat with a slider."""
    count = len(avatar.gaussians)
    span = constant_span(STAYS, count)
    span[:20] = APPEARS
    worn = replace(
        avatar,
        gaussians=replace(avatar.gaussians, part=np.full(count, PARTS.index("upper"), np.uint8)),
        attributes=(Attribute("hat", "hat", "cap", "#112233", 1.0, span),),
    )
    save_avatar(worn, folder / AVATAR_NAME.format(0))
    np.save(folder / VERTICES_NAME.format(0), np.tile(avatar.body.v_template, (3, 1, 1)))
    eye = np.tile(np.eye(4), (3, 1, 1))
    np.savez(
        folder / FRAMES_NAME,
        counts=np.array([count]),
        places=eye[None],
        viewmats=eye,
        Ks=eye[:, :3, :3],
        size=np.array([8, 8]),
        frames=np.arange(3),
        frame_rate=np.array(24.0),
        grades=grades,
        sliders=np.array([[pack_sliders({"hat": value}) for value in HATS]]),
    )
    return worn


def test_each_frame_has_its_grades_and_sliders(avatar: Avatar, tmp_path: Path) -> None:
    worn = write(avatar, tmp_path, np.array([[pack_grades(one) for one in GRADES]]))
    frames = SceneFrames.load(tmp_path)
    plain, dark, hat = (frames.posed(0, t) for t in range(3))
    rest = len(worn.gaussians) - 20
    assert [len(one.means) for one in (plain, dark, hat)] == [rest, rest, rest + 20]
    halved = srgb_to_linear(plain.colors.astype(np.float64)) / 2
    np.testing.assert_allclose(srgb_to_linear(dark.colors.astype(np.float64)), halved, atol=1e-6)
    np.testing.assert_array_equal(hat.colors[20:], dark.colors)
    np.testing.assert_allclose(hat.opacities[:20], worn.gaussians.opacities[:20] / 2, rtol=1e-3)
    assert len(frames.avatars[0].gaussians) == rest  # as in the first frame


@pytest.mark.parametrize("wrong", ["shape", "huge", "nan"])
def test_damaged_grades_are_refused(avatar: Avatar, tmp_path: Path, wrong: str) -> None:
    grades = np.array([[pack_grades(one) for one in GRADES]])
    if wrong == "shape":
        grades = grades[:, :2]
    else:
        grades[0, 1, 0, 0] = {"huge": 1e6, "nan": np.nan}[wrong]
    write(avatar, tmp_path, grades)
    with pytest.raises(LikenessError, match="cannot be read"):
        SceneFrames.load(tmp_path)
