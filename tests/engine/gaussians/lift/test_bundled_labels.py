"""The label network that comes with Likeness is plausible on a painted body."""

from __future__ import annotations

import numpy as np
from likeness.engine.body import Body
from likeness.engine.gaussians.lift.garments.labels_network import load_label_network
from likeness.engine.gaussians.lift.surface.atlas_cells import CELL_LABELS, NOT_SEEN, atlas_cells


def test_it_dresses_the_back_as_the_front(average: Body) -> None:
    network = load_label_network()
    assert network is not None
    assert network.fits(average)
    cells = atlas_cells(average)
    worn = {"torso": "upper", "leg": "lower", "foot": "shoes", "scalp": "hair"}
    truth = np.zeros(len(cells.place), int)
    color = np.full((len(truth), 3), (0.75, 0.55, 0.45))
    for k, (part, name) in enumerate(worn.items()):
        truth[cells.part == part] = CELL_LABELS.index(name)
        color[cells.part == part] = (0.2 * k, 0.3, 0.6)
    front = cells.normal[:, 2] > 0.3
    likely = network.probabilities(cells, np.where(front, truth, NOT_SEEN), color)
    likely[:, CELL_LABELS.index("upper")] += likely[:, CELL_LABELS.index("outer")]
    said, back = likely[:, :6].argmax(1), cells.normal[:, 2] < -0.3
    for part in ("torso", "leg", "scalp", "hand"):
        own = back & (cells.part == part)
        assert (said == truth)[own].mean() > 0.9, part
    again = network.probabilities(cells, np.where(front, truth, NOT_SEEN), color)
    assert np.array_equal(again[:, 0], likely[:, 0])
