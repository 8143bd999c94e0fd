"""The label network in the form that Likeness ships: one ONNX file and its card. Needs torch."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ...body import Body
from ...core.types import LikenessError
from ...core.version import VERSION as LIKENESS_VERSION
from ...files.atomic import atomic_write_files, atomic_write_json, atomic_write_text
from ...files.digests import file_sha256
from ...gaussians.lift.atlas_cells import CHANNELS, GRID, NUMBERS, atlas_cells
from ...gaussians.lift.labels_network import LABELS_ONNX, VERSION, LabelNetworkRuntime, cells_digest
from ...network.onnx_export import add_note, convert_to_half, export_module
from .train import load_label_network, read_checkpoint

MAX_BYTES = 3_000_000


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
        LikenessError: There is no checkpoint, the file is too large, or the exporter's packages
            are not installed.
    """
    cells = atlas_cells(body)
    network, steps = load_label_network(run, cells), int(read_checkpoint(run)["step"])
    example = (torch.randn(1, CHANNELS, GRID, GRID), torch.randn(1, NUMBERS))
    model = export_module(network, example, ("grids", "numbers"), ("logits",), ({}, {}))
    convert_to_half(model)
    add_note(model, {"version": VERSION, "cells": cells_digest(cells)})
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with atomic_write_files(out) as scratch:
        path = scratch / LABELS_ONNX
        path.write_bytes(model.SerializeToString())
        if path.stat().st_size > MAX_BYTES:
            raise LikenessError(
                f"The label network has {path.stat().st_size / 1e6:.1f} MB; the maximum is "
                f"{MAX_BYTES / 1e6:.0f} MB.",
                "Train a narrower one.",
            )
        LabelNetworkRuntime(path)  # a test that it can be read
        card = {
            "version": 1,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "likeness": LIKENESS_VERSION,
            "parameters": parameters,
            "steps": steps,
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
            "licence": "CC0-1.0",
            **about,
        }
        atomic_write_json(scratch / "card.json", card)
        atomic_write_text(scratch / "card.md", format_card(card))
    return [out / name for name in (LABELS_ONNX, "card.json", "card.md")]


def format_card(card: dict[str, Any]) -> str:
    """Return a card as Markdown.

    Args:
        card: as in ``card.json``.
    """
    lines = [
        "---",
        "license: cc0-1.0",
        "model_name: Likeness, labels behind",
        "---",
        "",
        "# The label network",
        "",
        "It says what covers the body (skin, hair, upper, lower, shoes, hat, outer) where a photo "
        "does not show it (docs/training.md).",
        "",
        f"{card['parameters'] / 1e6:.2f} M parameters, {card['steps']:,} steps, "
        f"{card['bytes']:,} bytes, SHA-256 {card['sha256']}.",
        "",
    ]
    for title in ("data", "commands", "figures", "limits"):
        if title in card:
            lines += [f"## {title.capitalize()}", "", str(card[title]), ""]
    return "\n".join(lines)


def read_about(path: Path | None) -> dict[str, Any]:
    """Read what a card is to say from a JSON file; nothing without one.

    Raises:
        LikenessError: The file cannot be read.
    """
    if path is None:
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise LikenessError(f"'{path}' cannot be read ({error}).", "Give a JSON object.") from error
