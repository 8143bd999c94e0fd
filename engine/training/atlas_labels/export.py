"""The label network in the form that Likeness ships (:mod:`..small_cards`). Needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...body import Body
from ...gaussians.lift.atlas_cells import CHANNELS, GRID, NUMBERS, atlas_cells
from ...gaussians.lift.labels_network import LABELS_ONNX, VERSION, LabelNetworkRuntime, cells_digest
from ...network.onnx_export import add_note, convert_to_half, export_module
from ..small_cards import CardHead, ship_network
from .train import load_label_network

MAX_BYTES = 3_000_000
CARD = CardHead(
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
    model = export_module(network, example, ("grids", "numbers"), ("logits",), ({}, {}))
    convert_to_half(model)
    add_note(model, {"version": VERSION, "cells": cells_digest(cells)})
    parameters = sum(parameter.numel() for parameter in network.parameters())
    facts = {"parameters": parameters, "steps": steps, **about}
    return ship_network(model, out, LABELS_ONNX, MAX_BYTES, LabelNetworkRuntime, CARD, facts)
