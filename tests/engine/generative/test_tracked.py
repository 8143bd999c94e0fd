"""From a clip and turned pictures of a synthetic person to a subject, and what is refused.

The clip's motion is given as the truth: following a person through a clip has its own tests, and
takes a minute. Everything else is as in a run: detectors, the fit of the turned pictures, mattes,
checks, shards.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import project
from likeness.engine.core.types import JOINT_INDEX, Camera, Motion, Track
from likeness.engine.dataset.shards import read_subjects
from likeness.engine.evaluation.people.person import RandomPerson, random_person
from likeness.engine.evaluation.people.person_render import PersonScene, make_scene
from likeness.engine.files.weights import asset_path
from likeness.engine.generative import subject_tracking
from likeness.engine.generative.clip_generation import write_clip
from likeness.engine.generative.compose import Prompt, compose_prompt
from likeness.engine.generative.prompt_store import PromptStore
from likeness.engine.generative.quality_filters import RejectedSampleError
from likeness.engine.generative.subject_tracking import (
    SubjectTracker,
    choose_frames,
    choose_reference,
    crop_person,
    make_tracked_subject,
)
from likeness.engine.generative.vocabulary import load_vocabulary
from likeness.engine.synth.figure import SynthContext
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.tracking.estimators import FileEstimator
from PIL import Image

pytestmark = pytest.mark.usefixtures("quick_people")

YAWS = (-4.0, 0.0, 5.0)  # of the clip's frames
TURNED = {"right": -90.0, "back": 0.0}  # the "back" is none


@dataclass
class Filmed:
    """A synthetic person, the clip of them and pictures from the side."""

    person: RandomPerson
    scene: PersonScene
    clip: Path
    turned: dict[str, Path]
    body: Body
    motion: Motion


def swung(person: RandomPerson, scene: PersonScene, yaw: float) -> Camera:
    """The person's camera, carried about them by ``yaw`` degrees to their left."""
    a = np.radians(yaw)
    R = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    centre = scene.posed.joints[JOINT_INDEX["spine3"]]
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = R, centre - R @ centre
    camera = person.camera  # even sides, as videos have them
    return Camera(camera.viewmat @ move, camera.K, camera.width & ~1, camera.height & ~1)


