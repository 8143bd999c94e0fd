"""The page of a report: one HTML file that works offline, with the pictures beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...dataset.groups import INPUT
from . import compare, estimators, tracking
from .cross_reenactment import CROSS_REENACT
from .items import REFERENCE, TRUTH
from .metric_summary import Means, Record, summarize_protocol
from .paper import DIFFERS, TABLE
from .reenactment import REENACT
from .report_folder import EarlierReport

TEMPLATE = Path(__file__).with_name("page.html")

TITLES = {
    "input": "Input view of photos",
    "crossview": "Other views of synthetic people",
    "crossview-tracked": "Other views of synthetic people, through our own tracker",
    "reenact": "Reenactment of videos",
    "cross-reenact": "Photos moved by other people's videos",
    "tracking": "Tracking of synthetic people",
    "estimators": "Estimators, by what is visible",
}

_LEADING = {
    "tracking": ("joints_mm", False),
    "estimators": ("joints_mm", False),
    CROSS_REENACT: ("identity", True),
}
_USUALLY = ("psnr_fg", True)
"""By which figure views are sorted, worst first, and whether more of it is better."""

_KNOWN = {**compare.FIGURES, **tracking.FIGURES, **estimators.FIGURES}
_OF_AVATARS = ("gaussians", "seconds")  # columns that views and groups do not have
_NONE = "–"
_MAX_IN_A_ROW = 6  # pictures


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


@dataclass(frozen=True)
class PageImage:
    """A picture's file and its caption."""

    path: str
    caption: str


@dataclass(frozen=True)
class ViewCard:
    """One view: title, figures, pictures."""

    key: str
    about: str
    table: Table
    rows: list[list[PageImage]]


@dataclass(frozen=True)
class Section:
    """One protocol on the page."""

    name: str
    title: str
    notes: list[str]
    tables: list[Table]
    cards: list[ViewCard]
    order: str
    failed: list[str] = field(default_factory=list)


