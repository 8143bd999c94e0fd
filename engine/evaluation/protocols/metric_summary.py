"""Means of measured views: by method, by kind of view, by group of people.

Works on records, which are items as ``items.jsonl`` has them. Each person counts once: figures are
means over a person's views first, then over people. A view without a figure does not count in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...dataset.groups import FAR, GROUPS, percent_worse

Record = dict[str, Any]
Means = dict[str, dict[str, float | None]]

JUDGED = ("psnr_fg", "ssim_fg", "lpips", "joints_mm", "face_mm")
"""Figures by which a group may be worse than the rest."""

GAINS = ("psnr", "psnr_fg", "ssim", "ssim_fg", "ms_ssim", "ms_ssim_fg", "lpips", "identity")
"""Figures for which a method's gain over the lift is reported."""

_DIGITS = 5
_BASE = "lift"
FAR_KIND = "30-180"


def summarize_protocol(records: Sequence[Record]) -> dict[str, Any]:
    """Summary of one protocol.

    Returns:
        ``items`` and ``people``: how many counted; ``mean``: method -> figure -> mean;
        ``gains``: see :func:`method_gains`;
        ``kinds``: the same for each kind of view, including those that do not count in ``mean``;
        ``groups``: kind of group -> group -> the same; ``worst``: see :func:`worst_groups`.
    """
    counted = [record for record in records if record["counts"]]
    kinds = {kind: _part([r for r in records if r["kind"] == kind]) for kind in _kinds(records)}
    far = [record for record in counted if record["kind"] in FAR]
    if far:
        kinds[FAR_KIND] = _part(far)
    groups: dict[str, Any] = {}
    for name in GROUPS:
        values = sorted({r["groups"][name] for r in counted if name in r["groups"]})
        if len(values) > 1:
            groups[name] = {
                value: _part([r for r in counted if r["groups"].get(name) == value])
                for value in values
            }
    whole = _part(counted)
    return {**whole, "kinds": kinds, "groups": groups, "worst": worst_groups(whole, groups)}


def method_means(records: Sequence[Record]) -> Means:
    """Method -> figure -> mean over people of the means over their views."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for record in records:
        for method, figures in record["figures"].items():
            for name, value in figures.items():
                people = found.setdefault(method, {}).setdefault(name, {})
                if value is not None:
                    people.setdefault(record["person"], []).append(float(value))
    return {
        method: {
            name: round(float(np.mean([np.mean(v) for v in people.values()])), _DIGITS)
            if people
            else None
            for name, people in figures.items()
        }
        for method, figures in found.items()
    }


def method_gains(records: Sequence[Record]) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """How much better than the lift each other method is, view by view.

    Returns:
        method -> figure -> ``gain``: mean over people of the mean difference over their views;
        ``sem``: the standard error of that mean, None of one person; ``people``; and of SSIM and
        LPIPS ``error_less_pct``: by how many per cent the error (1 - SSIM, or LPIPS) is less.
    """
    pairs: dict[str, dict[str, dict[str, list[tuple[float, float]]]]] = {}
    for record in records:
        base = record["figures"].get(_BASE, {})
        for method, figures in record["figures"].items():
            for name in GAINS if method != _BASE else ():
                before, after = base.get(name), figures.get(name)
                if before is not None and after is not None:
                    people = pairs.setdefault(method, {}).setdefault(name, {})
                    people.setdefault(record["person"], []).append((before, after))
    return {
        method: {name: _gain(name, people) for name, people in figures.items()}
        for method, figures in pairs.items()
    }


def _gain(
    name: str, people: Mapping[str, Sequence[tuple[float, float]]]
) -> dict[str, float | int | None]:
    both = np.array([np.mean(pairs, axis=0) for pairs in people.values()])
    change = (both[:, 1] - both[:, 0]) * (-1.0 if name == "lpips" else 1.0)
    sem = float(change.std(ddof=1) / np.sqrt(len(change))) if len(change) > 1 else None
    out: dict[str, float | int | None] = {
        "gain": round(float(change.mean()), _DIGITS),
        "sem": None if sem is None else round(sem, _DIGITS),
        "people": len(change),
    }
    if name == "lpips" or "ssim" in name:
        before, after = both.mean(0) if name == "lpips" else 1.0 - both.mean(0)
        out["error_less_pct"] = round(100.0 * (1.0 - after / before), 2) if before else None
    return out


def worst_groups(whole: Mapping[str, Any], groups: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each method, figure and kind of group: the worst group and the mean.

    ``worse_by_pct`` says how much worse: the group's distance or LPIPS relative to the mean; for
    SSIM the same with 1 - SSIM; for PSNR the share of the mean's decibels that is missing.
    """
    out: list[dict[str, Any]] = []
    for method, figures in whole["mean"].items():
        for figure in JUDGED:
            mean = figures.get(figure)
            if mean is None:
                continue
            for name, parts in groups.items():
                known = {
                    group: value
                    for group, part in parts.items()
                    if (value := part["mean"].get(method, {}).get(figure)) is not None
                }
                if not known:
                    continue
                group = max(known, key=lambda g: percent_worse(figure, known[g], mean))
                out.append(
                    {
                        "method": method,
                        "figure": figure,
                        "by": name,
                        "group": group,
                        "people": parts[group]["people"],
                        "value": known[group],
                        "mean": mean,
                        "worse_by_pct": round(percent_worse(figure, known[group], mean), 2),
                    }
                )
    return out


def _part(records: Sequence[Record]) -> dict[str, Any]:
    people = {record["person"] for record in records}
    return {
        "items": len(records),
        "people": len(people),
        "mean": method_means(records),
        "gains": method_gains(records),
    }


def _kinds(records: Sequence[Record]) -> list[str]:
    """In the order of the angles, others as they come."""
    found = list(dict.fromkeys(record["kind"] for record in records))
    return sorted(found, key=lambda kind: (kind[:1].isdigit(), _first_number(kind)))


def _first_number(kind: str) -> int:
    digits = kind.partition("-")[0]
    return int(digits) if digits.isdigit() else 0
