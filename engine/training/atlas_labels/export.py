"""The label network in the form that Likeness ships (:mod:`..small_cards`). Needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...body import Body
from ...gaussians.lift.garments.labels_network import (
    LABELS_ONNX,
    VERSION,
    LabelNetworkRuntime,
    cells_digest,
)
from ...gaussians.lift.surface.atlas_cells import CHANNELS, GRID, NUMBERS, atlas_cells
from ..small_cards import SmallNetwork, ship_small_network
from .train import load_label_network

LABEL_NETWORK = SmallNetwork(
    LABELS_ONNX,
    3_000_000,
    ("grids", "numbers"),
    LabelNetworkRuntime,
    "Likeness, labels behind",
    "The label network",
    "It says what covers the body (skin, hair, upper, lower, shoes, hat, outer) where a photo does "
    "not show it (docs/training.md).",
)


def export_labels(run: Path, out: Path, body: Body, about: dict[str, Any]) -> list[Path]:
    """Write the averaged weights of a run as ``labels.onnx``, with a card.

    Args:
        run: the training's folder.
        out: the new folder.
        body: the default body.
        about: for the card, JSON-able: data, commands, figures, limits.

    Returns:
        The files.

    Raises:
        LikenessError: The run has no checkpoint, the file is too large, or the exporter's packages
            are not installed.
    """
    cells = atlas_cells(body)
    network, steps = load_label_network(run, cells)
    example = (torch.randn(1, CHANNELS, GRID, GRID), torch.randn(1, NUMBERS))
    note = {"version": VERSION, "cells": cells_digest(cells.samples)}
    return ship_small_network(LABEL_NETWORK, network, example, note, out, {"steps": steps, **about})
