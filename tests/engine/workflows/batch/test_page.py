"""The report's page and the files for machines."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.workflows.batch.batch_run import BatchRun
from likeness.engine.workflows.batch.batch_summary import ITEMS_FILE, SUMMARY_FILE, write_summary
from likeness.engine.workflows.batch.portrait_spec import PortraitSpec
from likeness.engine.workflows.batch.report_page import write_batch_report

from .bench import photos, ran

EVIL = "a&b '<img src=x onerror=alert(1)> %41#?\n\"c"


class Page(HTMLParser):
    """What a page loads and links, its cards, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.cards: list[dict[str, str | None]] = []
        self.scripts = 0
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.links += [str(said[name]) for name in ("src", "href") if name in said]
        self.scripts += tag == "script"
        assert not any(name.startswith("on") for name in said)
        if tag == "section":
            self.cards.append(said)
        if tag not in ("meta", "img", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def batch(tmp_path: Path) -> BatchRun:
    asked = photos(tmp_path / "in", a="anna", b="hands", c="cat")
    odd = tmp_path / "in" / f"{EVIL}.jpg".replace("/", "_")
    odd.write_text("odd")
    lost = tmp_path / "in" / "\udcff.jpg"
    out = tmp_path / "out"
    return ran(out, [*asked, PortraitSpec(odd), PortraitSpec(lost)])[0]


def test_the_page_opens_offline_and_shows_all(batch: BatchRun, tmp_path: Path) -> None:
    page = write_batch_report(batch, "likeness batch <in>")
    text = page.read_text(encoding="utf-8")
    found = Page(text)
    assert not found.open
    assert found.scripts == 1
    assert [card["data-state"] for card in found.cards] == [
        "done",
        "warnings",
        "failed",
        "done",
        "failed",
    ]
    assert len(found.links) > 10
    for link in found.links:
        assert "://" not in link
        assert (page.parent / unquote(link, errors="surrogateescape")).exists(), link
    pictures = [link for link in found.links if link.startswith("pictures/")]
    assert len(pictures) == 2 + 2 + 1 + 2
    for words in (
        "no hands",
        "is a cat.",
        "Take a person.",
        "1,234",
        "cannot be read",
        "likeness batch <in>",
        "3 done, 2 failed",
    ):
        assert words in found.text
    assert "<img src=x" not in text
    assert "<img src=x onerror" in found.text  # as words


def test_the_report_keeps_no_pictures_of_people_that_it_does_not_show(
    batch: BatchRun, tmp_path: Path
) -> None:
    page = write_batch_report(batch, "")
    pictures = page.parent / "pictures"
    (pictures / "mine.jpg").write_bytes(b"of the user")
    assert len(list(pictures.iterdir())) == 8
    again = ran(tmp_path / "out", photos(tmp_path / "in", a="anna"))[0]
    text = write_batch_report(again, "").read_text(encoding="utf-8")
    shown = {link.partition("/")[2] for link in Page(text).links if link.startswith("pictures/")}
    assert {path.name for path in pictures.iterdir()} == {"mine.jpg", *shown}


def test_files_for_machines(batch: BatchRun) -> None:
    said = write_summary(batch, "likeness batch in")
    out = batch.folder.out
    assert json.loads((out / SUMMARY_FILE).read_text()) == said
    assert (said["portraits"], said["done"], said["failed"], said["left"]) == (5, 3, 2, 0)
    assert said["with_warnings"] == 1
    assert len(said["failures"]) == 2
    lines = [json.loads(line) for line in (out / ITEMS_FILE).read_text().splitlines()]
    assert [line["status"] for line in lines] == ["done", "done", "failed", "done", "failed"]
    assert lines[0]["figures"]["ssim"] == 0.5
    assert lines[0]["figures"]["gaussians"] == 1234
    assert lines[2]["remedy"] == "Take a person."
    assert "avatar.safetensors" in lines[0]["files"]


def test_what_was_not_come_to_is_left(tmp_path: Path) -> None:
    asked = photos(tmp_path / "in", a="anna")
    batch, _ = ran(tmp_path / "out", asked)
    batch.items["a"].status = "left"
    found = Page(write_batch_report(batch, "").read_text(encoding="utf-8"))
    assert found.cards[0]["data-state"] == "left"
    assert write_summary(batch, "")["left"] == 1


def size_of(folder: Path) -> int:
    files = json.loads((folder / "out" / "a" / "batch.json").read_text())["files"]
    return int(files["report.json"]["size"])


def test_a_report_of_a_damaged_result_is_still_written(batch: BatchRun, tmp_path: Path) -> None:
    (tmp_path / "out" / "a" / "report.json").write_text('{"warnings": [')
    asked = photos(tmp_path / "in", a="anna")
    batch = ran(tmp_path / "out", asked)[0]  # made again: its size is another
    assert not batch.items["a"].warnings
    for odd in ('{"warnings": 3, "seconds": "long"}', "[]", "3"):
        (tmp_path / "out" / "a" / "report.json").write_text(odd.ljust(size_of(tmp_path)))
        assert "a" in ran(tmp_path / "out", asked)[0].items
    batch.items["a"].report = {"input_view": [], "gaussians": "many", "seconds": None}
    assert Page(write_batch_report(batch, "").read_text(encoding="utf-8")).cards
    (tmp_path / "out" / "report" / "index.html").unlink()
    (tmp_path / "out" / "report" / "index.html").mkdir()
    with pytest.raises(LikenessError, match=r"index\.html"):
        write_batch_report(batch, "")
