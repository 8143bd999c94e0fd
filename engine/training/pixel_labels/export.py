"""The parser in the form that Likeness ships (:mod:`..small_cards`). Needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...body import Body
from ...gaussians.lift.pixels.labels_parser import (
    CHANNELS,
    PARSER_ONNX,
    SIDE,
    VERSION,
    ParserRuntime,
    body_digest,
)
from ..small_cards import SmallNetwork, ship_small_network
from .train import load_parser_network

PARSER = SmallNetwork(
    PARSER_ONNX,
    5_000_000,
    ("picture",),
    ParserRuntime,
    "Likeness, parser",
    "The parser",
    "It says what each pixel of a person shows (skin, hair, upper, lower, shoes, hat, glasses, or "
    "nothing of theirs), from a photo, its matte and the tracked body (docs/training.md).",
)


def export_parser(run: Path, out: Path, body: Body, about: dict[str, Any]) -> list[Path]:
    """Write the averaged weights of a run as ``parser.onnx``, with a card.

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
    network, steps = load_parser_network(run)
    example = (torch.randn(1, CHANNELS, SIDE, SIDE),)
    note = {"version": VERSION, "body": body_digest(body)}
    return ship_small_network(PARSER, network, example, note, out, {"steps": steps, **about})
