"""The parser in the form that Likeness ships (:mod:`..small_cards`). Needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...body import Body
from ...gaussians.lift.labels_parser import (
    CHANNELS,
    PARSER_ONNX,
    SIDE,
    VERSION,
    ParserRuntime,
    body_digest,
)
from ...network.onnx_export import add_note, convert_to_half, export_module
from ..small_cards import CardHead, ship_network
from .train import load_parser_network

MAX_BYTES = 5_000_000
CARD = CardHead(
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
    model = export_module(network, example, ("picture",), ("logits",), ({},))
    convert_to_half(model)
    add_note(model, {"version": VERSION, "body": body_digest(body)})
    parameters = sum(parameter.numel() for parameter in network.parameters())
    facts = {"parameters": parameters, "steps": steps, **about}
    return ship_network(model, out, PARSER_ONNX, MAX_BYTES, ParserRuntime, CARD, facts)
