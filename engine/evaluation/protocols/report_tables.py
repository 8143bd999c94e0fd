"""The tables of a report's page: means, kinds of views, groups, gains, and the papers' figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import compare, estimators, tracking
from .cross_reenactment import CROSS_REENACT
from .metric_summary import Means, Record
from .paper import TABLE
from .reenactment import REENACT

_KNOWN = {**compare.FIGURES, **tracking.FIGURES, **estimators.FIGURES}
OF_AVATARS = ("gaussians", "seconds")  # columns that views and groups do not have
NO_VALUE = "–"


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: as shown.
        mark: ``better``, ``worse``, ``worst`` or nothing.
    """

    text: str
    mark: str = ""


@dataclass(frozen=True)
class Line:
    """A row of a table: its name, cells, and whether it is a difference."""

    name: str
    cells: list[Cell]
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a column of names and others."""

    title: str
    columns: list[str]
    lines: list[Line]
    note: str = ""


def make_sets_table(sets: Mapping[str, Mapping[str, float]]) -> Table:
    """Make the table of figures of whole sets of pictures (:mod:`.picture_sets`)."""
    names = list(dict.fromkeys(name for figures in sets.values() for name in figures))
    lines = [
        Line(method, [Cell(f"{f[name]:.4g}" if name in f else NO_VALUE) for name in names])
        for method, f in sets.items()
    ]
    return Table("Sets of pictures", names, lines)


def list_titles(protocol: str) -> dict[str, tuple[str, int, bool]]:
    """Return the title, digits and direction of a protocol's figures, by name."""
    own = {tracking.TRACKING: tracking.FIGURES, estimators.ESTIMATORS: estimators.FIGURES}
    return own.get(protocol, compare.FIGURES)


def list_figures(protocol: str, records: Iterable[Record]) -> list[str]:
    """List the figures that any view has, in the order of the tables."""
    there = {
        name
        for record in records
        for figures in record["figures"].values()
        for name, value in figures.items()
        if value is not None
    }
    return [name for name in list_titles(protocol) if name in there]


def make_columns(names: Sequence[str]) -> list[str]:
    """Return titles of columns with arrows that say which way is better."""
    known = _KNOWN
    return [known[name][0] + ("\u00a0↑" if known[name][2] else "\u00a0↓") for name in names]


def _text(name: str, value: float | None) -> str:
    digits = _KNOWN[name][1]
    return NO_VALUE if value is None else f"{value:,.{digits}f}"


def _more_is_better(name: str) -> bool:
    return _KNOWN[name][2]


def make_lines(this: Means, other: Means | None, names: Sequence[str]) -> list[Line]:
    """Make lines of this report's methods, then of the other's, then the differences.

    A method that is the same in both is shown once.
    """
    out = [
        Line(method, [Cell(_text(n, figures.get(n))) for n in names])
        for method, figures in this.items()
    ]
    if other is None:
        return out
    pairs = [(label, a, b, subtract_figures(a, b)) for label, a, b in pair_methods(this, other)]
    same = {
        label
        for label, _, _, deltas in pairs
        if not any(deltas.get(name) for name in names if name not in OF_AVATARS)
    }
    out += [
        Line(f"other: {method}", [Cell(_text(n, figures.get(n))) for n in names], "other")
        for method, figures in other.items()
        if method not in same
    ]
    for label, _, _, deltas in pairs:
        if label in same:
            out.append(Line(f"Δ {label}: none", [Cell("") for _ in names], "delta"))
        else:
            cells = [_delta_cell(n, deltas.get(n)) for n in names]
            out.append(Line(f"Δ {label}", cells, "delta"))
    return out


def pair_methods(
    this: Means, other: Means
) -> list[tuple[str, Mapping[str, float | None], Mapping[str, float | None]]]:
    """Pair methods to compare: those of one name, and the last of either, which is judged."""
    out: list[tuple[str, Mapping[str, float | None], Mapping[str, float | None]]] = [
        (method, this[method], other[method]) for method in this if method in other
    ]
    if this and other:
        mine, its = list(this)[-1], list(other)[-1]
        if mine != its:
            out.append((f"{mine} − {its}", this[mine], other[its]))
    return out


def subtract_figures(
    a: Mapping[str, float | None], b: Mapping[str, float | None]
) -> dict[str, float | None]:
    """Return the figures of one method less those of another."""
    out: dict[str, float | None] = {}
    for name in a:
        x, y = a[name], b.get(name)
        out[name] = None if x is None or y is None else round(x - y, 6)
    return out


def _delta_cell(name: str, value: float | None) -> Cell:
    if value is None:
        return Cell(NO_VALUE)
    digits = _KNOWN[name][1]
    text = f"{value:+,.{digits}f}"
    if not float(text.replace(",", "")):
        return Cell(text)
    return Cell(text, "better" if (value > 0) == _more_is_better(name) else "worse")


def make_means_table(
    title: str, part: Mapping[str, Any], other: Mapping[str, Any] | None, names: Sequence[str]
) -> Table:
    """Make the table of a protocol's means."""
    count = f"{part['items']} views of {part['people']} people"
    lines = make_lines(part["mean"], None if other is None else other["mean"], names)
    return Table(title, make_columns(names), lines, count)


