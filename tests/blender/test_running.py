"""Operators that run a job: every way one may go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKS = "running_checks"


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_jobs_life(blender, tmp_path: Path) -> None:
    life = blender(CHECKS, "life", folder=str(tmp_path))
    said, asked, panel = life["running"]
    assert (said, asked) == (["RUNNING_MODAL"], ["modal"])
    assert "label Make Thing" in panel
    assert "label Reading" in panel
    assert any(line.startswith("progress ") and "%" in line for line in panel)
    assert "operator likeness.cancel_job" in panel
    assert 0.3 < life["fraction"] < 1.0
    assert life["mouse"] == ["PASS_THROUGH"]
    assert life["second"][0] == ["CANCELLED"]
    assert "still running" in life["second"][1][0][1]
    assert not life["poll"]
    assert life["escape"] == ["RUNNING_MODAL"]
    assert life["cancelled"] == ["CANCELLED", [["INFO", "Cancelled"]], True]
    assert life["timers"] == 0
    assert life["button"] == ["CANCELLED", []]
    state, reports, panel = life["failed"]
    assert (state, reports[0][0]) == ("CANCELLED", "ERROR")
    assert "label Another." in panel
    assert "operator likeness.copy_report" in panel
    assert life["dismissed"]
    state, reports, objects = life["killed"]
    assert (state, objects) == ("CANCELLED", [])
    assert "memory" in reports[0][1]
    assert life["done"] == [
        "FINISHED",
        [["WARNING", "Small face."]],
        ["made 0", "made 1", "made 2"],
    ]
    assert life["left"] == [0, True]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_undo_and_files_end_what_they_would_hurt(blender_lts, tmp_path: Path) -> None:
    life = blender_lts(CHECKS, "life", folder=str(tmp_path))
    assert life["swallowed"] == ["RUNNING_MODAL"]
    state, reports, objects = life["undone"]
    assert (state, objects) == ("CANCELLED", ["made 0", "made 1", "made 2"])
    assert "interrupted by an undo" in reports[0][1]
    ended, state, reports = life["loaded"]
    assert (ended, state) == (True, "CANCELLED")
    assert "Another file was opened" in reports[0][1]
    assert life["window closed"] == [True, True]
    assert life["disabled"] == [True, True]
    assert life["handlers"] == []
    report = life["report"]
    assert "me and you" not in report
    assert "thing.safetensors" in report
    assert "Blender: " in report
    assert "Stage: " in report


def test_faults_are_told_and_free_the_place(blender_lts) -> None:
    ends = blender_lts(CHECKS, "odd_ends")
    state, reports, report = ends["bad"]
    assert state == ["CANCELLED"]
    assert "ZeroDivisionError: by nobody" in reports[0][1]
    assert "Traceback" in report
    state, reports, _ = ends["wrong"]
    assert (state, reports) == (["CANCELLED"], [["ERROR", "Not this one.\nAnother."]])
    assert ends["free"] == [True, 0]


def test_a_worker_stands_by_while_photos_are_chosen(blender_lts, tmp_path: Path) -> None:
    did = blender_lts(CHECKS, "standing_by", folder=str(tmp_path))
    assert did["one"]
    assert did["used"] == ["first", None]
    assert did["dropped"] == [None, True]
    assert did["after a failure"] is None
    assert did["impossible"] is None


def test_what_is_asked(blender) -> None:
    asked = blender(CHECKS, "asking")
    assert asked["stands by for"] == "build"
    assert asked["menu"][:2] == [["RUNNING_MODAL"], ["browser"]]
    assert asked["drop"] == [["RUNNING_MODAL"], ["dialog"], "me.jpg", []]
    assert asked["drop of three"] == [
        ["RUNNING_MODAL"],
        ["dialog"],
        "me.jpg",
        [["me_back.jpg", "back"], ["me_left.jpg", "left"]],
    ]
    assert asked["avatar menu"][:2] == [["RUNNING_MODAL"], ["browser"]]
    assert asked["avatar drop"][:2] == [["FINISHED"], []]
    assert asked["kept"] == []
    assert asked["undescribed"] == []


def test_a_quality_sets_what_is_not_said(blender) -> None:
    draft, several = blender(CHECKS, "qualities")["values"]
    assert (draft["quality"], draft["refine"], draft["max_gaussians"]) == ("DRAFT", "off", 20_000)
    assert (draft["options"]["below"], draft["options"]["held"]) == ("cut", "remove")
    assert (several["options"]["below"], several["options"]["held"]) == ("full", "keep")
    assert several["others"] == [{"name": "", "path": "/b.png", "direction": "back"}]


def test_a_job_is_drawn_when_it_shows_something_new(blender_lts) -> None:
    assert blender_lts(CHECKS, "redraws") == [1, 1, 2, 2, 3]
