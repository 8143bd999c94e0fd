"""Portrait to avatar with stand-in stages: what reaches them, and how a build fails."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.body_file import save_body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.settings import list_settings
from likeness.engine.core.types import (
    MAX_GAUSSIANS,
    Avatar,
    BoundGaussians,
    LikenessError,
    Matte,
    Observation,
    Pose,
    Track,
)
from likeness.engine.gaussians.lift.lift_photo import LiftResult
from likeness.engine.gaussians.refine.refine_gaussians import REFINE_LEVELS
from likeness.engine.pipeline import build as pipeline
from likeness.engine.pipeline import track as tracked
from likeness.engine.pipeline.build import build_avatar
from likeness.engine.pipeline.options import BuildOptions
from likeness.engine.pipeline.report import input_view_metrics
from likeness.engine.pipeline.track import ExtraView
from likeness.engine.render import best_backend
from likeness.engine.tracking.multiview import FACE_LOST_NOTE

from .conftest import one_gaussian

NPY = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}".ljust(
    117
)
NPY += b"\n" + bytes(8)  # one bare array
STAGES = ("load", "detect", "fit", "matte", "lift", "network", "order", "refine", "check")
OFF = BuildOptions(refine="off", network="none")


def test_the_default_budget_and_the_persons_body(
    stages: dict[str, Any], photo_file: Path, body_file: Path
) -> None:
    betas = np.array([0.5, -1.0, 0.3, 0.8])
    stages["track"] = replace(stages["track"], betas=betas)
    result = build_avatar(photo_file, body_path=body_file)
    assert result.report["refine"] == {"level": "fast", "backend": best_backend()}
    ((track, person, options),) = stages["lifted"]
    assert options.max_gaussians == MAX_GAUSSIANS
    assert track is stages["track"]
    expected, _ = make_synthetic_body().shaped(betas)
    np.testing.assert_allclose(person.v_template, expected, atol=1e-6)
    assert "label network" in result.report["warnings"][1]  # it is of another body, too
    assert "parser" in result.report["warnings"][2]  # and so is this
    assert result.report["warnings"][3:] == ["from the detectors", "from the fit"]
    assert result.report["gaussians"] == {"total": 1, "core": 1, "shell": 0, "photo": 0}


def test_a_photo_without_a_face_reports_none(
    stages: dict[str, Any], photo_file: Path, body_file: Path
) -> None:
    stages["track"] = replace(stages["track"], face_error=None, pose_error=None)
    report = build_avatar(photo_file, OFF, body_path=body_file).report
    assert report["face_error"] is None
    assert report["pose_error"] is None
    json.dumps(report)


def test_a_face_that_was_not_followed_is_left_out(
    stages: dict[str, Any], photo_file: Path, body_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = tracked.observe
    face = np.zeros((478, 2))
    monkeypatch.setattr(tracked, "observe", lambda *a: replace(observe(*a), face=face))
    lost = [True]

    def fit(seen: Any, *args: Any, **told: Any) -> Track:
        if seen.face is None:
            return replace(stages["track"], face_error=None)
        return replace(stages["track"], face_error=9.9, face_lost=lost[0])

    monkeypatch.setattr(tracked, "fit_body", fit)
    report = build_avatar(photo_file, OFF, body_path=body_file).report
    assert report["face_error"] is None
    assert FACE_LOST_NOTE in report["warnings"]
    lost[0] = False
    report = build_avatar(photo_file, OFF, body_path=body_file).report
    assert report["face_error"] == 9.9
    assert FACE_LOST_NOTE not in report["warnings"]


def test_a_body_without_landmarks_is_refused(
    stages: dict[str, Any], photo_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bare.npz"
    save_body(replace(make_synthetic_body(), landmarks=None), path)
    with pytest.raises(LikenessError) as caught:
        build_avatar(photo_file, body_path=path)
    assert str(path) in caught.value.message
    assert "landmarks" in caught.value.message
    assert caught.value.remedy
    assert not stages["lifted"]


def test_a_default_body_without_landmarks_is_baked_anew(
    stages: dict[str, Any], photo_file: Path, tmp_path: Path
) -> None:
    save_body(
        replace(make_synthetic_body(), landmarks=None), tmp_path / "body"
    )  # the asset's place
    with pytest.raises(LikenessError) as caught:
        build_avatar(photo_file)
    assert str(tmp_path / "body") in caught.value.message
    assert "build.py assets" in caught.value.remedy


@pytest.mark.parametrize("content", [None, b"", b"not a body", NPY, b"PK\x03\x04 and no more"])
def test_a_broken_body_file_is_named(
    stages: dict[str, Any], photo_file: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "broken.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LikenessError, match=r"broken\.npz"):
        build_avatar(photo_file, body_path=path)


def test_a_broken_photo_is_named(stages: dict[str, Any], body_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 and no more")
    with pytest.raises(LikenessError, match=r"broken\.jpg"):
        build_avatar(path, body_path=body_file)


def test_options_reach_the_stages(
    stages: dict[str, Any], photo_file: Path, body_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    observe, fit = tracked.observe, tracked.fit_body

    def ask_observe(photo: Any, detectors: Any, person: int | None) -> Observation:
        asked.append(person)
        return observe(photo, detectors, person)

    def ask_fit(seen: Any, fov: float | None, **more: Any) -> Track:
        asked.append(fov)
        return fit(seen, fov=fov, **more)

    monkeypatch.setattr(tracked, "observe", ask_observe)
    monkeypatch.setattr(tracked, "fit_body", ask_fit)
    options = BuildOptions(max_gaussians=6_000, person=2, fov=50.0, refine="off")
    build_avatar(photo_file, options, body_path=body_file)
    assert asked == [1, 50.0]
    assert stages["lifted"][0][2].max_gaussians == 6_000


def test_below_and_held_reach_their_stages(
    stages: dict[str, Any], photo_file: Path, body_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def separate(matte: Matte, seen: Any, track: Track, person: Any, held: str, parser: Any) -> Any:
        asked.append(held)
        assert parser is None  # without networks
        return matte, ()

    def end(avatar: Any, shots: Any, below: str) -> Any:
        asked.append(below)
        assert [track for _, track in shots] == [stages["track"]]
        return avatar

    monkeypatch.setattr(tracked, "separate_held_objects", separate)
    monkeypatch.setattr(pipeline, "end_avatar", end)
    options = BuildOptions(refine="off", network="none", below="fade", held="remove")
    result = build_avatar(photo_file, options, body_path=body_file)
    assert asked == ["remove", "fade"]
    assert result.avatar.provenance["options"]["below"] == result.report["below"] == "fade"
    assert result.report["held"] == "remove"
    build_avatar(photo_file, OFF, body_path=body_file)
    assert asked[2:] == ["keep", "full"]


def test_settings_hold_for_one_build_and_are_recorded(
    stages: dict[str, Any], photo_file: Path, body_file: Path
) -> None:
    setting = list_settings()[0]
    assert isinstance(setting.default, float)
    changed = {setting.name: str(setting.default + 1.0)}
    options = BuildOptions(refine="off", settings=changed)
    result = build_avatar(photo_file, options, body_path=body_file)
    assert result.report["settings"] == {setting.name: setting.default + 1.0}
    assert result.avatar.provenance["options"]["settings"] == result.report["settings"]
    assert list_settings()[0].value == setting.default
    plain = build_avatar(photo_file, BuildOptions(refine="off"), body_path=body_file)
    assert "settings" not in plain.report
    assert "settings" not in plain.avatar.provenance["options"]
    with pytest.raises(LikenessError, match=r"lift\.nothing"):
        build_avatar(photo_file, BuildOptions(settings={"lift.nothing": 1}), body_path=body_file)


@pytest.mark.parametrize("level", ["off", "fast", "full"])
def test_the_level_of_refining_is_used_and_reported(
    level: str,
    stages: dict[str, Any],
    photo_file: Path,
    body_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    def refine(bound: BoundGaussians, photos: Any, body: Any, *how: Any) -> BoundGaussians:
        asked.append((photos, body, *how[:2]))
        return replace(bound, colors=np.full((1, 3), 0.25, np.float32))

    monkeypatch.setattr(pipeline, "refine_gaussians", refine)
    result = build_avatar(photo_file, BuildOptions(refine=level), body_path=body_file)
    report = result.report
    assert report["refine"]["level"] == level
    assert result.avatar.provenance["options"]["refine"] == level
    assert ("refine" in report["seconds"]) == (level != "off")
    if level == "off":
        assert not asked
        assert report["refine"]["backend"] is None
        return
    ((photos, person, options, backend),) = asked
    assert options is REFINE_LEVELS[level]
    assert report["refine"]["backend"] == backend == best_backend()
    assert person is result.avatar.body
    assert photos[0].camera is result.track.camera
    np.testing.assert_array_equal(
        photos[0].vertices, person.vertices(result.track.pose)[0], "the photo's pose"
    )
    np.testing.assert_array_equal(result.avatar.gaussians.colors, 0.25)


def test_other_photos_of_the_person(
    stages: dict[str, Any], photo_file: Path, body_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their files are named in warnings, report and provenance; the main photo's pose stays."""
    back = photo_file.with_name("b.png")
    back.write_bytes(photo_file.read_bytes())
    turned = Pose(np.ones((55, 3)), np.array([0.0, 0, -2]), stages["track"].pose.expression)
    asked: list[Any] = []

    def fit_several(shown: Any, body: Any, progress: Any) -> list[Track]:
        asked.extend(shown)
        return [stages["track"], replace(stages["track"], pose=turned, view="back")]

    def lift_several(views: Any, person: Any, options: Any, labels: Any, parser: Any) -> Any:
        assert [view.track.view for view in views] == ["front", "back"]
        grey = [Matte(view.matte.alpha, 0.5 * view.matte.foreground) for view in views]
        return LiftResult(one_gaussian(), person), grey, grey

    monkeypatch.setattr(tracked, "fit_multiview", fit_several)
    monkeypatch.setattr(pipeline, "lift_multiview", lift_several)
    shown: list[Any] = []
    monkeypatch.setattr(
        pipeline, "refine_gaussians", lambda bound, photos, *_: shown.extend(photos) or bound
    )
    others = [ExtraView(back, "Back")]
    result = build_avatar(photo_file, BuildOptions(fov=40.0), None, body_file, others)
    assert [photo.direction for photo in asked] == ["any", "back"]
    assert [photo.fov for photo in asked] == [40.0, 40.0]
    (report,) = result.report["others"]
    assert (report["direction"], report["view"]) == ("back", "back")
    assert report["source"] == str(back)
    assert "b.png: from the fit" in result.report["warnings"]
    assert "from the fit" in result.report["warnings"]
    (told,) = result.avatar.provenance["others"]
    assert told["sha256"] == hashlib.sha256(back.read_bytes()).hexdigest()
    assert result.avatar.pose is stages["track"].pose
    assert len(shown) == 2, "both are fitted to"
    np.testing.assert_allclose(shown[1].vertices, result.avatar.body.vertices(turned)[0], atol=1e-6)


