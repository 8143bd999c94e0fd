"""What the page's search looks at, and how it counts."""

from __future__ import annotations

import re
from pathlib import Path

from likeness.engine.workflows.batch.report_page import write_batch_report

from .bench import photos, ran


def page_of(tmp_path: Path, **texts: str) -> str:
    batch, _ = ran(tmp_path / "out", photos(tmp_path / "in", **texts))
    return write_batch_report(batch, "").read_text(encoding="utf-8")


def test_the_search_looks_at_names_photos_and_messages_alone(tmp_path: Path) -> None:
    """Labels and captions are the same on every card."""
    text = page_of(tmp_path, a="anna", b="hands", c="cat")
    searched = re.findall(r"data-search>([^<]*)<", text)
    photo = (tmp_path / "in" / "c.jpg").as_posix()
    assert searched == [
        str(tmp_path / "in" / "a.jpg"),
        str(tmp_path / "in" / "b.jpg"),
        "no hands",
        str(tmp_path / "in" / "c.jpg"),
        f"&#39;{photo}&#39; is a cat.",
    ]
    script = text.partition("<script>")[2]
    assert "[data-search]" in script
    assert "dataset.name" in script
    assert "card.textContent" not in script


def test_one_portrait_is_no_portraits(tmp_path: Path) -> None:
    text = page_of(tmp_path, a="anna")
    assert "<title>Likeness: 1 portrait</title>" in text
    assert "<h1>1 portrait: 1 done" in text
    assert "<h1>2 portraits: 2 done" in page_of(tmp_path, a="anna", b="bob")