def write_page(
    path: Path,
    report: Mapping[str, Any],
    records: Sequence[Record],
    other: EarlierReport | None = None,
) -> None:
    """Write the page of a report.

    Args:
        path: the HTML file.
        report: as in ``report.json``.
        records: as in ``items.jsonl``.
        other: a report to compare with; its pictures are copied to the page's folder.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE.name)
    sections = [_section(name, report, records, other, path.parent) for name in report["protocols"]]
    text = page.render(
        title="Likeness: evaluation",
        report=report,
        sections=sections,
        settings=list(_settings(report, other)),
        paper=_paper_table(report),
        general=DIFFERS["all"],
        other=None if other is None else other.name,
    )
    path.write_text(text + "\n", encoding="utf-8")


def compare_runs(records: Sequence[Record], other: EarlierReport) -> dict[str, Any]:
    """The comparison of two runs for ``report.json``.

    For each protocol, over the views that both have: the means of either, and this run's less the
    other's.
    """
    out: dict[str, Any] = {}
    for name in dict.fromkeys(record["protocol"] for record in records):
        ours, theirs = _shared(name, records, other)
        mine, his = summarize_protocol(ours), summarize_protocol(theirs)
        out[name] = {
            "items": len(ours),
            "this": mine["mean"],
            "other": his["mean"],
            "delta": {
                label: {f: d for f, d in _deltas(a, b).items() if d is not None}
                for label, a, b in _pairs(mine["mean"], his["mean"])
            },
        }
    return out


def _shared(
    name: str, records: Sequence[Record], other: EarlierReport
) -> tuple[list[Record], list[Record]]:
    ours = [r for r in records if r["protocol"] == name and (name, r["key"]) in other.records]
    return ours, [other.records[name, record["key"]] for record in ours]


def _section(
    name: str,
    report: Mapping[str, Any],
    records: Sequence[Record],
    other: EarlierReport | None,
    folder: Path,
) -> Section:
    own = [record for record in records if record["protocol"] == name]
    theirs: dict[str, Record] = {}
    notes = [*DIFFERS.get(name, ()), *report["protocols"][name].get("notes", ())]
    shown, facing = own, None
    if other is not None:
        shown, beside = _shared(name, records, other)
        theirs = {record["key"]: record for record in beside}
        facing = summarize_protocol(beside)
        if len(shown) < len(own):
            notes.append(
                f"Tables are over the {len(shown)} views that both reports have; "
                f"{len(own) - len(shown)} are only in this one."
            )
    whole = summarize_protocol(shown)
    names = _figure_names(name, [*shown, *theirs.values()])
    tables = [_means_table("All that counts", whole, facing, names)]
    if len(whole["kinds"]) > 1 or INPUT in whole["kinds"]:
        tables.append(_kinds_table(name, whole, facing, names))
    if any(part["gains"] for part in whole["kinds"].values()):
        tables.append(_gains_table(whole))
    for group, parts in whole["groups"].items():
        its = None if facing is None else facing["groups"].get(group, {})
        tables.append(_group_table(group, parts, whole, its, names))
    if sets := report["protocols"][name].get("sets"):
        tables.append(_sets_table(sets))
    figure, more = _LEADING.get(name, _USUALLY)
    cards = [
        _card(record, theirs.get(record["key"]), other, names, folder)
        for record in sorted(own, key=lambda record: _badness(record, figure, more))
    ]
    failed = [f"{f['key']}: {f['reason']}" for f in report["failed"] if f["protocol"] == name]
    title = _titles(name)[figure][0]
    return Section(name, TITLES[name], notes, tables, cards, f"worst {title} first", failed)


def _sets_table(sets: Mapping[str, Mapping[str, float]]) -> Table:
    """Figures of whole sets of pictures (:mod:`.picture_sets`)."""
    names = list(dict.fromkeys(name for figures in sets.values() for name in figures))
    lines = [
        Line(method, [Cell(f"{f[name]:.4g}" if name in f else _NONE) for name in names])
        for method, f in sets.items()
    ]
    return Table("Sets of pictures", names, lines)


def _titles(protocol: str) -> dict[str, tuple[str, int, bool]]:
    own = {tracking.TRACKING: tracking.FIGURES, estimators.ESTIMATORS: estimators.FIGURES}
    return own.get(protocol, compare.FIGURES)


def _figure_names(protocol: str, records: Iterable[Record]) -> list[str]:
    """Figures that any view has, in the order of the tables."""
    there = {
        name
        for record in records
        for figures in record["figures"].values()
        for name, value in figures.items()
        if value is not None
    }
    return [name for name in _titles(protocol) if name in there]


def _columns(names: Sequence[str]) -> list[str]:
    known = _KNOWN
    return [known[name][0] + ("\u00a0↑" if known[name][2] else "\u00a0↓") for name in names]


def _text(name: str, value: float | None) -> str:
    digits = _KNOWN[name][1]
    return _NONE if value is None else f"{value:,.{digits}f}"


def _more_is_better(name: str) -> bool:
    return _KNOWN[name][2]


def _lines(this: Means, other: Means | None, names: Sequence[str]) -> list[Line]:
    """Lines of this report's methods, then of the other's, then the differences.

    A method that is the same in both is shown once.
    """
    out = [
        Line(method, [Cell(_text(n, figures.get(n))) for n in names])
        for method, figures in this.items()
    ]
    if other is None:
        return out
    pairs = [(label, a, b, _deltas(a, b)) for label, a, b in _pairs(this, other)]
    same = {
        label
        for label, _, _, deltas in pairs
        if not any(deltas.get(name) for name in names if name not in _OF_AVATARS)
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


def _pairs(
    this: Means, other: Means
) -> list[tuple[str, Mapping[str, float | None], Mapping[str, float | None]]]:
    """Methods to compare: those of the same name, and the last of either, which is judged."""
    out: list[tuple[str, Mapping[str, float | None], Mapping[str, float | None]]] = [
        (method, this[method], other[method]) for method in this if method in other
    ]
    if this and other:
        mine, its = list(this)[-1], list(other)[-1]
        if mine != its:
            out.append((f"{mine} − {its}", this[mine], other[its]))
    return out


def _deltas(
    a: Mapping[str, float | None], b: Mapping[str, float | None]
) -> dict[str, float | None]:
    out: dict[str, float | None] = {}
    for name in a:
        x, y = a[name], b.get(name)
        out[name] = None if x is None or y is None else round(x - y, 6)
    return out


def _delta_cell(name: str, value: float | None) -> Cell:
    if value is None:
        return Cell(_NONE)
    digits = _KNOWN[name][1]
    text = f"{value:+,.{digits}f}"
    if not float(text.replace(",", "")):
        return Cell(text)
    return Cell(text, "better" if (value > 0) == _more_is_better(name) else "worse")


def _means_table(
    title: str, part: Mapping[str, Any], other: Mapping[str, Any] | None, names: Sequence[str]
) -> Table:
    count = f"{part['items']} views of {part['people']} people"
    lines = _lines(part["mean"], None if other is None else other["mean"], names)
    return Table(title, _columns(names), lines, count)


def _kinds_table(
    protocol: str, whole: Mapping[str, Any], other: Mapping[str, Any] | None, names: Sequence[str]
) -> Table:
    """Kinds of views below one another."""
    lines = []
    for kind, part in whole["kinds"].items():
        its = None if other is None else other["kinds"].get(kind, {}).get("mean")
        for k, line in enumerate(_lines(part["mean"], its, names)):
            name = f"{_kind_title(kind)} ({part['items']}), {line.name}"
            lines.append(Line(name, line.cells, line.kind if k else f"{line.kind} first"))
    frame = {
        tracking.TRACKING: "the angle from the front",
        estimators.ESTIMATORS: "framing",
        REENACT: "frame",
        CROSS_REENACT: "video",
    }
    title = f"By {frame.get(protocol, 'the angle from the reference')}"
    return Table(title, _columns(names), lines, "views in brackets; the input counts in no mean")


def _gains_table(whole: Mapping[str, Any]) -> Table:
    """How much better than the lift the other methods are, by kind of view."""
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
        return Cell(_NONE)
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


def _group_table(
    group: str,
    parts: Mapping[str, Any],
    whole: Mapping[str, Any],
    other: Mapping[str, Any] | None,
    names: Sequence[str],
) -> Table:
    """Groups of people below one another; the worst one of each column is marked."""
    shown = [name for name in names if name not in _OF_AVATARS]
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
                pairs = {m: (a, b) for m, a, b in _pairs(part["mean"], other[name]["mean"])}
                if method in pairs:
                    deltas = _deltas(*pairs[method])
                    if not any(deltas.get(f) for f in shown):
                        continue
                    cells = [_delta_cell(f, deltas.get(f)) for f in shown]
                    lines.append(Line(f"Δ {name}, {method}", cells, "delta"))
    note = "people in brackets; the worst group of each method is marked with how much worse it is"
    return Table(f"By {group}", _columns(shown), lines, note)


def _badness(record: Record, figure: str, more: bool) -> tuple[bool, float, str]:
    """Key that sorts the judged method's worst first; a record without the figure is worst."""
    methods = list(record["figures"])
    value = record["figures"][methods[-1]].get(figure) if methods else None
    if value is None:
        return False, 0.0, record["key"]
    return True, value if more else -value, record["key"]


