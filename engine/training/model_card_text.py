"""A network's card for readers: Markdown with a metadata header, from what ``card.json`` holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..dataset.groups import percent_worse

TEMPLATE = Path(__file__).with_name("model_card_template.md")
NETWORK = "network"
METHODS = ("lift", "lift-small", NETWORK, f"{NETWORK}+refine")
"""Of the evaluation's methods: the lift, the same with the network's number of splats, ..."""

FIGURES = {
    "psnr_fg": ("PSNR, dB", 2),
    "ssim_fg": ("SSIM", 4),
    "ms_ssim": ("MS-SSIM", 4),
    "lpips": ("LPIPS", 4),
}
"""The tables' figures, of the person's pixels where possible: title and digits."""

GOAL = 10.0
"""Maximum per cent by which the worst group may be worse than the mean."""


def format_card(card: Mapping[str, Any]) -> str:
    """Format the page.

    Args:
        card: As :func:`.model_card.write_model_card` writes it.

    Returns:
        Markdown with the header that the Hugging Face Hub reads.
    """
    import jinja2
    from huggingface_hub import ModelCard, ModelCardData

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "bullets": lambda lines: "\n".join(f"- {line}" for line in lines),
        "counts": lambda found: ", ".join(f"{k} {v}" for k, v in found.items()) or "unknown",
        "row": _row,
        "thousands": "{:,}".format,
    }
    header = ModelCardData(
        license=str(card["licence"]["licence"] or "other").lower(),
        model_name=f"Likeness, {card['network']['name']}",
        pipeline_tag="image-to-3d",
        tags=["gaussian-splatting", "avatar"],
    )
    protocols = [
        _protocol(name, part)
        for name, part in (card["evaluation"] or {"protocols": {}})["protocols"].items()
    ]
    limits = list(card["limits"])
    if not any(part["groups"] for part in protocols):
        limits.append("It has not been measured by skin tone, sex, age or hair.")
    losses = {k: f"{v:g}" for k, v in (card["training"]["losses"] or {}).items() if v}
    page = environment.get_template(TEMPLATE.name).render(
        {
            **card,
            "header": header.to_yaml(),
            "protocols": protocols,
            "limits": limits,
            "losses": losses,
        }
    )
    return str(ModelCard(page))


def _row(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


def _protocol(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of a protocol, as the template shows them."""
    methods = [method for method in METHODS if method in (part["mean"] or {})]
    means = {"mean": {"mean": part["mean"]}, **(part["kinds"] or {})}
    kinds = {kind: (one or {}).get("mean") or {} for kind, one in means.items()}
    groups, worst = [], []
    mean = ((part["mean"] or {}).get(NETWORK) or {}).get("psnr_fg")
    for by, found in (part["groups"] or {}).items():
        percents: list[tuple[float, str]] = []
        for group, one in found.items():
            figures = one.get("mean") or {}
            if NETWORK not in figures:
                continue
            value, relative = figures[NETWORK].get("psnr_fg"), ""
            if value is not None and mean:
                percents.append((percent_worse("psnr_fg", value, mean), group))
                relative = f"{-percents[-1][0]:+.1f} %"
            groups.append([by, group, one.get("people", ""), *_cells(figures, methods), relative])
        if percents:
            percent, group = max(percents)
            verdict = "within" if percent <= GOAL else "**outside**"
            worst.append(
                f"{by}: {group} is {percent:.1f} % under the mean PSNR, {verdict} {GOAL:g} %"
            )
    return {
        "name": name,
        "items": part["items"],
        "people": part["people"],
        "heads": [f"{title} {method}" for title, _ in FIGURES.values() for method in methods],
        "kinds": [[kind, *_cells(f, methods)] for kind, f in kinds.items() if NETWORK in f],
        "groups": groups,
        "worst": worst,
    }


def _cells(figures: Mapping[str, Mapping[str, Any]], methods: Sequence[str]) -> list[str]:
    return [
        "" if (value := figures.get(method, {}).get(name)) is None else f"{value:.{digits}f}"
        for name, (_, digits) in FIGURES.items()
        for method in methods
    ]
