"""How well PERSE's network draws the looks of its family, and what lies between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...engine.body import Body, load_body
from ...engine.core.types import LikenessError
from ...engine.files.weights import asset_path
from ...engine.network.network_files import load_network
from ...engine.training.data import DataOptions, held_out_samples
from ...engine.training.evaluate import compare_views


def measure_looks(
    network: Path, family: Sequence[str], size: int, body: Body | None = None
) -> dict[str, list[dict[str, float]]]:
    """Compare a network's pictures with the family's, in the views that were held out.

    Args:
        network: Its folder.
        family: Shards of ``likeness synth --attributes --between --hold-out``.
        size: Pixels along each side of the pictures.
        body: The body of the network; the default one if None.

    Returns:
        ``network_psnr``, in dB, and ``network_ssim`` of every view within the person: ``known`` of
            the person and the two looks of each pair, ``between`` of what lies between these.

    Raises:
        LikenessError: The network or the family cannot be used, or nothing lies between.
    """
    body = body or load_body(asset_path("body"))
    model = load_network(network, body)
    out: dict[str, list[dict[str, float]]] = defaultdict(list)
    options = DataOptions(render_size=size)
    for sample in held_out_samples(list(family), model.config, options, body, print):
        kind = "known" if sample.inputs.edit.amount in (0.0, 1.0) else "between"
        out[kind] += [view.figures() for view in compare_views(model, sample, body)[1:]]
    if not out["between"]:
        raise LikenessError(
            "Nothing lies between the looks of this family.", "Make one with --between."
        )
    return dict(out)


def mean_figures(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean PSNR in dB and SSIM of the network's pictures."""
    return {
        short: round(float(np.mean([row[f"network_{short}"] for row in rows])), 4)
        for short in ("psnr", "ssim")
    }


def interpolation_gain(
    trained: Sequence[dict[str, float]], without: Sequence[dict[str, float]]
) -> float:
    """Decibels by which pictures of what lies between looks are nearer to the truth.

    Args:
        trained: Figures of the network that learned from it, view by view.
        without: The same of a network that did not.
    """
    pairs = zip(trained, without, strict=True)
    return round(float(np.mean([a["network_psnr"] - b["network_psnr"] for a, b in pairs])), 3)