def _card(
    record: Record,
    beside: Record | None,
    other: EarlierReport | None,
    names: Sequence[str],
    folder: Path,
) -> ViewCard:
    facts = {**record["about"], **record["groups"]}
    about = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    its = None if beside is None else beside["figures"]
    shown = [name for name in names if name not in _OF_AVATARS]
    table = Table("", _columns(shown), _lines(record["figures"], its, shown))
    pictures = dict(record["pictures"])
    copied: dict[str, str] = {}
    judged = ""
    if beside is not None and other is not None:
        copied = other.copied(beside, folder)
        judged = list(beside["figures"])[-1]
    ours = list(record["figures"])
    first = [(name, name, pictures) for name in (REFERENCE, *ours)]
    first += [(f"other: {judged}", judged, copied), (TRUTH, TRUTH, pictures)]
    names_of_differences = [f"{method} difference" for method in ours]
    first += [(name, name, pictures) for name in names_of_differences]
    first += [(f"other: {judged} difference", f"{judged} difference", copied)]
    row = [PageImage(files[name], caption) for caption, name, files in first if name in files]
    rows = [row]
    if len(row) > _MAX_IN_A_ROW:
        off = [picture for picture in row if picture.caption.endswith(" difference")]
        rows = [[picture for picture in row if picture not in off], off]
    shown_already = {name for _, name, files in first if files is pictures}
    rest: dict[str, list[PageImage]] = {}
    for name, path in pictures.items():
        if name not in shown_already:
            turned = rest.setdefault(name.partition(" at ")[2], [])
            turned.append(PageImage(path, name))
            if name in copied:
                turned.append(PageImage(copied[name], f"other: {name}"))
    return ViewCard(record["key"], about, table, [*rows, *rest.values()])


def _settings(
    report: Mapping[str, Any], other: EarlierReport | None
) -> Iterable[tuple[str, str, str]]:
    """Name, value, and the other report's value where it differs."""
    theirs = {} if other is None else other.report.get("settings", {})
    for name, value in report["settings"].items():
        text = _plain(value)
        its = _plain(theirs.get(name)) if other is not None else ""
        yield name.replace("_", " "), text, its if its != text else ""


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return _NONE if value is None else str(value)


def _paper_table(report: Mapping[str, Any]) -> Table:
    """The paper's figures with ours of the nearest protocol below each setting."""
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