def make_kinds_table(
    protocol: str, whole: Mapping[str, Any], other: Mapping[str, Any] | None, names: Sequence[str]
) -> Table:
    """Make the table of the kinds of views, below one another."""
    lines = []
    for kind, part in whole["kinds"].items():
        its = None if other is None else other["kinds"].get(kind, {}).get("mean")
        for k, line in enumerate(make_lines(part["mean"], its, names)):
            name = f"{_kind_title(kind)} ({part['items']}), {line.name}"
            lines.append(Line(name, line.cells, line.kind if k else f"{line.kind} first"))
    frame = {
        tracking.TRACKING: "the angle from the front",
        estimators.ESTIMATORS: "framing",
        REENACT: "frame",
        CROSS_REENACT: "video",
    }
    title = f"By {frame.get(protocol, 'the angle from the reference')}"
    return Table(
        title, make_columns(names), lines, "views in brackets; the input counts in no mean"
    )


def make_gains_table(whole: Mapping[str, Any]) -> Table:
    """Make the table of how much better than the lift the other methods are."""
    rows = {"all that counts": whole, **{_kind_title(k): v for k, v in whole["kinds"].items()}}
    there = {f for part in rows.values() for figures in part["gains"].values() for f in figures}
    names = [name for name in compare.FIGURES if name in there]
    lines = []
    for kind, part in rows.items():
        for k, (method, figures) in enumerate(part["gains"].items()):
            cells = [_gain_cell(name, figures.get(name)) for name in names]
            lines.append(Line(f"{kind}, {method}", cells, "" if k else "first"))
    columns = [
        compare.FIGURES[name][0] + (", error less" if name == "lpips" or "ssim" in name else "")
        for name in names
    ]
    note = (
        "Differences view by view, more is better, ± the standard error over people. Of SSIM and "
        "LPIPS per cent by which the error (1 - SSIM, or LPIPS) is less."
    )
    return Table("Beside the lift", columns, lines, note)


def _gain_cell(name: str, found: Mapping[str, Any] | None) -> Cell:
    if found is None:
        return Cell(NO_VALUE)
    if found.get("error_less_pct") is not None:
        value, text = found["error_less_pct"], f"{found['error_less_pct']:+.1f} %"
    else:
        value, digits = found["gain"], compare.FIGURES[name][1]
        sem = "" if found["sem"] is None else f" ± {found['sem']:.{digits}f}"
        text = f"{value:+.{digits}f}{sem}"
    sure = found["sem"] is None or abs(found["gain"]) > 2 * found["sem"]
    return Cell(text, ("better" if value > 0 else "worse") if value and sure else "")


def _kind_title(kind: str) -> str:
    return f"{kind}°" if kind[:1].isdigit() else kind


def make_group_table(
    group: str,
    parts: Mapping[str, Any],
    whole: Mapping[str, Any],
    other: Mapping[str, Any] | None,
    names: Sequence[str],
) -> Table:
    """Make the table of groups of people; the worst one of each column is marked."""
    shown = [name for name in names if name not in OF_AVATARS]
    worst = {(w["method"], w["figure"]): w for w in whole["worst"] if w["by"] == group}
    lines = []
    for method in whole["mean"]:
        for name, part in parts.items():
            cells = []
            for figure in shown:
                found = worst.get((method, figure))
                here = found is not None and found["group"] == name
                text = _text(figure, part["mean"].get(method, {}).get(figure))
                if here and found is not None:
                    text += f" ({found['worse_by_pct']:+.0f} %)"
                cells.append(Cell(text, "worst" if here else ""))
            lines.append(Line(f"{name} ({part['people']}), {method}", cells))
            if other is not None and name in other:
                pairs = {m: (a, b) for m, a, b in pair_methods(part["mean"], other[name]["mean"])}
                if method in pairs:
                    deltas = subtract_figures(*pairs[method])
                    if not any(deltas.get(f) for f in shown):
                        continue
                    cells = [_delta_cell(f, deltas.get(f)) for f in shown]
                    lines.append(Line(f"Δ {name}, {method}", cells, "delta"))
    note = "people in brackets; the worst group of each method is marked with how much worse it is"
    return Table(f"By {group}", make_columns(shown), lines, note)


def make_paper_table(report: Mapping[str, Any]) -> Table:
    """Make the table of the paper's figures with ours of the nearest protocol below each."""
    columns = ["data", "PSNR ↑", "SSIM ↑", "LPIPS ↓"]
    lines: list[Line] = []
    settings = list(dict.fromkeys(row.setting for row in TABLE))
    for setting in settings:
        rows = [row for row in TABLE if row.setting == setting]
        for row in rows:
            cells = [row.data, f"{row.psnr:.2f}", f"{row.ssim:.4f}", f"{row.lpips:.4f}"]
            lines.append(Line(f"{setting}: {row.method}", [Cell(text) for text in cells]))
        nearest = report["protocols"].get(rows[0].nearest)
        for method, figures in (nearest or {"mean": {}})["mean"].items():
            values = [_text(n, figures.get(n)) for n in ("psnr", "ssim", "lpips")]
            data = f"--protocol {rows[0].nearest}, {nearest['people']} of ours"
            cells = [data, *values]
            lines.append(Line(f"ours: {method}", [Cell(text) for text in cells], "ours"))
    return Table("The paper's table 1 beside ours", columns, lines)
