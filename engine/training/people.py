"""Rendered people as training subjects, by the quickest honest means: our own rasteriser.

The people are those on whom the product is measured (``evaluation/people``): a random body in a
random pose, dressed from an asset library in MakeHuman's layout or painted, lit by two lights and
the sky. Each is drawn in one pose by cameras all around.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np

from ..cameras import focal_length, intrinsics, look_at, project
from ..evaluation.people.person import SKIRTS, Person, random_person
from ..evaluation.people.render import Scene, draw_scene, make_scene
from ..people.dress import DressBody
from ..people.library import Library
from ..types import JOINT_INDEX, BoolArray, Camera, FloatArray, Progress
from .pairs import azimuth_of, kind_of
from .shards import ShardWriter, Subject, View, encode_rgba

SHOWN = ("full", "half")
"""Framings in turn: the paper's views are mostly of the upper body."""

HELD_OUT_EVERY, HELD_OUT_FIRST = 4, 1
"""Every fourth view is kept from training, from the second on: one nearly in front, one from
each side, one from behind when there are 16."""

_FOV = 32.0  # degrees
_FILL = 0.88  # of the picture that the person takes up
_PITCHES = (0.0, 12.0, -6.0, 22.0, 5.0)  # degrees in turn; five shares no divisor with 4
_JITTER = 0.25  # of the distance between neighbouring views, and of 12 degrees of pitch
_TRUNK = (
    "pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar", "left_shoulder",
    "right_shoulder", "neck", "head", "jaw",
)  # fmt: skip
_ARMS_OFF = ("standing", "wide", "contrapposto", "A-pose", "one hand on hip", "waving")
"""Poses whose arms stand off the trunk, so that views from all sides see most of it."""


def rendered_subject(
    number: int,
    dress: DressBody,
    library: Library | None,
    seed: int,
    views: int = 16,
    size: int = 384,
) -> Subject:
    """Make person ``number`` up and draw them from all around.

    Args:
        dress: the default body with garment helpers. library: None draws a painted body.
        views: how many, evenly about the person, at several heights.
        size: pixels along each side of the pictures.
    """
    framing = SHOWN[number % len(SHOWN)]
    person = _somebody(number, dress, library, seed, framing)
    rng = np.random.default_rng([seed, number, 1])
    scene = make_scene(dress, person, library, rng)
    rows = _framed(scene, person)
    front = _heading(dress, person)
    out = []
    for k in range(views):
        step = 360.0 / views
        yaw = front + step * (k + _JITTER * rng.uniform(-1, 1))
        pitch = _PITCHES[k % len(_PITCHES)] + 12.0 * _JITTER * rng.uniform(-1, 1)
        camera = _camera(scene.posed.vertices[rows], yaw, pitch, size)
        azimuth = azimuth_of(dress.body, person.betas, person.pose, camera)
        held_out = k % HELD_OUT_EVERY == HELD_OUT_FIRST
        out.append(
            View(
                f"view_{k:02d}", 0, kind_of(azimuth), azimuth, camera, held_out,
                encode_rgba(straight(scene, camera)),
            )
        )  # fmt: skip
    return Subject(
        key=f"person_{number:06d}",
        source="rendered",
        framing=framing,
        seed=seed,
        betas=person.betas,
        full_pose=person.pose.full_pose[None],
        transl=person.pose.transl[None],
        expression=person.pose.expression[None],
        views=tuple(out),
    )


def _somebody(
    number: int, dress: DressBody, library: Library | None, seed: int, framing: str
) -> Person:
    """Nobody in a skirt: the lift makes a mesh of its own for it, training knows the body's."""
    for attempt in count():
        rng = np.random.default_rng([seed, number, 0, attempt])
        yaw = float(rng.uniform(-25.0, 25.0))
        person = random_person(dress.body, rng, library, framing=framing, yaw=yaw, fov=_FOV)
        outfit = None if library is None else library.outfits[person.looks.outfit].stem
        if person.anchor in _ARMS_OFF and outfit not in SKIRTS:
            return person
    raise AssertionError("count() does not end")


def _heading(dress: DressBody, person: Person) -> float:
    """Degrees about +y to which the trunk faces."""
    _, _, R, _ = dress.body.rest_and_transforms(person.pose, person.betas)
    chest = R[JOINT_INDEX["spine3"]]
    return float(np.degrees(np.arctan2(chest[0, 2], chest[2, 2])))


def _framed(scene: Scene, person: Person) -> BoolArray:
    """The vertices that the pictures are about: all, or head and trunk; arms may leave the
    picture."""
    vertices = scene.posed.vertices
    if person.framing == "full":
        return np.ones(len(vertices), bool)
    strongest = scene.posed.dress.body.weights.argmax(1)
    trunk: BoolArray = np.isin(strongest, [JOINT_INDEX[name] for name in _TRUNK])
    return trunk


def _camera(points: FloatArray, yaw: float, pitch: float, size: int) -> Camera:
    """A camera that looks at the middle of ``points`` [N, 3] and is filled by them."""
    centre = (points.min(0) + points.max(0)) / 2
    K = intrinsics(focal_length(_FOV, size, size), size, size)
    distance = 2.5 * float(np.ptp(points, axis=0).max())
    for _ in range(8):
        camera = Camera(look_at(centre, distance, yaw, pitch), K, size, size)
        reach = np.abs(project(points, camera)[0] - size / 2).max() / (size / 2)
        distance *= float(reach) / _FILL
    return camera


def straight(scene: Scene, camera: Camera) -> FloatArray:
    """[H, W, 4] the person without a background, colours not multiplied by alpha."""
    nothing = np.zeros((camera.height, camera.width, 3))
    light, alpha, _ = draw_scene(scene, camera, nothing)
    colors = np.where(alpha[..., None] > 1e-3, light / np.maximum(alpha, 1e-3)[..., None], 0.0)
    rgba = np.concatenate([np.clip(colors, 0.0, 1.0), alpha[..., None]], -1)
    return np.asarray(rgba, np.float32)


def rendered_people(
    count: int, dress: DressBody, library: Library | None, seed: int,
    views: int = 16, size: int = 384,
) -> Iterator[Subject]:  # fmt: skip
    """The first ``count`` people of a seed."""
    for number in range(count):
        yield rendered_subject(number, dress, library, seed, views, size)


def write_people(
    folder: Path,
    count: int,
    dress: DressBody,
    library: Library | None = None,
    *,
    seed: int = 0,
    views: int = 16,
    size: int = 384,
    per_shard: int = 64,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw people into shards.

    Returns:
        The tar files.

    Raises:
        LikenessError: the folder cannot be written.
    """
    with ShardWriter(folder, per_shard) as writer:
        for number, subject in enumerate(rendered_people(count, dress, library, seed, views, size)):
            writer.write(subject)
            if progress:
                progress("people", (number + 1) / count, subject.key)
    return writer.paths
