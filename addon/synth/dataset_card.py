"""The card of a rendered data set, and the summary of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...engine.dataset.cards import (
    CARD_FILE,
    SHEET_FILE,
    asset_entry,
    count_subjects,
    iterate_stored,
    write_contact_sheet,
    write_data_card,
)
from ...engine.dataset.mix import ASSETS, MIX, WORN
from ...engine.dataset.shards import INDEX_FILE
from ...engine.files.untrusted import read_json
from .synth_run import SynthOutcome

BLENDERS = "CC0 (comes with Blender)"

LIMITS = (
    "The people are synthetic: shapes, faces and skins of MakeHuman's model, varied by seed.",
    "Hair consists of textured cards, clothes follow the body's skinning; nothing is simulated.",
    "Depth and labels are those at the centre of each pixel; hair counts where its opacity is over "
    "one half.",
    "Ages 18 to 85; no children. Skin tones are steps of the Monk scale, distributed evenly.",
)


def write_dataset_card(
    data: Path, options: Mapping[str, Any], command: str, version: str, outcome: SynthOutcome
) -> dict[str, Any]:
    """Write the card and the contact sheet of a data set.

    Args:
        data: the folder.
        options: of the run.
        command: the command line.
        version: of Likeness.
        outcome: of the run.

    Returns:
        The card.

    Raises:
        LikenessError: A shard cannot be read, or the folder cannot be written.
    """
    mix = count_subjects((stored.about for stored in iterate_stored(data)), MIX)["mix"]
    about = {
        "title": "Synthetic people, rendered",
        "made_by": {"program": f"Likeness {version}", "command": command, "seed": options["seed"]},
        "options": {name: _names(value) for name, value in options.items()},
        "assets": _entries(options, mix),
        "limits": list(LIMITS),
        "skipped_assets": {Path(name).name: why for name, why in sorted(outcome.skipped.items())},
        "given_up": {str(number): why for number, why in sorted(outcome.given_up.items())},
    }
    card = write_data_card(data, about, MIX, ["looks", "traits"])
    if card["subjects"]:
        write_contact_sheet(data)
    return card


def has_current_card(data: Path) -> bool:
    """Whether card and contact sheet match the data: a killed run may not have written them."""
    try:
        card = read_json(data / CARD_FILE)
        index = read_json(data / INDEX_FILE)
        recorded = int(card["subjects"])
        there = sum(int(shard["subjects"]) for shard in index["shards"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return recorded == there and (data / SHEET_FILE).is_file()


def _names(value: Any) -> Any:
    """Values with paths reduced to file names, because the card is published."""
    if isinstance(value, list | tuple):
        return [_names(one) for one in value]
    return Path(value).name if isinstance(value, str) else value


def _entries(options: Mapping[str, Any], mix: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The assets in the images, with the licences that their files name."""
    names = {name for what in WORN for name in mix[what]}
    lights = {Path(path).name: Path(path) for path in options.get("environments", ())}
    found = [lights[name] for name in mix["lights"] if name in lights]
    if options.get("assets"):
        files = sorted(Path(options["assets"]).rglob("*"))
        hair = {f"{style}.mhclo" for style in mix["hairs"]}
        found += [path for path in files if path.name in names | hair and path.is_file()]
    entries = [asset_entry(path) for path in sorted(found, key=lambda path: path.name)]
    if options["engine"] == "cycles" and not lights:
        own = [name for name in mix["lights"] if name.endswith(ASSETS)]
        entries += [{"name": name, "sha256": None, "licence": BLENDERS} for name in own]
    return entries


def format_summary(card: Mapping[str, Any], outcome: SynthOutcome) -> list[str]:
    """Summary of a run as lines."""
    mix = card["mix"]
    lines = [f"{card['subjects']} people, {card['views']} views, {card['bytes'] / 1e6:,.1f} MB"]
    if outcome.made:
        rate = 3600 * outcome.made / max(outcome.elapsed, 1e-9)
        lines[0] += f"; {outcome.made} made now, {rate:,.0f} an hour"
    if not card["subjects"]:
        return [*lines, *_left_out(outcome)]
    lines.append(
        " x ".join(f"{len(mix[what])} {what}" for what in WORN if what != "accessories")
        + ("; no two people alike" if not card["alike"] else f"; ALIKE: {card['alike']}")
    )
    lines += [f"{what}: {_counts(mix[what])}" for what in ("sex", "age", "tone", "accessories")]
    lines.append(f"framings: {_counts(card['framings'])}; views: {_counts(card['kinds'])}")
    total = sum(outcome.seconds.values())
    if total:
        shares = sorted(outcome.seconds.items(), key=lambda item: -item[1])
        lines.append(
            "time: "
            + ", ".join(f"{name} {100 * s / total:.0f} %" for name, s in shares)
            + f" of {total / outcome.made:.1f} s a person"
        )
    return [*lines, *_left_out(outcome)]


def _left_out(outcome: SynthOutcome) -> list[str]:
    lines = [f"left out: {Path(name).name}: {why}" for name, why in outcome.skipped.items()]
    return lines + [f"given up: person {n}: {why}" for n, why in sorted(outcome.given_up.items())]


def _counts(counts: Mapping[str, int] | Sequence[Any]) -> str:
    assert isinstance(counts, Mapping)
    ordered = sorted(counts.items(), key=lambda i: (int(i[0]) if i[0].isdigit() else 0, i[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered)
