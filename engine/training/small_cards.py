"""A small network in the form that Likeness ships: one ONNX file and its card. Needs torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.types import LikenessError
from ..core.version import VERSION as LIKENESS_VERSION
from ..files.atomic import atomic_write_files, atomic_write_json, atomic_write_text
from ..files.digests import file_sha256

if TYPE_CHECKING:
    import onnx

CARD_FILES = ("card.json", "card.md")


@dataclass(frozen=True)
class CardHead:
    """What a card says of every training of its kind.

    Attributes:
        model: name of the model, for catalogues.
        title: of the card.
        purpose: what the network does, one paragraph.
    """

    model: str
    title: str
    purpose: str


def ship_network(
    model: onnx.ModelProto,
    out: Path,
    name: str,
    most: int,
    test: Callable[[Path], object],
    head: CardHead,
    facts: dict[str, Any],
) -> list[Path]:
    """Write a network's file and card.

    Args:
        model: ready to be written.
        out: the new folder.
        name: of the file.
        most: bytes that it may have.
        test: reads the file, as users will.
        head: of the card.
        facts: for the card, JSON-able, with ``parameters`` and ``steps``.

    Returns:
        The files.

    Raises:
        LikenessError: The file is too large, or the folder cannot be written.
    """
    with atomic_write_files(out) as scratch:
        path = scratch / name
        path.write_bytes(model.SerializeToString())
        size = path.stat().st_size
        if size > most:
            raise LikenessError(
                f"The network has {size / 1e6:.1f} MB; the maximum is {most / 1e6:.0f} MB.",
                "Train a narrower one.",
            )
        test(path)
        card = {
            "version": 1,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "likeness": LIKENESS_VERSION,
            "bytes": size,
            "sha256": file_sha256(path),
            "licence": "CC0-1.0",
            **facts,
        }
        atomic_write_json(scratch / CARD_FILES[0], card)
        atomic_write_text(scratch / CARD_FILES[1], format_card(card, head))
    return [out / file for file in (name, *CARD_FILES)]


def format_card(card: dict[str, Any], head: CardHead) -> str:
    """Return a card as Markdown.

    Args:
        card: as in ``card.json``.
        head: of the card.
    """
    lines = [
        "---",
        "license: cc0-1.0",
        f"model_name: {head.model}",
        "---",
        "",
        f"# {head.title}",
        "",
        head.purpose,
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
