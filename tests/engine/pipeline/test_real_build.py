"""One real build of the sample portrait: what it reports, and its figures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import JOINT_NAMES, LAYERS
from likeness.engine.gaussians.lift.surface.limbs import HANDS
from likeness.engine.gaussians.polish.planes import seen_splats
from likeness.engine.imaging.matting import make_matte
from likeness.engine.pipeline.build import BuildResult, build_avatar, polish_avatar
from likeness.engine.pipeline.options import BuildOptions
from likeness.engine.pipeline.report import input_view_metrics
from likeness.engine.pipeline.track import track_portrait
from likeness.engine.render import best_backend

STAGES = ("load", "detect", "fit", "matte", "lift", "network", "order", "refine", "check")


@pytest.fixture(scope="module")
def reported() -> list[tuple[str, float, str]]:
    return []


@pytest.fixture(scope="module")
def built(small_portrait: Path, reported: list[tuple[str, float, str]]) -> BuildResult:
    def progress(stage: str, fraction: float, message: str) -> None:
        reported.append((stage, fraction, message))

    return build_avatar(small_portrait, BuildOptions(max_gaussians=20_000), progress)


def test_a_matte_begun_beside_the_fit_is_the_same(small_portrait: Path) -> None:
    tracked = track_portrait(small_portrait, matting=True)
    assert tracked.first_matte is not None
    begun, direct = (
        tracked.first_matte.result(60),
        make_matte(tracked.portrait, tracked.observation),
    )
    np.testing.assert_array_equal(begun.alpha, direct.alpha)
    np.testing.assert_array_equal(begun.foreground, direct.foreground)


@pytest.mark.soak
def test_polishing_changes_what_the_photo_does_not_show(built: BuildResult) -> None:
    avatar = built.avatar
    polished = polish_avatar(avatar)
    before, after = avatar.gaussians.colors, polished.gaussians.colors
    seen = seen_splats(avatar)
    assert 0.2 < (seen == 1.0).mean() < 0.9
    np.testing.assert_array_equal(after[seen == 1.0], before[seen == 1.0])
    change = np.abs(after - before)[seen < 0.05]
    assert 0.001 < change.mean() < 0.03
    figures = [input_view_metrics(one, built.matte, built.matte) for one in (avatar, polished)]
    assert figures[1]["foreground_psnr"] == pytest.approx(figures[0]["foreground_psnr"], abs=0.1)


@pytest.mark.slow
def test_the_report_is_complete_and_plain(built: BuildResult, small_portrait: Path) -> None:
    report = json.loads(json.dumps(built.report, allow_nan=False))
    assert report == built.report
    assert report.keys() == {
        "source",
        "version",
        "python",
        "size",
        "framing",
        "seconds",
        "peak_memory_mb",
        "gaussians",
        "face_error",
        "pose_error",
        "input_view",
        "warnings",
        "view",
        "lens",
        "joint_confidence",
        "unseen",
        "refine",
        "below",
        "held",
        "polish",
        "others",
        "network",
        "onnx",
        "gravity",
        "estimators",
    }
    assert report["view"] == "front"
    assert report["lens"]["source"] == "assumed"
    usual = 2 * np.degrees(np.arctan(0.5 / 1.6))
    assert usual - 1.0 < report["lens"]["fov"] < usual + 0.01  # a face just too large for that
    assert report["joint_confidence"].keys() == set(JOINT_NAMES)
    assert report["joint_confidence"]["head"] == 1.0
    assert {"left leg", "right leg"} <= set(report["unseen"])
    assert report["source"] == str(small_portrait)
    assert report["size"] == [320, 320]
    assert report["framing"] == built.track.framing == "half"
    assert report["refine"] == {"level": "fast", "backend": best_backend()}
    assert report["network"]["name"] == "small"
    assert report["network"]["folder"].endswith("default")
    assert report["seconds"].keys() == {*STAGES, "total"}
    parts = sum(report["seconds"][stage] for stage in STAGES)
    assert report["seconds"]["total"] == pytest.approx(parts, abs=0.01)
    assert report["peak_memory_mb"] is None or 50 < report["peak_memory_mb"] < 6000
    assert all(isinstance(w, str) for w in report["warnings"])


@pytest.mark.slow
def test_counts_and_figures_are_those_of_the_avatar(built: BuildResult) -> None:
    gaussians, report = built.avatar.gaussians, built.report
    assert report["gaussians"]["total"] == len(gaussians) <= 20_000
    for index, name in enumerate(LAYERS):
        assert report["gaussians"][name] == (gaussians.layer == index).sum() > 0
    assert report["face_error"] == pytest.approx(built.track.face_error, abs=0.006)
    assert 0 < report["face_error"] < 6
    # A helmet hides her left forearm, and the matte leaves it out: the sleeve is completed there.
    plain = input_view_metrics(built.avatar, built.matte)
    assert plain["completed"] == 0.0
    assert 0.0 < report["input_view"]["completed"] < 0.1
    assert report["input_view"]["foreground_psnr"] >= plain["foreground_psnr"]
    assert report["input_view"]["foreground_psnr"] > 26.38 - 0.5
    assert report["input_view"]["silhouette_iou"] > 0.995 - 0.01
    assert report["input_view"]["ssim"] > 0.955 - 0.01


@pytest.mark.slow
def test_the_avatar_is_the_persons_own(built: BuildResult, small_portrait: Path) -> None:
    avatar = built.avatar
    assert avatar.body.num_betas == 0
    provenance = json.loads(json.dumps(avatar.provenance))
    assert provenance["source"] == "small.png"
    assert provenance["sha256"] == hashlib.sha256(small_portrait.read_bytes()).hexdigest()
    options = asdict(BuildOptions(max_gaussians=20_000))
    assert not options.pop("settings"), "recorded only where something is set"
    assert provenance["options"] == json.loads(json.dumps(options))
    assert avatar.camera.width == built.portrait.rgb.shape[1]
    # The person is turned upright as a whole, and hands that the photo does not show are tucked
    # away.
    moved = (avatar.pose.full_pose != built.track.pose.full_pose).any(1)
    assert set(np.nonzero(moved)[0]) <= {0, *HANDS[0], *HANDS[1]}


@pytest.mark.slow
def test_progress_names_every_stage_in_turn(
    built: BuildResult, reported: list[tuple[str, float, str]]
) -> None:
    for end in (0.0, 1.0):  # the network tells several times that it is at its beginning
        assert list(dict.fromkeys(s for s, fraction, _ in reported if fraction == end)) == list(
            STAGES
        )
    assert all(message for _, fraction, message in reported if fraction == 0.0)


# Failures, with the slow stages replaced: what matters is what the pipeline makes of them.
