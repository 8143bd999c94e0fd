"""Which views supervise which: the reference and the target views of one subject.

Views of synthetic people do not agree perfectly, those of generative models least of all, so a less
reliable view must not teach the network what a more reliable one looks like. Supervision flows only
from more reliable views to less or equally reliable ones: side to back and front to back, never
back to front (section 3.2). So a photo from the front trains all views, one from the side trains
side and back views, and one from behind only other views from behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..body import Body
from ..core.cameras import camera_position
from ..core.types import JOINT_INDEX, Camera, FloatArray, Pose
from ..tracking.measure import S as MEASURE

KINDS = ("front", "side", "back")
"""From the most reliable to the least."""

REFERENCE_SHARES: Mapping[str, float] = {"front": 0.6, "side": 0.25, "back": 0.15}
"""Share of references of each kind, among those that a subject has (ours: most photos show a person
from the front)."""


@dataclass(frozen=True)
class Pair:
    """Views of a subject for one sample.

    Attributes:
        reference: Row of the photo, the network's input.
        targets: Rows of the other views that supervise it; fewer where the subject has too few.
    """

    reference: int
    targets: tuple[int, ...]


def trunk_azimuth(body: Body, betas: FloatArray, pose: Pose, camera: Camera) -> float:
    """Compute the angle by which a camera stands to the left of where the trunk faces.

    The trunk is the chest, as in ``Track.view``; both directions are projected onto the ground
    (world y is up).

    Args:
        body: The default body.
        betas: [B] shape of the person.
        pose: Of the person, in the camera's world space.
        camera: The camera.

    Returns:
        Degrees, -180..180.
    """
    _, joints, R, t = body.rest_and_transforms(pose, betas)
    chest = JOINT_INDEX["spine3"]
    away = camera_position(camera) - (R[chest] @ joints[chest] + t[chest])
    turn = np.arctan2(away[0], away[2]) - np.arctan2(R[chest][0, 2], R[chest][2, 2])
    return float((np.degrees(turn) + 180.0) % 360.0 - 180.0)


def azimuth_kind(azimuth: float) -> str:
    """Classify an azimuth in degrees as ``front``, ``side`` or ``back``, as in ``Track.view``.

    >>> azimuth_kind(-20.0), azimuth_kind(90.0), azimuth_kind(-170.0)
    ('front', 'side', 'back')
    """
    away = abs(azimuth)
    return "front" if away < MEASURE.side_from else "side" if away < MEASURE.back_from else "back"


def can_supervise(reference: str, target: str, directed: bool = True) -> bool:
    """Whether views of one kind may supervise a photo of another (section 3.2).

    Args:
        reference: Kind of the photo.
        target: Kind of the view.
        directed: False allows all pairs (ablation).

    >>> can_supervise("front", "back"), can_supervise("back", "front")
    (True, False)
    """
    return not directed or KINDS.index(reference) <= KINDS.index(target)


def draw_references(kinds: Sequence[str], rng: np.random.Generator, number: int) -> tuple[int, ...]:
    """Sample ``number`` different views (at most all) by their shares as references.

    Args:
        kinds: Kind of each view.
        rng: Of the choice.
        number: Of views.

    Returns:
        Their rows.
    """
    shares = _reference_shares(kinds, range(len(kinds)))
    number = min(number, len(kinds))
    return tuple(int(row) for row in rng.choice(len(kinds), number, replace=False, p=shares))


def _reference_shares(kinds: Sequence[str], among: Sequence[int]) -> FloatArray:
    """[V] probability of each view as a reference; 0 for those not in ``among``."""
    shares = np.zeros(len(kinds))
    present = [kinds[row] for row in among]
    for row in among:
        shares[row] = REFERENCE_SHARES[kinds[row]] / present.count(kinds[row])
    return np.asarray(shares / shares.sum())


def draw_pair(
    kinds: Sequence[str],
    rng: np.random.Generator,
    targets: int,
    directed: bool = True,
    among: Sequence[int] | None = None,
) -> Pair:
    """Sample a reference and its targets.

    Args:
        kinds: Kind of each usable view, at least one.
        rng: Of the choice.
        targets: Number of targets, all different and without the reference.
        directed: False lets all views supervise all (ablation).
        among: Rows that may be the reference; None for all.
    """
    shares = _reference_shares(kinds, range(len(kinds)) if among is None else among)
    reference = int(rng.choice(len(kinds), p=shares))
    allowed = [
        row
        for row, kind in enumerate(kinds)
        if row != reference and can_supervise(kinds[reference], kind, directed)
    ]
    chosen = rng.permutation(len(allowed))[:targets]
    return Pair(reference, tuple(allowed[k] for k in chosen))
