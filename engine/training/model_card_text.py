"""A network's card as people read it: Markdown of what ``card.json`` holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..dataset.groups import percent_worse

NETWORK = "network"
WAYS = ("lift", "lift-small", NETWORK, f"{NETWORK}+refine")
"""Of evaluation's methods: the lift, the same with as many splats as the network takes, ..."""

FIGURES = {
    "psnr_fg": ("PSNR, dB", 2),
    "ssim_fg": ("SSIM", 4),
    "ms_ssim": ("MS-SSIM", 4),
    "lpips": ("LPIPS", 4),
}
"""What the tables show, of the person's pixels where it can be told: name, digits."""

GOAL = 10.0
"""Per cent by which the worst group may be worse than the mean."""


def format_card(card: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        card: as :func:`.model_card.write_card` makes it.
    """
    blocks = [
        *_leaks(card),
        *_network(card),
        *_licence(card),
        *_data(card["data"]),
        *_training(card["training"]),
        *_evaluation(card),
        *_limits(card),
    ]
    return "\n\n".join([f"# The network '{card['network']['name']}'", *blocks]) + "\n"


def _leaks(card: Mapping[str, Any]) -> Iterator[str]:
    if card["leaks"]:
        yield (
            "**ERROR: training data has leaked into the data that measured this network. "
            "The figures below are not to be believed.**"
        )
        yield _listed(card["leaks"])


def _network(card: Mapping[str, Any]) -> Iterator[str]:
    network = card["network"]
    decoder, encoder = network["config"]["decoder"], network["config"]["encoder"]
    yield (
        "It mends what the lift of a photo gives, and adds what the photo does not show "
        "(docs/training.md). "
        f"Decoder: {decoder['layers']} layers of {decoder['width']}. "
        f"Encoder: {encoder['kind']}, {encoder['image_size']} pixels. "
        f"Card of {card['made'][:10]}."
    )
    numbers = [f"{name} {count / 1e6:.2f} M" for name, count in network["parameters"].items()]
    if numbers:
        yield f"Numbers in its weights: {', '.join(numbers)}."
    rows = [[name, f"{file['bytes']:,}", file["sha256"]] for name, file in network["files"].items()]
    yield _table(["file", "bytes", "SHA-256"], rows)


def _licence(card: Mapping[str, Any]) -> Iterator[str]:
    yield "## Licence"
    licence = card["licence"]
    if licence["free_for_any_use"]:
        yield (
            f"The weights: {licence['licence']}, free for any use. Every asset that the training "
            "data lists is CC0 or in the public domain. The program is under its own licence."
        )
    else:
        yield "**These weights cannot be called free for any use:**"
        yield _listed(licence["why"])


def _data(data: Mapping[str, Any]) -> Iterator[str]:
    yield "## What it learned from"
    sources = ", ".join(f"{count} {name}" for name, count in data["sources"].items())
    yield (
        f"{data['subjects']:,} people ({sources or 'unknown'}), {data['views']:,} views, "
        f"{data['held_out']:,} of them held out. Splits: {_counts(data['splits'])}."
    )
    rows = [[name, _counts(found)] for name, found in data["groups"].items()]
    if rows:
        yield _table(["by", "people"], rows)
    for one in data["sets"]:
        yield (
            f"- {one['name']}: {one['people']} people; {one['title'] or 'a set without a card'}"
            + (f"; seed {one['seed']}" if one["seed"] is not None else "")
            + (f"; `{one['command']}`" if one["command"] else "")
        )
    if data["assets"]:
        yield (
            "Assets in the pictures; the list does not have parts that all people share (eyes, "
            "brows, lashes, teeth):"
        )
        rows = [[asset["name"], asset["licence"] or "unknown"] for asset in data["assets"]]
        yield _table(["asset", "licence"], rows)
    if data["unread"]:
        yield f"Not here any more: {', '.join(data['unread'])}."


def _training(training: Mapping[str, Any]) -> Iterator[str]:
    yield "## Training"
    hours = training["hours"]
    losses = {name: weight for name, weight in (training["losses"] or {}).items() if weight}
    yield _table(
        ["", ""],
        [
            ["steps", f"{training['steps']:,}"],
            ["samples", f"{training['samples']:,}"],
            ["hours", "unknown" if hours is None else f"{hours:.2f}"],
            ["seed", training["seed"]],
            ["losses", ", ".join(f"{name} {weight:g}" for name, weight in losses.items())],
            ["pictures compared by", f"L1, {training['pictures_compared_by'] or 'nothing else'}"],
            ["Likeness", ", ".join(training["likeness"])],
            ["packages", ", ".join(f"{k} {v}" for k, v in training["versions"].items())],
        ],
    )


def _evaluation(card: Mapping[str, Any]) -> Iterator[str]:
    yield "## Figures"
    found = card["evaluation"]
    if found is None:
        yield (
            "None: this network has not been measured. "
            "`likeness eval --network DIR --card` measures it and fills this in."
        )
        return
    settings = found["settings"]
    yield (
        f"Measured on {', '.join(found['data']) or 'unnamed data'} with Likeness "
        f"{found['likeness']}, {str(found['made'])[:10]}; at most {settings['max_gaussians']} "
        f"splats, LPIPS by {settings['lpips_backbone'] or 'nothing (not measured)'}. "
        + (f"{found['failed']} items could not be measured. " if found["failed"] else "")
        + _checked(card["leaks"])
    )
    for name, part in found["protocols"].items():
        ways = [way for way in WAYS if way in (part["mean"] or {})]
        table = list(_kinds(part, ways))
        if table:
            yield f"### {name}: {part['items']} views of {part['people']} people"
            yield _table(["views", *_heads(ways)], table)
        yield from _groups(name, part, ways)


def _checked(found: Sequence[str] | None) -> str:
    if found is None:
        return "Nobody has checked whether these people or their clothes were trained on."
    if found:
        return "LEAKED, see above."
    return "Checked: none of these people, of their assets or their lights were trained on."


def _heads(ways: Sequence[str]) -> list[str]:
    return [f"{name} {way}" for name, _ in FIGURES.values() for way in ways]


def _kinds(part: Mapping[str, Any], ways: Sequence[str]) -> Iterator[list[Any]]:
    means = {"mean": {"mean": part["mean"]}, **(part["kinds"] or {})}
    for kind, one in means.items():
        figures = (one or {}).get("mean") or {}
        if NETWORK in figures:
            yield [kind, *_cells(figures, ways)]


def _cells(figures: Mapping[str, Mapping[str, Any]], ways: Sequence[str]) -> list[str]:
    return [
        "" if (value := figures.get(way, {}).get(name)) is None else f"{value:.{digits}f}"
        for name, (_, digits) in FIGURES.items()
        for way in ways
    ]


def _groups(name: str, part: Mapping[str, Any], ways: Sequence[str]) -> Iterator[str]:
    """People by skin tone, sex, age and hair, with how much worse than the mean each is."""
    rows, worst = [], []
    mean = ((part["mean"] or {}).get(NETWORK) or {}).get("psnr_fg")
    for by, groups in (part["groups"] or {}).items():
        found: list[tuple[float, str]] = []
        for group, one in groups.items():
            figures = one.get("mean") or {}
            if NETWORK not in figures:
                continue
            value, apart = figures[NETWORK].get("psnr_fg"), ""
            if value is not None and mean:
                percent = percent_worse("psnr_fg", value, mean)
                found.append((percent, group))
                apart = f"{-percent:+.1f} %"
            rows.append([by, group, one.get("people", ""), *_cells(figures, ways), apart])
        if found:
            percent, group = max(found)
            inside = "within" if percent <= GOAL else "**outside**"
            worst.append(
                f"{by}: {group} is {percent:.1f} % under the mean PSNR, {inside} {GOAL:g} %"
            )
    if rows:
        yield f"#### {name} by group"
        yield _table(["by", "group", "people", *_heads(ways), "PSNR beside the mean"], rows)
        yield _listed(worst)


def _limits(card: Mapping[str, Any]) -> Iterator[str]:
    yield "## Limits and bias"
    limits = list(card["limits"])
    found = card["evaluation"]
    parts = (found or {}).get("protocols", {}).values()
    if not any(part["groups"] for part in parts):
        limits.append("It has not been measured by skin tone, sex, age or hair.")
    yield _listed(limits)


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _counts(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in found.items()) or "unknown"


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |" for line in lines
    )
