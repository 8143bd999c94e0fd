"""How near heads without a found face are, by what their silhouette covers.

On the back of a head, or beside a hand, the body network draws its points close together: heads
were fitted a third too far away, and so too small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..body.model import Body
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, BoolArray, Camera, FloatArray
from ..imaging.resize import resize
from ..render.mesh import rasterize_mesh
from ..visual.view_cameras import part_vertices
from .fit_state import FitState


@dataclass(frozen=True)
class HeadSizeSettings:
    """How a head is moved and scaled."""

    side: int = 96  # pixels of the pictures that are compared
    starts: tuple[float, ...] = (1.0, 0.75, 0.55)  # times the first distance
    steps: tuple[float, ...] = (0.2, 0.1, 0.05, 0.02)  # of the distance's logarithm and head sizes
    head: float = 0.24  # metres from chin to crown
    nearest: float = 0.35  # of the first distance, the least that is tried
    farthest: float = 1.3  # likewise, the most
    hair: float = 1.1  # times as large as a head is its silhouette with its hair
    shift_cost: float = 0.25  # overlap that a move by a head's size must win
    poor: float = 0.58  # overlap below which a head is moved


S = register_settings("tracking.head_size", HeadSizeSettings())

HEAD = JOINT_INDEX["head"]


def match_head_size(body: Body, state: FitState, camera: Camera, mask: FloatArray) -> FitState:
    """Move a body along and across the view until its head is what the mask's upper end shows.

    Above the chin the picture shows the head alone: the overlap there is 1 for a head that is just
    as large, less for one that is smaller (hair stays uncovered) or larger (shoulders do).

    Args:
        body: the body.
        state: its fit, whose pose and shape stay.
        camera: the photo's.
        mask: [H, W] of the person, 0..1.

    Returns:
        The state at the new place, or as it was where its head overlaps well.
    """
    scale = S.side / max(mask.shape)
    small = camera.resized(round(camera.width * scale), round(camera.height * scale))
    person: BoolArray = resize(mask, small.width, small.height, "area") > 0.5
    vertices, joints = body.vertices(state.pose, state.betas)
    own = part_vertices(body, "head")
    f, head = body.f[own[body.f].all(1)], joints[HEAD]

    def overlap(place: FloatArray) -> float:
        shown = rasterize_mesh(vertices + (at(place) - head), f, small).face >= 0
        if not shown.any():
            return 0.0
        chin = int(np.flatnonzero(shown.any(1))[-1]) + 1
        above = person[:chin]
        share = float((shown[:chin] & above).sum() / (shown[:chin] | above).sum())
        return share - S.shift_cost * float(np.hypot(place[0], place[1]))

    def at(place: FloatArray) -> FloatArray:
        """Where the head is, of head sizes to the right and up, and the distance's logarithm."""
        away = np.exp(place[2])
        return np.asarray(head * away + S.head * away * np.array([place[0], place[1], 0.0]))

    def climb(place: FloatArray) -> tuple[float, FloatArray]:
        best = overlap(place)
        for step in S.steps:
            improved = True
            while improved:
                improved = False
                for move in np.concatenate([np.eye(3), -np.eye(3)]) * step:
                    trial = place + move
                    if not np.log(S.nearest) <= trial[2] <= np.log(S.farthest):
                        continue
                    found = overlap(trial)
                    if found > best:
                        place, best, improved = trial, found, True
        return best, place

    first = overlap(np.zeros(3))
    if first > S.poor:
        return state
    ends = [climb(np.array([0.0, 0.0, np.log(start)])) for start in S.starts]
    best, place = max(ends, key=lambda end: end[0])
    if best <= first:
        return state
    place[2] += np.log(S.hair)
    return replace(state, transl=state.transl + at(place) - head)
