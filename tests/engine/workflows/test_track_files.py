"""What tracking writes, with the slow stages replaced."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.body_file import save_body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import JOINT_INDEX, LikenessError, Motion, Observation, Pose, Track
from likeness.engine.imaging.video import VideoReader
from likeness.engine.imaging.video_writer import VideoWriter
from likeness.engine.motion.io import load_motion
from likeness.engine.pipeline import track
from likeness.engine.pipeline.estimators import open_estimators
from likeness.engine.tracking import track_video as tracking_video
from likeness.engine.tracking.estimators import FileEstimator, KeypointEstimate
from likeness.engine.workflows import track_files
from likeness.engine.workflows.track_files import (
    TrackOptions,
    draw_tracked_video,
    summarize_track,
    track_to_files,
)
from PIL import Image

BODY = make_synthetic_body()
WIDTH, HEIGHT, RATE = 96, 128, 10.0


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "me.png"
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 128, np.uint8)).save(path)
    return path


@pytest.fixture
def body_file(tmp_path: Path) -> Path:
    save_body(BODY, tmp_path / "body.npz")
    return tmp_path / "body.npz"


def a_track() -> Track:
    """Everything but the left hand is seen."""
    confidence = np.ones(55)
    confidence[JOINT_INDEX["left_index1"] : JOINT_INDEX["right_index1"]] = 0.0
    pose = Pose.rest(BODY.num_expression)
    return Track(
        np.zeros(BODY.num_betas),
        replace(pose, transl=np.array([0.0, 0.0, -3.0])),
        photo_camera(160.0, WIDTH, HEIGHT),
        "half",
        confidence,
        2.0,
        3.0,
        ("from the fit",),
    )


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    told: dict[str, Any] = {"track": a_track(), "asked": []}
    seen = Observation(
        pose=np.zeros((33, 2)),
        pose_visibility=np.ones(33),
        pose_world=np.zeros((33, 3)),
        person_mask=np.ones((HEIGHT, WIDTH), np.float32),
        warnings=("from the detectors",),
    )

    def fit(
        observation: Any,
        portrait: Any,
        body: Any,
        fov: float | None,
        estimators: Any,
        pitch: float | None,
    ) -> Track:
        told["asked"].append(fov)
        told["pitch"] = pitch
        told["estimators"] = estimators
        return told["track"]

    monkeypatch.setattr(track, "Detectors", lambda folder: None)
    monkeypatch.setattr(track, "asset_path", lambda name: Path(name))
    monkeypatch.setattr(track, "observe", lambda photo, detectors, person: seen)
    monkeypatch.setattr(track, "fit_body", fit)
    return told


def test_a_photo(stages: dict[str, Any], photo: Path, body_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "deep" / "m.npz"
    files = track_to_files(photo, out, overlay=tmp_path / "o.jpg", body_path=body_file)
    motion = load_motion(out, BODY.num_expression)
    assert len(motion) == len(files.motion) == 1
    assert motion.warnings == ("from the detectors", "from the fit")
    np.testing.assert_allclose(motion.joint_confidence[0], stages["track"].joint_confidence)
    with Image.open(tmp_path / "o.jpg") as image:
        assert image.size == (WIDTH, HEIGHT)
        assert np.asarray(image).std() > 5
    with np.load(out) as file:
        assert (str(file["source"]), str(file["lens"])) == ("me.png", "assumed")


def test_the_report_is_plain_and_the_summary_tells_what_counts(
    stages: dict[str, Any], photo: Path, body_file: Path, tmp_path: Path
) -> None:
    files = track_to_files(photo, tmp_path / "m.npz", body_path=body_file)
    report = json.loads(json.dumps(files.report, allow_nan=False))
    assert report == files.report
    assert (report["kind"], report["frames"], report["tracked"]) == ("photo", 1, 1)
    assert report["unseen"] == ["left hand"]
    assert report["lens"] == {"source": "assumed", "fov": pytest.approx(43.6, abs=0.1)}
    assert report["seconds"].keys() == {"load", "detect", "fit", "total"}
    assert summarize_track(files) == (
        f"{tmp_path / 'm.npz'}: half body from the front; face within 2.0 % of the eye distance; "
        "body points within 3.0 px of 512; left hand not seen; lens assumed, 44 degrees"
    )


def test_pairs_of_unseen_parts_are_one_word(
    stages: dict[str, Any], photo: Path, body_file: Path, tmp_path: Path
) -> None:
    stages["track"] = replace(
        stages["track"],
        joint_confidence=np.zeros(55),
        face_error=None,
        pose_error=None,
        framing="head",
        view="back",
    )
    files = track_to_files(photo, tmp_path / "m.npz", body_path=body_file)
    assert summarize_track(files).endswith(
        ": head and shoulders from behind; face, hips, arms, hands and legs not seen; "
        "lens assumed, 44 degrees"
    )


def test_options_reach_the_fit(
    stages: dict[str, Any], photo: Path, body_file: Path, tmp_path: Path
) -> None:
    paths = (tmp_path / "a.npz", tmp_path / "b.json")
    np.savez(paths[0], body_pose=np.zeros(63))
    paths[1].write_text('{"rotvec": [0]}')
    options = TrackOptions(fov=50.0, camera_pitch=-7.0, estimates=paths)
    files = track_to_files(photo, tmp_path / "m.npz", options, body_path=body_file)
    assert (stages["asked"], stages["pitch"]) == ([50.0], -7.0)
    assert [estimator.path.name for estimator in stages["estimators"]] == ["a.npz", "b.json"]
    assert files.report["lens"]["source"] == "given"


def test_sapiens_sees_photos(stages: dict[str, Any], video: Path, tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="photos"):
        track_to_files(video, tmp_path / "m.npz", TrackOptions(sapiens=Path("weights")))


def test_the_photo_s_name_finds_its_estimate() -> None:
    files = ("poses/{name}.npz", "b.json")
    found = open_estimators(files, "smplx.npz", None, Path("x/anna.v2.jpg")).poses
    assert [estimator.path for estimator in found] == [Path("poses/anna.v2.npz"), Path("b.json")]
    assert {estimator.smplx for estimator in found} == {Path("smplx.npz")}


def test_every_frame_has_its_estimate() -> None:
    one = FileEstimator(Path("o/{frame}.npz")).of_frame(12)
    assert (one.path, one.frame) == (Path("o/000012.npz"), 0)
    motion = FileEstimator(Path("m.npz")).of_frame(12)
    assert (motion.path, motion.frame, motion.kind) == (Path("m.npz"), 12, "motion")


def test_sapiens_keypoints_stand_in_for_the_detectors(
    stages: dict[str, Any],
    photo: Path,
    body_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []

    class Model:
        def __init__(self, folder: str) -> None:
            asked.append(folder)

        def keypoints(self, portrait: Any, observation: Any) -> KeypointEstimate:
            return KeypointEstimate("model", np.full((33, 2), 7.0), np.full(33, 0.9))

    module = ModuleType("sapiens")
    module.SapiensKeypoints = Model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "likeness.engine.tracking.estimators.sapiens", module)
    fit = track.fit_body

    def remember(observation: Any, *args: Any, **options: Any) -> Track:
        asked.append(observation)
        return fit(observation, *args, **options)

    monkeypatch.setattr(track, "fit_body", remember)
    options = TrackOptions(sapiens=Path("weights"))
    track_to_files(photo, tmp_path / "m.npz", options, body_path=body_file)
    assert asked[0] == "weights"
    np.testing.assert_array_equal(asked[1].pose, 7.0)


def test_sapiens_without_torch_says_so(
    stages: dict[str, Any],
    photo: Path,
    body_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "likeness.engine.tracking.estimators.sapiens", None)
    options = TrackOptions(sapiens=Path("weights"))
    with pytest.raises(LikenessError, match=r"torch.*\.\[sapiens\]"):
        track_to_files(photo, tmp_path / "m.npz", options, body_path=body_file)


@pytest.mark.parametrize(
    ("out", "overlay", "message"),
    [
        ("m.json", None, "not a motion file"),
        ("m.npz", "o.mp4", "overlay of a photo"),
        ("m.npz", "o", "overlay of a photo"),
        ("m.npz", "me.png", "the input itself"),
        ("folder.npz", None, "is a folder"),
        ("taken/m.npz", None, "is a file, not a folder"),
        ("m.npz", "taken/o.png", "is a file, not a folder"),
    ],
)
def test_targets_that_cannot_be(
    stages: dict[str, Any], photo: Path, tmp_path: Path, out: str, overlay: str | None, message: str
) -> None:
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "taken").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LikenessError, match=message) as caught:
        track_to_files(photo, tmp_path / out, overlay=tmp_path / overlay if overlay else None)
    assert caught.value.remedy
    assert sorted(tmp_path.rglob("*")) == before
    assert not stages["asked"], "said before the work"


def test_a_failure_leaves_what_was_there(
    stages: dict[str, Any],
    photo: Path,
    body_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, overlay = tmp_path / "m.npz", tmp_path / "o.png"
    out.write_text("old motion")
    overlay.write_text("old overlay")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(track_files, "save_image", full)
    with pytest.raises(LikenessError, match="No space"):
        track_to_files(photo, out, overlay=overlay, body_path=body_file)
    assert (out.read_text(), overlay.read_text()) == ("old motion", "old overlay")
    monkeypatch.setattr(track_files, "track_to_motion", full)
    with pytest.raises(OSError, match="No space"):
        track_to_files(photo, tmp_path / "new" / "m.npz", body_path=body_file)
    assert {p.name for p in tmp_path.iterdir()} == {"m.npz", "o.png", "me.png", "body.npz"}


# Videos -------------------------------------------------------------------------------------


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Six frames, each of its own grey."""
    pytest.importorskip("av")
    with VideoWriter(tmp_path / "me.mp4", WIDTH, HEIGHT, RATE) as writer:
        for index in range(6):
            writer.write(np.full((HEIGHT, WIDTH, 3), 60 + 30 * index, np.uint8))
    return tmp_path / "me.mp4"


