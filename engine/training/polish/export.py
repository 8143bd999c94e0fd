"""The polishing network in the form that Likeness ships (:mod:`..small_cards`). Needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...gaussians.polish.planes import PLANES
from ...gaussians.polish.polish_network import POLISH_ONNX, VERSION, PolishRuntime
from ..small_cards import SmallNetwork, ship_small_network
from .train import load_polish_network

POLISH = SmallNetwork(
    POLISH_ONNX,
    4_000_000,
    ("planes",),
    PolishRuntime,
    "Likeness, polish",
    "The polishing network",
    "It changes colours of what is drawn of an avatar where the photo does not show the person "
    "squarely: blotches, streaks and seams (docs/rendering.md).",
    "change",
    ({2: "height", 3: "width"},),
)


def export_polish(run: Path, out: Path, about: dict[str, Any]) -> list[Path]:
    """Write the averaged weights of a run as ``polish.onnx``, with a card.

    Args:
        run: the training's folder.
        out: the new folder.
        about: for the card, JSON-able: data, commands, figures, limits.

    Returns:
        The files.

    Raises:
        LikenessError: The run has no checkpoint, the file is too large, or the exporter's packages
            are not installed.
    """
    network, steps = load_polish_network(run)
    example = (torch.rand(1, len(PLANES), 64, 72),)
    note = {"version": VERSION, "planes": list(PLANES)}
    return ship_small_network(POLISH, network, example, note, out, {"steps": steps, **about})
