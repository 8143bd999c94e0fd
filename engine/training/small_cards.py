"""A small network in the form that Likeness ships: one ONNX file and its card. Needs torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..core.types import LikenessError
from ..core.version import VERSION as LIKENESS_VERSION
from ..files.atomic import atomic_write_files, atomic_write_json, atomic_write_text
from ..files.digests import file_sha256
from ..network.onnx_export import add_note, convert_to_half, export_module

CARD_FILES = ("card.json", "card.md")


@dataclass(frozen=True)
class SmallNetwork:
    """What all trainings of one kind of network ship alike.

    Attributes:
        file: name of the ONNX file.
        max_bytes: that it may have.
        inputs: names of its inputs; the first dimension of each is the batch.
        open: reads the file, as users will.
        model: name of the model, for catalogues.
        title: of the card.
        purpose: what the network does, one paragraph of the card.
        output: name of its output.
        free: names of each input's free sizes by dimension; none if empty.
    """

    file: str
    max_bytes: int
    inputs: tuple[str, ...]
    open: Callable[[Path], object]
    model: str
    title: str
    purpose: str
    output: str = "logits"
    free: tuple[dict[int, str], ...] = ()


def ship_small_network(
    kind: SmallNetwork,
    network: nn.Module,
    example: tuple[torch.Tensor, ...],
    note: dict[str, Any],
    out: Path,
    facts: dict[str, Any],
) -> list[Path]:
    """Write a network in half precision, and its card.

    Args:
        kind: of the network.
        network: trained, in evaluation mode.
        example: of its inputs, each [B, ...].
        note: for the file's metadata, JSON-able.
        out: the new folder.
        facts: for the card, JSON-able, with ``steps``.

    Returns:
        The files.

    Raises:
        LikenessError: The file is too large, the folder cannot be written, or the exporter's
            packages are not installed.
    """
    free = kind.free or ({},) * len(example)
    model = export_module(network, example, kind.inputs, (kind.output,), free)
    convert_to_half(model)
    add_note(model, note)
    with atomic_write_files(out) as scratch:
        path = scratch / kind.file
        path.write_bytes(model.SerializeToString())
        size = path.stat().st_size
        if size > kind.max_bytes:
            raise LikenessError(
                f"The network has {size / 1e6:.1f} MB; "
                f"the maximum is {kind.max_bytes / 1e6:.0f} MB.",
                "Train a narrower one.",
            )
        kind.open(path)
        card = {
            "version": 1,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "likeness": LIKENESS_VERSION,
            "bytes": size,
            "sha256": file_sha256(path),
            "licence": "CC0-1.0",
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            **facts,
        }
        atomic_write_json(scratch / CARD_FILES[0], card)
        atomic_write_text(scratch / CARD_FILES[1], format_card(card, kind))
    return [out / file for file in (kind.file, *CARD_FILES)]


def format_card(card: dict[str, Any], kind: SmallNetwork) -> str:
    """Return a card as Markdown.

    Args:
        card: as in ``card.json``.
        kind: of the network.
    """
    lines = [
        "---",
        "license: cc0-1.0",
        f"model_name: {kind.model}",
        "---",
        "",
        f"# {kind.title}",
        "",
        kind.purpose,
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
