"""A face in real time: weights, head and eyes from landmarks that the body itself is drawn with."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import FloatArray, LikenessError, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.imaging.video import VideoReader
from likeness.engine.imaging.video_writer import VideoWriter
from likeness.engine.tracking import live_source
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.tracking.detectors.face_mesh import FaceLandmarks
from likeness.engine.tracking.live_face import NEUTRAL_FRAMES, FaceFollower, FaceSolver, LiveFace
from likeness.engine.tracking.live_source import open_live_source
from PIL import Image

NAMES = list(ARKIT_EXPRESSIONS)


def photograph(
    body: Body, weights: dict[str, float], turn: FloatArray | None = None, size: float = 2000.0
) -> FaceLandmarks:
    """Landmarks of the body's own head, seen from far away."""
    pose = Pose.rest(body.num_expression)
    pose.expression[:] = body.expression(**weights)
    vertices, _ = body.vertices(pose)
    marks = body.landmarks
    assert marks is not None
    points = np.einsum("kc,kcd->kd", marks.face_bary, vertices[body.f[marks.face_triangle]])
    points = points - points[1]
    if turn is not None:
        points = points @ axis_angle_to_matrix(turn).T
    pixels = size * points[:, :2] * [1, -1] + [320, 240]
    return FaceLandmarks(pixels, -size * points[:, 2], 1.0)


def follow(solver: FaceSolver, face: FaceLandmarks, times: int = 25) -> LiveFace:
    for _ in range(times):
        out = solver.solve(face)
    return out


def calibrated(body: Body) -> FaceSolver:
    solver = FaceSolver(body)
    assert follow(solver, photograph(body, {}), NEUTRAL_FRAMES).calibrating
    return solver


