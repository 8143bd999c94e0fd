"""The page of a report: one HTML file that works offline, with the pictures beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...dataset.groups import INPUT
from .cross_reenactment import CROSS_REENACT
from .items import REFERENCE, TRUTH
from .metric_summary import Record, summarize_protocol
from .paper import DIFFERS
from .report_folder import EarlierReport
from .report_tables import (
    NO_VALUE,
    OF_AVATARS,
    Table,
    list_figures,
    list_titles,
    make_columns,
    make_gains_table,
    make_group_table,
    make_kinds_table,
    make_lines,
    make_means_table,
    make_paper_table,
    make_sets_table,
    pair_methods,
    subtract_figures,
)

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

_MAX_IN_A_ROW = 6  # pictures


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
        paper=make_paper_table(report),
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
                label: {f: d for f, d in subtract_figures(a, b).items() if d is not None}
                for label, a, b in pair_methods(mine["mean"], his["mean"])
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
    names = list_figures(name, [*shown, *theirs.values()])
    tables = [make_means_table("All that counts", whole, facing, names)]
    if len(whole["kinds"]) > 1 or INPUT in whole["kinds"]:
        tables.append(make_kinds_table(name, whole, facing, names))
    if any(part["gains"] for part in whole["kinds"].values()):
        tables.append(make_gains_table(whole))
    for group, parts in whole["groups"].items():
        its = None if facing is None else facing["groups"].get(group, {})
        tables.append(make_group_table(group, parts, whole, its, names))
    if sets := report["protocols"][name].get("sets"):
        tables.append(make_sets_table(sets))
    figure, more = _LEADING.get(name, _USUALLY)
    cards = [
        _card(record, theirs.get(record["key"]), other, names, folder)
        for record in sorted(own, key=lambda record: _badness(record, figure, more))
    ]
    failed = [f"{f['key']}: {f['reason']}" for f in report["failed"] if f["protocol"] == name]
    title = list_titles(name)[figure][0]
    return Section(name, TITLES[name], notes, tables, cards, f"worst {title} first", failed)


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
    shown = [name for name in names if name not in OF_AVATARS]
    table = Table("", make_columns(shown), make_lines(record["figures"], its, shown))
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
    return NO_VALUE if value is None else str(value)
