"""Which estimator to believe for what: the paper's map of regimes (section 3.3), measured.

Synthetic people in the three framings are fitted without an estimator, with each one alone, and
with all of them chosen by what is visible. An estimator is its real output where files are given,
otherwise the truth with the errors that ``estimator_errors.toml`` states for it. From the estimated
poses' errors follows the map, in the form of ``visibility.toml``.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ...core.types import (
    JOINT_INDEX,
    JOINT_NAMES,
    NUM_JOINTS,
    Camera,
    LikenessError,
    Observation,
    Portrait,
    Pose,
)
from ...dataset.groups import subject_groups
from ...dataset.spaces import photo_transform, transform_camera, transform_pose
from ...dataset.subjects import InvalidSampleError, Subject
from ...pipeline.estimators import NO_ESTIMATORS, Estimators
from ...pipeline.track import track_image
from ...tracking.estimators import FrameEstimator, KeypointEstimate, PoseEstimate
from ...tracking.estimators.visibility import FRAMINGS, MAP_FILE, PART_OF, PARTS
from ..people.figures import measure_person
from ..people.person_render import Truth
from .context import ProtocolContext
from .items import REFERENCE, Figures, MeasuredView, MeasureFailure, OpenEstimators
from .observed_photos import make_portrait
from .tracking import FIGURES as TRACKING_FIGURES
from .tracking import true_person_in_photo

ESTIMATORS = "estimators"
ERRORS_FILE = Path(__file__).with_name("estimator_errors.toml")
ALONE, TOGETHER = "no estimator", "by visibility"
TRUST = 0.8
IN_WORLD = {"gagavatar": "head", "emica": "head", "smirk": "head", "hamer": "wrist"}
"""Kind -> the joint that it knows in the photo's axes."""

FITTED = ("joints_mm", "hands_px", "head_deg", "trunk_deg", "face_mm")
FIGURES: dict[str, tuple[str, int, bool]] = {
    **{f"estimate_{part}": (f"estimate of {part}, degrees", 1, False) for part in PARTS},
    **{name: TRACKING_FIGURES[name] for name in FITTED},
}
"""Name -> title, digits, and whether more is better."""


@cache
def stated_errors() -> dict[str, dict[str, dict[str, float]]]:
    """Read the stated errors: kind -> framing -> part (and ``hidden``) -> degrees."""
    return tomllib.loads(ERRORS_FILE.read_text(encoding="utf-8"))


@dataclass
class _Listener:
    """An estimator that remembers what it said."""

    source: FrameEstimator | PoseEstimate
    said: PoseEstimate | None = None

    @property
    def path(self) -> Path:
        return Path()

    def of_frame(self, number: int) -> _Listener:
        return self

    def estimate(
        self, portrait: Portrait, observation: Observation, camera: Camera
    ) -> PoseEstimate | None:
        if isinstance(self.source, PoseEstimate):
            self.said = self.source
        else:
            self.said = self.source.estimate(portrait, observation, camera)
        return self.said

    def keypoints(self, portrait: Portrait, observation: Observation) -> KeypointEstimate | None:
        return None


def simulate_estimate(
    kind: str, framing: str, pose: Pose, truth: Truth, rng: np.random.Generator
) -> PoseEstimate:
    """Make what an estimator with the stated errors says of a known person.

    Args:
        kind: of ``estimator_errors.toml``.
        framing: ``head``, ``half`` or ``full``.
        pose: the true one, photo space.
        truth: the same person, with what is visible.
        rng: draws the errors.
    """
    errors = stated_errors()[kind][framing]
    local = axis_angle_to_matrix(np.asarray(pose.full_pose, np.float64))
    out = PoseEstimate.nothing(kind, kind)
    for joint in range(NUM_JOINTS):
        degrees = errors.get(PART_OF[joint])
        if degrees is None or (kind in IN_WORLD and JOINT_NAMES[joint] == "neck"):
            continue
        if not _shown(joint, truth):
            degrees = errors.get("hidden", degrees)
        turn = rng.normal(size=3) * np.radians(degrees) / np.sqrt(3.0)
        world = IN_WORLD.get(kind, "-") in JOINT_NAMES[joint]
        true = truth.rotations[joint] if world else local[joint]
        noisy = matrix_to_axis_angle(true @ axis_angle_to_matrix(turn))
        out = out.with_rows(joint, noisy, TRUST, world)
    return out


def _shown(joint: int, truth: Truth) -> bool:
    """Whether the picture shows a joint's limb; trunk and head count as shown."""
    side = JOINT_NAMES[joint].partition("_")[0]
    limb = {"hands": "wrist", "legs": "knee"}.get(PART_OF[joint])
    return limb is None or bool(truth.joint_visible[JOINT_INDEX[f"{side}_{limb}"]])