@pytest.mark.parametrize(
    "name",
    ["jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "eyeBlinkLeft", "browInnerUp"],
)
def test_an_action_is_found_and_no_other_is_stronger(default_body: Body, name: str) -> None:
    solver = calibrated(default_body)
    rest = follow(solver, photograph(default_body, {}))
    assert not rest.calibrating
    assert rest.weights.max() < 0.02
    shown = follow(solver, photograph(default_body, {name: 0.35}))
    assert NAMES[int(shown.weights.argmax())] == name
    # Landmarks of the network move less than those of the body: gains make up for it.
    assert 0.3 < shown.weights.max() <= 1.0


@pytest.mark.parametrize("turn", [(0.0, 0.3, 0.0), (0.15, 0.0, 0.0), (0.0, 0.0, -0.2)])
def test_the_head_turns_from_its_neutral_pose(
    default_body: Body, turn: tuple[float, float, float]
) -> None:
    solver = calibrated(default_body)
    shown = follow(solver, photograph(default_body, {}, np.array(turn), 1700.0))
    np.testing.assert_allclose(shown.head, turn, atol=0.06)


def test_neutral_is_taken_anew(default_body: Body) -> None:
    solver = calibrated(default_body)
    smiling = photograph(default_body, {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5})
    assert follow(solver, smiling).weights.max() > 0.4
    solver.calibrate()
    assert solver.solve(smiling).calibrating
    assert follow(solver, smiling).weights.max() < 0.02


def test_irises_turn_the_eyes(default_body: Body) -> None:
    solver = calibrated(default_body)
    face = photograph(default_body, {})
    points = face.landmarks.copy()
    points[468:, 0] += 2000 * 0.0118 * np.sin(0.2)  # to the right in the picture: its own left
    shown = follow(solver, FaceLandmarks(points, face.z, 1.0))
    for eye in (shown.left_eye, shown.right_eye):
        np.testing.assert_allclose(eye, [0.0, 0.2, 0.0], atol=0.02)
    assert shown.weights[NAMES.index("eyeLookOutLeft")] == pytest.approx(0.2 / 0.52, abs=0.05)
    assert shown.weights[NAMES.index("eyeLookInRight")] == pytest.approx(0.2 / 0.52, abs=0.05)


def test_bodies_without_landmarks_are_refused() -> None:
    with pytest.raises(LikenessError, match="landmarks") as caught:
        FaceSolver(replace(make_synthetic_body(), landmarks=None))
    assert caught.value.remedy


def test_a_photograph_is_followed_and_lost(default_body: Body, sample_portrait: Path) -> None:
    try:
        folder = asset_path("pose_landmark").parent
    except LikenessError as error:
        pytest.skip(str(error))
    rgb = np.asarray(Image.open(sample_portrait).convert("RGB"), np.float32) / 255
    follower = FaceFollower(default_body, Detectors(folder))
    faces = [follower.follow(rgb) for _ in range(NEUTRAL_FRAMES + 3)]
    assert [face is not None and face.calibrating for face in faces].count(True) == NEUTRAL_FRAMES
    last = faces[-1]
    assert last is not None
    assert last.weights.max() < 0.1  # a still picture is its own neutral
    nobody = np.zeros_like(rgb)
    assert [follower.follow(nobody) for _ in range(3)] == [None] * 3


def test_videos_come_at_their_own_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a computer that takes too long, pictures are left out."""
    pytest.importorskip("av")
    with VideoWriter(tmp_path / "a.mp4", 64, 64, 20.0) as writer:
        for k in range(30):
            writer.write(np.full((64, 64, 3), k / 30, np.float32))
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(live_source.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(live_source.time, "sleep", sleep)
    quick = [picture.seconds for picture in open_live_source(str(tmp_path / "a.mp4"))]
    np.testing.assert_allclose(quick, np.arange(30) / 20, atol=1e-6)
    assert clock[0] == pytest.approx(29 / 20)
    slow, made = [], []
    make = VideoReader._picture
    monkeypatch.setattr(
        VideoReader, "_picture", lambda self, raw: made.append(raw.time) or make(self, raw)
    )
    for picture in open_live_source(str(tmp_path / "a.mp4")):
        slow.append(picture.seconds)
        clock[0] += 0.12
    assert 10 <= len(slow) <= 16
    assert np.diff(slow).max() < 0.2
    assert made == pytest.approx(slow)  # what is left out is never converted


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with pytest.raises(LikenessError, match=r"missing\.mp4"):
        open_live_source(str(tmp_path / "missing.mp4"))
    with pytest.raises(LikenessError, match="camera '77' cannot be opened") as caught:
        open_live_source("camera:77")
    assert "record a video" in caught.value.remedy


class Camera:
    """A container that gives a video's packets, one in so many seconds, until its cable is pulled.

    Attributes:
        given: the packets so far.
        closed: whether it was closed.
    """

    def __init__(self, video: Path, seconds: float, count: int) -> None:
        self._container = pytest.importorskip("av").open(str(video))
        self._seconds, self._count = seconds, count
        self.streams = self._container.streams
        self.given = 0
        self.closed = False

    def demux(self, stream: object) -> Iterator[object]:
        import av

        for packet in itertools.islice(self._container.demux(stream), self._count):
            time.sleep(self._seconds)
            self.given += 1
            yield packet
        raise av.ExternalError(0, "No such device")

    def close(self) -> None:
        self._container.close()
        self.closed = True


def _motion_jpeg(path: Path, count: int) -> Path:
    """Pictures that get brighter, each decoded without the others, as cameras give them."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=20)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        for k in range(count):
            grey = np.full((64, 64, 3), 255 * k // count, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", ["avi", "mp4"])
def test_a_camera_gives_its_newest_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """In MPEG-4, each picture needs those before it."""
    path = tmp_path / f"camera.{suffix}"
    if suffix == "avi":
        _motion_jpeg(path, 40)
    else:
        with VideoWriter(path, 64, 64, 20.0) as writer:
            for k in range(40):
                writer.write(np.full((64, 64, 3), k / 40, np.float32))
    camera = Camera(path, 0.01, 40)
    monkeypatch.setattr(live_source, "_open_camera", lambda name: live_source._FfmpegCamera(camera))
    pictures = open_live_source("camera:0")
    next(pictures)
    time.sleep(0.2)  # a tracker that takes as long as many pictures
    before = camera.given
    assert before >= 8
    seen = float(next(pictures).rgb.mean()) * 40
    lag = 0 if suffix == "avi" else 5  # pictures that the decoder holds back to sort them
    assert before - 3 - lag <= seen <= camera.given
    pictures.close()
    assert camera.closed


def test_a_camera_that_stops_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when its cable is pulled, after three pictures."""
    camera = Camera(_motion_jpeg(tmp_path / "camera.avi", 6), 0.2, 3)
    monkeypatch.setattr(live_source, "_open_camera", lambda name: live_source._FfmpegCamera(camera))
    pictures = open_live_source("camera:0")
    assert [next(pictures).rgb.shape for _ in range(3)] == [(64, 64, 3)] * 3
    with pytest.raises(LikenessError, match=r"camera '0' gives no more.*No such device") as caught:
        next(pictures)
    assert "cable" in caught.value.remedy
    assert camera.closed
