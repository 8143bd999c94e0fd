"""How often the parser is right, by label, before rules and colours of the person refine it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...body import Body
from ...core.types import FloatArray
from ...gaussians.lift.pixels.labels_parser import (
    PARSED,
    ParserRuntime,
    body_layers,
    person_square,
    stack_inputs,
)
from .batches import PictureFolder, cut_square
from .people import UNKNOWN

BODIES = ("true body", "tracked body")
"""The bodies that a parser is measured with; the second has a tracker's errors."""


def measure_parser(parser: ParserRuntime, data: Path, body: Body) -> dict[str, FloatArray]:
    """Count pixels of test people by what they show and what the parser says.

    Args:
        parser: to measure.
        data: labelled pictures of the test split.
        body: the default body.

    Returns:
        [len(PARSED), len(PARSED)] pixels by true and by said label, for each of :data:`BODIES`.

    Raises:
        LikenessError: A picture cannot be read.
    """
    counts = {name: np.zeros((len(PARSED), len(PARSED))) for name in BODIES}
    for posed in PictureFolder(data, body, 1).refresh():
        square = person_square(posed.picture.rgba[..., 3] > 127)
        cut = cut_square(posed.picture, square)
        mask = cut.alpha > 0.5
        asked = mask & (cut.label != UNKNOWN)
        for name, (rest, vertices, camera) in zip(BODIES, posed.bodies, strict=True):
            layers, part = body_layers(rest, body, vertices, square.camera(camera))
            said = parser.run(stack_inputs(cut.rgb, mask, layers, part, body)).argmax(-1)
            np.add.at(counts[name], (cut.label[asked].astype(int), said[asked]), 1)
    return counts


def format_counts(counts: dict[str, FloatArray]) -> str:
    """Return a table of the shares of pixels that are right.

    Args:
        counts: of :func:`measure_parser`, each [L, L] of the true label and the parser's.
    """
    names = ["all", *PARSED[1:]]
    lines = ["| % of pixels | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for body, table in counts.items():
        right = [table[1:].trace(offset=1) / max(table[1:].sum(), 1.0)]
        right += [table[k, k] / max(table[k].sum(), 1.0) for k in range(1, len(PARSED))]
        lines.append(f"| {body} | " + " | ".join(f"{100 * r:.1f}" for r in right) + " |")
    return "\n".join(lines)