def a_motion(states: list[int]) -> Motion:
    one = Motion.of_track(a_track(), RATE)
    count = len(states)
    repeated = {
        name: np.repeat(getattr(one, name), count, axis=0)
        for name in (
            "full_pose",
            "transl",
            "expression",
            "joint_confidence",
            "shot",
            "face_error",
            "pose_error",
        )
    }
    repeated["joint_confidence"] = np.ones((count, 55))
    return replace(one, frame_state=np.array(states, np.uint8), **repeated)


def corner_and_body(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Of each frame, the grey of a corner and the colour of the belly."""
    frames = list(VideoReader(path))
    return (
        [float(f.rgb[:8, :8].mean()) for f in frames],
        [
            f.rgb[HEIGHT // 2 - 3 : HEIGHT // 2, WIDTH // 2 - 2 : WIDTH // 2 + 2].mean((0, 1))
            for f in frames
        ],
    )


def test_the_overlay_of_a_video(video: Path, tmp_path: Path) -> None:
    """Tracked frames are blue, bridged ones orange, lost ones as they were."""
    target = tmp_path / "o.mp4"
    draw_tracked_video(video, a_motion([0, 1, 2, 0, 0]), BODY, target)
    corners, bodies = corner_and_body(target)
    np.testing.assert_allclose(corners, [(60 + 30 * i) / 255 for i in range(5)], atol=0.03)
    assert bodies[0][2] > bodies[0][0] + 0.08
    assert bodies[1][0] > bodies[1][2] + 0.08
    np.testing.assert_allclose(bodies[2], corners[2], atol=0.04)
    assert bodies[3][2] > bodies[3][0] + 0.08


def test_an_overlay_from_the_middle_of_a_video(video: Path, tmp_path: Path) -> None:
    draw_tracked_video(video, a_motion([0, 0]), BODY, tmp_path / "o.mp4", first=3)
    corners, _ = corner_and_body(tmp_path / "o.mp4")
    np.testing.assert_allclose(corners, [150 / 255, 180 / 255], atol=0.03)


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A stand-in for tracking a video, which keeps a checkpoint and may be told to fail."""
    told: dict[str, Any] = {"fail": False}

    def track_video(path: Path, body: Any, detectors: Any, **options: Any) -> Motion:
        told.update(options, found=options["checkpoint"].exists())
        options["checkpoint"].write_text("half of it")
        options["progress"]("shape", 1.0, "")
        options["progress"]("track", 0.5, "frame 3 of 6")
        if told["fail"]:
            raise KeyboardInterrupt
        options["checkpoint"].unlink()
        return a_motion([0, 0, 1, 2, 2, 0])

    monkeypatch.setattr(tracking_video, "track_video", track_video)
    monkeypatch.setattr(track_files, "Detectors", lambda folder: None)
    monkeypatch.setattr(track_files, "asset_path", lambda name: Path(name))
    return told


def test_a_video(tracker: dict[str, Any], video: Path, body_file: Path, tmp_path: Path) -> None:
    shown: list[tuple[str, float]] = []
    options = TrackOptions(person=1, fov=40.0, start=0.5, end=9.0, max_frames=7)
    files = track_to_files(
        video,
        tmp_path / "m.npz",
        options,
        body_path=body_file,
        progress=lambda stage, fraction, message: shown.append((stage, fraction)),
    )
    assert tracker["person"] == 0  # counted from 1 outside
    for name in ("fov", "start", "end", "max_frames"):
        assert tracker[name] == getattr(options, name)
    counts = {key: files.report[key] for key in ("kind", "frames", "tracked", "bridged", "lost")}
    assert counts == {"kind": "video", "frames": 6, "tracked": 3, "bridged": 1, "lost": 2}
    assert "6 frames at 10/s (3 tracked, 1 bridged, 2 lost)" in summarize_track(files)
    assert len(load_motion(tmp_path / "m.npz", BODY.num_expression)) == 6
    tracking = [fraction for stage, fraction in shown if stage == "track"]
    assert tracking == sorted(tracking)
    assert (tracking[0], tracking[-1]) == (0.0, 1.0)
    assert [stage for stage, fraction in shown if fraction == 1.0] == ["load", "track"]


def test_an_interrupted_video_goes_on_or_begins_anew(
    tracker: dict[str, Any], video: Path, body_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "m.npz"
    tracker["fail"] = True
    for resume, found in ((True, False), (True, True), (False, False)):
        with pytest.raises(KeyboardInterrupt):
            track_to_files(video, out, TrackOptions(resume=resume), body_path=body_file)
        assert tracker["found"] is found
        assert [p.name for p in out.parent.iterdir()] == ["m.resume.npz"]
    tracker["fail"] = False
    track_to_files(video, out, body_path=body_file)
    assert [p.name for p in out.parent.iterdir()] == ["m.npz"]


def test_a_video_without_an_overlay_that_can_be_written_keeps_its_motion(
    tracker: dict[str, Any],
    video: Path,
    body_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise LikenessError("No room for the overlay.", "Make room.")

    monkeypatch.setattr(track_files, "draw_tracked_video", full)
    overlay = tmp_path / "o.mp4"
    overlay.write_text("old")
    with pytest.raises(LikenessError, match="No room"):
        track_to_files(video, tmp_path / "m.npz", overlay=overlay, body_path=body_file)
    assert overlay.read_text() == "old"
    assert len(load_motion(tmp_path / "m.npz", BODY.num_expression)) == 6
