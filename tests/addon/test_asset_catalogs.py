"""Catalogs of asset libraries."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.addon.asset_catalogs import CATALOGS_FILE, add_catalogs, catalog_id, catalogs_text
from likeness.engine.core.types import LikenessError


def test_a_catalog_follows_its_parent_and_keeps_its_uuid() -> None:
    lines = catalogs_text(["Poses/Body"]).splitlines()
    assert lines[0] == "VERSION 1"
    assert lines[2:] == [
        f"{catalog_id('Poses')}:Poses:Poses",
        f"{catalog_id('Poses/Body')}:Poses/Body:Poses-Body",
    ]
    # Files in users' hands name it.
    assert catalog_id("Likeness") == "4334b519-79ef-5b20-8511-3f034b6e01fb"


def test_the_users_catalogs_are_kept(tmp_path: Path) -> None:
    file = tmp_path / CATALOGS_FILE
    add_catalogs(tmp_path, ["Likeness"])
    assert file.read_text(encoding="utf-8") == catalogs_text(["Likeness"])
    own = "# mine\nVERSION 1\n\n12:Mine:Mine"
    file.write_text(own, encoding="utf-8")
    for _ in range(2):
        add_catalogs(tmp_path, ["Likeness"])
    added = f"{catalog_id('Likeness')}:Likeness:Likeness"
    assert file.read_text(encoding="utf-8") == f"{own}\n{added}\n"


def test_a_renamed_catalog_stays_renamed(tmp_path: Path) -> None:
    file = tmp_path / CATALOGS_FILE
    renamed = f"VERSION 1\n\n{catalog_id('Likeness')}:People/Scans:People-Scans\n"
    file.write_text(renamed, encoding="utf-8")
    add_catalogs(tmp_path, ["Likeness"])
    assert file.read_text(encoding="utf-8") == renamed


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / CATALOGS_FILE
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(LikenessError, match=CATALOGS_FILE):
        add_catalogs(tmp_path, ["Likeness"])
    assert file.read_bytes() == b"\xff\xfe\xff"
