"""Borders between two things in a photo: the cheapest ones, along its edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from ....core.settings import register_settings
from ....core.types import BoolArray, FloatArray
from .pixel_grids import dilate, neighbour_links


@dataclass(frozen=True)
class CutSettings:
    """Borders between two things."""

    border: float = 2.0  # cost of each pixel of a border within one colour
    sharp: float = 0.5  # how fast that falls with a colour edge's square, over the mean one's


S = register_settings("lift.pixel_cuts", CutSettings())

_STEPS = 1000  # of the cost 1: flows are whole numbers
_FIXED = 1_000_000


def cut_along_edges(
    may: BoolArray, own: BoolArray, person: BoolArray, lab: FloatArray, cost: FloatArray
) -> BoolArray:
    """Divide pixels between a thing and all others, with the cheapest border (a minimum cut).

    Args:
        may: [H, W] pixels to divide.
        own: [H, W] the thing's for sure; the person's other pixels are not.
        person: [H, W] pixels of the person.
        lab: [H, W, 3] L*a*b*, smoothed.
        cost: [H, W] of a pixel of ``may`` that is the thing's; negative where it likely is.

    Returns:
        [H, W] the pixels of ``may`` that are the thing's.
    """
    area = person & dilate(may, 2)  # also diagonal neighbours
    count = int(area.sum())
    first, second, length = neighbour_links(area)
    step = ((lab[area][first] - lab[area][second]) ** 2).sum(-1)
    both = may[area][first] & may[area][second]
    usual = max(float(step[both].mean()) if both.any() else 0.0, 1e-6)
    link = S.border * np.exp(-S.sharp * step / usual) / length
    costs = np.where(may, cost, np.where(own, -_FIXED, _FIXED))[area]
    source, sink, at = count, count + 1, np.arange(count)
    links = [
        (first, second, link),
        (second, first, link),
        (np.full(count, source), at, np.maximum(-costs, 0.0)),
        (at, np.full(count, sink), np.maximum(costs, 0.0)),
    ]
    rows, cols, weights = (np.concatenate(parts) for parts in zip(*links, strict=True))
    capacity = np.minimum(np.round(weights * _STEPS), _FIXED).astype(np.int32)
    graph = sparse.csr_matrix((capacity, (rows, cols)), (count + 2, count + 2))
    left = graph - maximum_flow(graph, source, sink).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = np.zeros(count + 2, bool)
    reached[breadth_first_order(left, source, return_predecessors=False)] = True
    won = np.zeros(area.shape, bool)
    won[area] = reached[:count]
    return np.asarray(won & may)