def test_an_unknown_level_of_refining_is_refused() -> None:
    with pytest.raises(LikenessError, match="nonsense") as caught:
        BuildOptions(refine="nonsense")
    assert "off, fast, full" in str(caught.value)


def test_a_missing_body_is_told_before_the_work(
    photo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.engine.files.weights.assets_dirs", lambda: [tmp_path])
    told: list[str] = []
    with pytest.raises(LikenessError, match=r"body\.npz"):
        build_avatar(photo_file, BuildOptions(), lambda stage, *_: told.append(stage))
    assert told == []


def test_figures_of_a_view_that_shows_nothing() -> None:
    """White on white: the truth's figures come out by hand."""
    body = make_synthetic_body().personalised(np.zeros(4))
    unseen = replace(one_gaussian(), opacities=np.zeros(1, np.float32))
    avatar = Avatar(
        body, unseen, Pose.rest(body.num_expression), photo_camera(120.0, 96, 128), "half"
    )
    alpha = np.zeros((128, 96), np.float32)
    alpha[32:96, 24:72] = 1.0
    grey = np.full((128, 96, 3), 0.75, np.float32)
    figures = input_view_metrics(avatar, Matte(alpha, grey))
    assert figures["silhouette_iou"] == 0.0
    # Nothing drawn over white misses the grey by a quarter: -20 log10(0.25).
    assert figures["foreground_psnr"] == pytest.approx(12.04, abs=0.02)
    assert 0 < figures["ssim"] < 1
    assert figures["completed"] == 0.0
    # The lower half was completed, so that only the upper half is judged.
    wanted = Matte(np.where(np.arange(128)[:, None] < 64, alpha, 0.0).astype(np.float32), grey)
    half = input_view_metrics(avatar, Matte(alpha, grey), wanted)
    assert half["completed"] == pytest.approx(1.0, abs=0.05)
    assert half["foreground_psnr"] == pytest.approx(12.04, abs=0.02)