@pytest.fixture(scope="module")
def filmed(synth_world: SynthContext, tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    folder = tmp_path_factory.mktemp("filmed")
    people = (
        random_person(synth_world, rng, framing="half", yaw=0.0, fov=35.0)
        for rng in (np.random.default_rng([5, number]) for number in range(50))
    )
    person = next(p for p in people if p.anchor in ("standing", "wide", "A-pose", "waving"))
    scene = make_scene(synth_world, person)

    def picture(yaw: float) -> np.ndarray:
        camera = swung(person, scene, yaw)
        behind = scene.behind[: camera.height, : camera.width]
        rgb, _ = scene.draw_over(camera, behind)
        return np.rint(255 * np.clip(rgb, 0, 1)).astype(np.uint8)

    clip = folder / "clip.mp4"
    write_clip(clip, np.stack([picture(yaw) for yaw in YAWS]), 24.0)
    turned = {side: folder / f"{side}.png" for side in TURNED}
    for side, yaw in TURNED.items():
        Image.fromarray(picture(yaw)).save(turned[side])
    still = Motion.of_track(
        Track(
            person.betas,
            person.pose,
            swung(person, scene, 0.0),
            "half",
            np.ones(55),
            face_error=2.0,
            pose_error=3.0,
        )
    )
    motion = replace(
        still,
        full_pose=np.repeat(still.full_pose, len(YAWS), 0),
        transl=np.repeat(still.transl, len(YAWS), 0),
        expression=np.repeat(still.expression, len(YAWS), 0),
        joint_confidence=np.repeat(still.joint_confidence, len(YAWS), 0),
        frame_state=np.zeros(len(YAWS), np.uint8),
        shot=np.zeros(len(YAWS), np.int32),
        face_error=np.full(len(YAWS), 2.0),
        pose_error=np.full(len(YAWS), 3.0),
    )
    return Filmed(person, scene, clip, turned, synth_world.dress.body, motion)


@pytest.fixture(scope="module")
def detectors() -> Detectors:
    return Detectors(asset_path("pose_landmark").parent)


@pytest.fixture(scope="module")
def prompt() -> Prompt:
    return compose_prompt(4, 0, load_vocabulary())


def test_a_person_becomes_a_subject(
    filmed: Filmed,
    detectors: Detectors,
    prompt: Prompt,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Path] = []

    def tracked(*given: object, estimators: tuple[FileEstimator, ...]) -> Motion:
        told.extend(one.path for one in estimators)
        return filmed.motion

    monkeypatch.setattr(subject_tracking, "track_video", tracked)
    number, rgb = choose_reference(filmed.clip, prompt, detectors)
    assert rgb.shape == (filmed.motion.camera.height, filmed.motion.camera.width, 3)
    poses = (str(tmp_path / "{name}.npz"),)
    tracker = SubjectTracker(filmed.body, detectors, frames=1, size=192, estimator=poses)
    subject, left_out = make_tracked_subject(
        prompt, filmed.clip, number, filmed.turned, tracker, {"video": {"model": "stand-in"}}
    )
    assert told == [tmp_path / f"{filmed.clip.stem}.npz"]
    # The picture that should show the back shows the front, and is left out by its reason.
    assert [line.partition(":")[0] for line in left_out] == ["back"], left_out
    assert "azimuth" in left_out[0]
    assert [view.name for view in subject.views] == ["frame_00", "right"]
    assert [view.kind for view in subject.views] == ["front", "side"]
    assert subject.views[1].azimuth == pytest.approx(-90, abs=5)
    assert (subject.source, subject.framing, subject.key) == (
        "generated",
        "half",
        "generated_000004",
    )
    assert subject.facts["prompt"] == prompt.text
    assert subject.facts["split"] == "train"  # the fifth of twenty
    assert subject.facts["video"] == {"model": "stand-in"}

    store = PromptStore(tmp_path / "data")
    store.keep(prompt, subject)
    (shard,) = store.pack([prompt], per_shard=8)
    skipped: list[object] = []
    (stored,) = read_subjects(str(shard), filmed.body.num_betas, 52, skipped.append)
    assert not skipped
    assert stored.identity == subject.identity
    for row, view in enumerate(stored.views):
        vertices, _ = filmed.body.vertices(stored.pose(row), stored.betas)
        assert covered(view.rgba()[..., 3], vertices, view.camera) > 0.85
    written = shard.stat().st_mtime_ns
    store.pack([prompt], per_shard=8)
    assert shard.stat().st_mtime_ns == written


def covered(alpha: np.ndarray, vertices: np.ndarray, camera: Camera) -> float:
    """Share of the body's points that lie on the person, of those in the person's box: beyond it
    the picture that was cut out ended."""
    pixels, _ = project(vertices, camera)
    rows, columns = (np.flatnonzero((alpha > 0.5).any(axis)) for axis in (1, 0))
    low, high = (columns[0], rows[0]), (columns[-1], rows[-1])
    inside = ((pixels > low) & (pixels < high)).all(1)
    columns, rows = pixels[inside].astype(int).T
    return float((alpha[rows, columns] > 0.5).mean())


def test_noise_is_refused(detectors: Detectors, prompt: Prompt, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (5, 96, 96, 3), dtype=np.uint8)
    write_clip(tmp_path / "noise.mp4", noise, 24.0)
    with pytest.raises(RejectedSampleError) as error:
        choose_reference(tmp_path / "noise.mp4", prompt, detectors)
    assert error.value.reason == "nobody"


@pytest.mark.soak  # noise is refused where a reference is chosen, which comes before
def test_noise_cannot_be_tracked(
    filmed: Filmed, detectors: Detectors, prompt: Prompt, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (5, 96, 96, 3), dtype=np.uint8)
    write_clip(tmp_path / "noise.mp4", noise, 24.0)
    with pytest.raises(RejectedSampleError) as error:
        make_tracked_subject(
            prompt, tmp_path / "noise.mp4", 0, {}, SubjectTracker(filmed.body, detectors), {}
        )
    assert error.value.reason == "nobody"


def test_frames_are_chosen_that_differ(filmed: Filmed) -> None:
    count = 6
    full_pose = np.zeros((count, 55, 3))
    full_pose[:, 18, 1] = [0.0, 0.1, 0.2, 1.0, 0.9, -0.6]
    states = np.array([0, 0, 0, 1, 0, 0], np.uint8)  # the one that differs most is a guess
    motion = replace(
        filmed.motion, full_pose=full_pose, frame_state=states, transl=np.zeros((count, 3))
    )
    assert choose_frames(motion, 0, 3) == [0, 4, 5]
    assert sorted(choose_frames(motion, 1, 9)) == [0, 1, 2, 4, 5]


def test_the_crop_s_camera_sees_the_same(filmed: Filmed) -> None:
    camera = Camera(
        np.diag([1.0, -1.0, -1.0, 1.0]),
        np.array([[300.0, 0, 64], [0, 300, 48], [0, 0, 1]]),
        128,
        96,
    )
    rgba = np.zeros((96, 128, 4), np.float32)
    rgba[30:96, 50:90] = [0.2, 0.4, 0.6, 1.0]
    rgba[59:62, 69:72, :3] = 1.0  # a mark
    small, moved = crop_person(rgba, camera, 142)
    assert small.shape == (142, 142, 4)
    point = np.array([(70.5 - 64) / 300, -(60.5 - 48) / 300, -1.0])
    assert project(point, camera)[0] == pytest.approx([70.5, 60.5])
    x, y = project(point, moved)[0]
    assert small[int(y), int(x), :3].min() > 0.9
    solid = small[..., 3] > 0.5
    assert 0.85 < solid.any(1).mean() < 0.95  # the longer side with its margin
    # At the mask's edges the colours stay: straight alpha.
    edge = (small[..., 3] > 0.1) & (small[..., 3] < 0.9)
    assert edge.any()
    assert small[edge][:, :3] == pytest.approx(np.tile([0.2, 0.4, 0.6], (edge.sum(), 1)), abs=0.02)


def test_views_are_png_with_alpha(filmed: Filmed) -> None:
    rgba = np.zeros((8, 8, 4), np.float32)
    rgba[2:6, 2:6] = 1.0
    picture = Image.open(io.BytesIO(subject_tracking.encode_rgba(rgba)))
    assert picture.mode == "RGBA"