def estimate_errors(said: PoseEstimate, pose: Pose, truth: Truth) -> Figures:
    """Mean angle in degrees, by part, between estimated and true rotations of what is shown."""
    local = axis_angle_to_matrix(np.asarray(pose.full_pose, np.float64))
    angles: dict[str, list[float]] = {}
    for joint in np.flatnonzero(said.known):
        if _shown(int(joint), truth):
            true = truth.rotations[joint] if said.in_world[joint] else local[joint]
            turn = matrix_to_axis_angle(true.T @ axis_angle_to_matrix(said.full_pose[joint]))
            angles.setdefault(PART_OF[joint], []).append(float(np.linalg.norm(turn)))
    return {f"estimate_{part}": float(np.degrees(np.mean(found))) for part, found in angles.items()}


def measure_estimators(subject: Subject, context: ProtocolContext) -> None:
    """Fit a person's reference view without and with each estimator, and with all.

    Args:
        subject: the person and their views.
        context: gets the item; opens the real outputs for a view by its name, stated errors where
            there is none.
    """
    body, row = context.body, subject.reference
    name = f"{subject.key}/{subject.views[row].name}"
    try:
        truth = true_person_in_photo(subject, row, body)
        photo = make_portrait(subject, row)
    except InvalidSampleError as error:
        context.refuse(MeasureFailure(ESTIMATORS, name, str(error)))
        return
    motion = photo_transform(subject.views[row].camera)
    own = body.personalised(subject.betas)
    pose = transform_pose(subject.pose(row), own, motion)
    camera = transform_camera(subject.views[row].camera, motion)
    sources = _sources(subject, name, pose, truth, context.open_for)
    figures: dict[str, Figures] = {}
    about: dict[str, Any] = {"framing": subject.framing}
    for method, chosen in {ALONE: (), **sources, TOGETHER: _all(sources)}.items():
        listeners = tuple(_Listener(source) for source in chosen)
        given = Estimators(listeners) if listeners else NO_ESTIMATORS
        try:
            tracked = track_image(photo, body, context.detectors, estimators=given)
        except LikenessError as error:
            context.refuse(MeasureFailure(ESTIMATORS, name, str(error)))
            return
        track = tracked.track
        measured = asdict(measure_person(body, camera, truth, tracked.observation, track))
        said = listeners[0].said if len(listeners) == 1 else None
        method = said.kind or method if said is not None else method
        figures[method] = {figure: measured[figure] for figure in FITTED}
        if said is not None:
            figures[method] |= estimate_errors(said, pose, truth)
        if method == TOGETHER:
            about["sources"] = {source: list(joints) for source, joints in track.sources.items()}
    context.give(
        MeasuredView(
            ESTIMATORS,
            name,
            subject.key,
            subject.framing,
            True,
            about,
            subject_groups(subject.facts, subject.framing),
            figures,
            {REFERENCE: photo.rgb},
        )
    )


_Sources = dict[str, tuple[FrameEstimator | PoseEstimate, ...]]


def _sources(
    subject: Subject, name: str, pose: Pose, truth: Truth, open_for: OpenEstimators
) -> _Sources:
    """Each estimator: its real output, or the truth with its stated errors."""
    real = open_for(name.replace("/", "_")).poses
    if real:
        return {f"file {k + 1}": (one,) for k, one in enumerate(real)}
    out: _Sources = {}
    for kind in stated_errors():
        digest = hashlib.sha256(f"{name} {kind}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        out[kind] = (simulate_estimate(kind, subject.framing, pose, truth, rng),)
    return out


def _all(sources: _Sources) -> tuple[FrameEstimator | PoseEstimate, ...]:
    return tuple(one for chosen in sources.values() for one in chosen)


def write_map(kinds: Mapping[str, Any]) -> str:
    """Write the measured map in the form of ``visibility.toml``.

    Args:
        kinds: framing -> ``mean``: method -> figure -> value, of a report.

    Returns:
        The text. Framings and parts that were not measured keep the order of the usual map.
    """
    usual = tomllib.loads(MAP_FILE.read_text(encoding="utf-8"))
    lines = ["# Measured by `likeness eval --protocol estimators`."]
    for framing in FRAMINGS:
        means = kinds.get(framing, {}).get("mean", {})
        lines += ["", f"[{framing}]"]
        for part in PARTS:
            found = {
                method: float(figures[f"estimate_{part}"])
                for method, figures in means.items()
                if figures.get(f"estimate_{part}") is not None
            }
            order = sorted(found, key=lambda method: found[method]) or usual[framing][part]
            lines.append(f"{part} = {_names(order)}")
    lines += ["", "[seen]", *(f"{part} = {_names(of)}" for part, of in usual["seen"].items())]
    return "\n".join(lines) + "\n"


def _names(order: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in order) + "]"
