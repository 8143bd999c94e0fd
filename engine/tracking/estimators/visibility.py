"""Which estimator each part is taken from, by what is visible (paper, section 3.3).

The choice is data: ``visibility.toml``, or a file of the same form that ``likeness eval --protocol
estimators`` has measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...core.settings import register_settings
from ...core.types import JOINT_NAMES, Camera, LikenessError, Observation, Portrait
from ...files.untrusted import read_toml
from ..landmark_trust import choose_framing, in_frame
from .estimate import Estimator, PoseEstimate
from .smplx_rows import PELVIS

FRAMINGS = ("head", "half", "full")
PARTS: dict[str, tuple[str, ...]] = {
    "trunk": ("pelvis", "spine", "collar"),
    "head": ("neck", "head"),
    "jaw": ("jaw", "eye"),
    "arms": ("shoulder", "elbow"),
    "legs": ("hip", "knee", "ankle", "foot"),
    "hands": ("wrist", "index", "middle", "pinky", "ring", "thumb"),
}
"""Part -> what its joints' names contain."""

PART_OF = tuple(
    next(part for part, words in PARTS.items() if any(word in name for word in words))
    for name in JOINT_NAMES
)
"""[55] the part of each joint."""

MAP_FILE = Path(__file__).with_name("visibility.toml")


@dataclass(frozen=True)
class VisibilitySettings:
    """Whom parts are taken from."""

    map_file: str = ""  # another visibility.toml
    seen: float = 0.5  # visibility from which a landmark counts


S = register_settings("tracking.visibility", VisibilitySettings())


@dataclass(frozen=True)
class VisibilityMap:
    """Whom parts are taken from.

    Attributes:
        order: framing -> part -> kinds of estimators, the best first.
        only_seen: part -> kinds whose guesses about hidden parts are left out.
    """

    order: Mapping[str, Mapping[str, tuple[str, ...]]]
    only_seen: Mapping[str, tuple[str, ...]]

    def rank(self, framing: str, part: str, kind: str) -> int:
        """Place of a kind for a part, 0 the best; -1 for kinds that are not named."""
        kinds = self.order[framing][part]
        return kinds.index(kind) if kind in kinds else -1


@lru_cache
def read_visibility_map(path: Path) -> VisibilityMap:
    """Read a map.

    Raises:
        LikenessError: the file is missing, or not such a map; names the table and the key.
    """
    remedy = "Copy the form of engine/tracking/estimators/visibility.toml."
    try:
        content = read_toml(path)
    except (OSError, ValueError) as error:
        raise LikenessError(f"'{path}' cannot be read as a map ({error}).", remedy) from error
    for table in (*FRAMINGS, "seen"):
        parts = content.get(table)
        wanted = PARTS if table != "seen" else ()
        if not isinstance(parts, dict) or not {*wanted} <= parts.keys() <= PARTS.keys():
            raise LikenessError(
                f"[{table}] in '{path}' does not list the parts {', '.join(PARTS)}.", remedy
            )
        for part, kinds in parts.items():
            if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
                raise LikenessError(f"{table}.{part} in '{path}' is not a list of names.", remedy)
    order = {f: {part: tuple(kinds) for part, kinds in content[f].items()} for f in FRAMINGS}
    return VisibilityMap(order, {part: tuple(kinds) for part, kinds in content["seen"].items()})


def seen_joints(observation: Observation, camera: Camera) -> list[bool]:
    """[55] whether the detectors see a joint's limb; always true of parts other than limbs.

    A hand is seen when it was found, or its wrist is; a leg when its knee or ankle is.

    Args:
        observation: in pixels of ``camera``.
        camera: the photo's.
    """
    visible = in_frame(observation, camera) & (observation.pose_visibility > S.seen)
    hands = {hand.left for hand in observation.hands}
    seen = {
        ("hands", "left"): True in hands or bool(visible[15]),
        ("hands", "right"): False in hands or bool(visible[16]),
        ("legs", "left"): bool(visible[[25, 27]].any()),
        ("legs", "right"): bool(visible[[26, 28]].any()),
    }
    return [
        seen.get((part, name.partition("_")[0]), True)
        for part, name in zip(PART_OF, JOINT_NAMES, strict=True)
    ]


def choose_estimates(
    estimates: Sequence[PoseEstimate], observation: Observation, camera: Camera
) -> list[PoseEstimate]:
    """Give every joint to one estimate: the others no longer know it.

    Args:
        estimates: in the order given by the user.
        observation: the person in the photo, in pixels of ``camera``.
        camera: the photo's.

    Returns:
        The estimates, the one that has the trunk first, since its position counts.

    Raises:
        LikenessError: the map of ``tracking.visibility.map_file`` is unusable.
    """
    table = read_visibility_map(Path(S.map_file) if S.map_file else MAP_FILE)
    framing, seen = choose_framing(observation, camera), seen_joints(observation, camera)
    owner = np.full(len(PART_OF), -1)
    for joint, part in enumerate(PART_OF):
        hidden = () if seen[joint] else table.only_seen.get(part, ())
        knowing = [
            (table.rank(framing, part, one.kind), -k)
            for k, one in enumerate(estimates)
            if one.known[joint] and one.kind not in hidden
        ]
        if knowing:
            owner[joint] = -min(knowing)[1]
    chosen = [
        one.without(np.flatnonzero(one.known & (owner != k)).tolist())
        for k, one in enumerate(estimates)
    ]
    return sorted(chosen, key=lambda one: not one.known[PELVIS])


def ask_estimators(
    estimators: Sequence[Estimator], portrait: Portrait, observation: Observation, camera: Camera
) -> list[PoseEstimate]:
    """Ask every estimator, and give each joint to the best that knows it.

    Args:
        estimators: whom to ask.
        portrait: the photo.
        observation: in pixels of ``portrait.rgb``.
        camera: the photo's.

    Raises:
        LikenessError: as :func:`choose_estimates`, or an estimator's.
    """
    estimates = (one.estimate(portrait, observation, camera) for one in estimators)
    known = [estimate for estimate in estimates if estimate is not None]
    return choose_estimates(known, observation, camera) if known else []
