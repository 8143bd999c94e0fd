"""What a user does in Blender's window: see docs/gui_tests.md for what these tests need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

MOVED = 0.02
"""Metres: more than rounding, less than any pose moves a splat."""


def test_enabled_without_warnings_and_without_heavy_packages(installed: dict[str, Any]) -> None:
    assert installed["result"] == "FINISHED"
    assert installed["heavy"] == []
    assert installed["warnings"] == {}
    assert installed["types"] > 10
    assert installed["left"] == []


def test_dropped_photo_becomes_an_avatar(gui: Any, photo: str) -> None:
    seen = gui("drop_photo", photo=photo)
    assert seen["problem"] is None
    assert len(set(seen["texts"])) >= 4, "the panel tells what is being done"
    assert seen["status"]
    assert seen["avatars"] == [Path(photo).stem]
    assert seen["active"] == Path(photo).stem
    assert seen["warnings"] == {}


def test_cancelled_by_key_and_by_button(gui: Any, photo: str) -> None:
    for how, seen in gui("job_scenarios.cancel", photo=photo).items():
        assert seen["unchanged"], how
        assert not seen["problem"], how


def test_killed_worker_is_told_of_and_the_next_one_runs(gui: Any, photo: str) -> None:
    seen = gui("job_scenarios.kill_worker", photo=photo)
    assert "memory" in seen["message"] or "ended" in seen["message"]
    assert seen["remedy"]
    assert str(Path(photo).parent) not in seen["report"], "a report tells no folders"
    assert seen["unchanged"]
    assert seen["next"] == 1


def test_photo_of_nobody(gui: Any, nobody: str) -> None:
    seen = gui("job_scenarios.bad_photo", photo=nobody)
    assert "nobody.png" in seen["message"]
    assert seen["unchanged"]


def test_import_is_one_undo_step(gui: Any, avatar: str) -> None:
    seen = gui("undo", avatar=avatar)
    assert {"ARMATURE", "CAMERA", "MESH"} <= set(seen["imported"])
    assert seen["undone"] == seen["before"]
    assert seen["redone"] == seen["imported"]
    assert seen["moved"] > MOVED


def test_posed_with_the_keyboard(gui: Any, avatar: str) -> None:
    seen = gui("pose", avatar=avatar)
    assert seen["turned"] > MOVED
    assert seen["undone"] < 1e-4
    assert seen["expression"] > 0.005
    assert seen["mode"] == "POSE"


def test_saved_and_opened_again(gui: Any, avatar: str, tmp_path: Path) -> None:
    seen = gui("save_reload", avatar=avatar, folder=str(tmp_path))
    assert seen["same"] < 1e-4
    assert seen["moved"] > MOVED
    assert seen["fast"] == [[True, "SOLID"]] * 2


def test_keys_act_on_whole_avatars(gui: Any, avatar: str) -> None:
    seen = gui("keys_on_avatars", avatar=avatar)
    assert seen["two"] == 2
    assert seen["undone"]
    name = Path(avatar).stem
    assert seen["gone"] == sorted([name, f"Body {name}", f"Camera {name}", f"Splats {name}"])
    assert not seen["cube"]


def test_duplicated_and_deleted(gui: Any, avatar: str) -> None:
    seen = gui("duplicate_delete", avatar=avatar)
    assert len(seen["names"]) == 2
    assert seen["untouched"] < 1e-5
    assert len(seen["left"]) == 1
    assert seen["back"] == 2


def test_disabled_while_a_job_runs(gui: Any, photo: str) -> None:
    seen = gui("job_scenarios.disable_while_running", photo=photo)
    assert seen["ended"]
    assert seen["left"] == []
    assert seen["unchanged"]
    assert seen["again"]


def test_another_file_opened_while_a_job_runs(gui: Any, photo: str) -> None:
    seen = gui("job_scenarios.open_file_while_running", photo=photo)
    assert seen["ended"]
    assert not seen["running"]
    assert seen["message"]
    assert seen["avatars"] == 0


def test_undo_while_a_job_runs(gui: Any, photo: str) -> None:
    seen = gui("job_scenarios.undo_while_running", photo=photo)
    assert seen["moved"] != seen["back"]
    assert seen["came"] == 1
    assert seen["undone"] == 0
    assert seen["cube"]


def test_fast_splats_are_shown_with_bones_on_top(gui: Any, avatar: str) -> None:
    seen = gui("view_scenarios.fast_splats", avatar=avatar)
    assert seen["fast"]
    assert seen["shading"] == "SOLID", "there is no need for another shading"
    assert seen["covered"] > 0.03, "the splats"
    assert seen["bone pixels"][1] > 100
    assert seen["hidden"] < 0.1, "bones under the splats"
    assert seen["clicked"] == "left_elbow"
    assert seen["solid views without fast splats"] == 0, "they would show grey shreds"


def test_photo_shows_behind_the_splats(gui: Any, avatar: str, photo: str) -> None:
    assert gui("view_scenarios.photo_behind", avatar=avatar, photo=photo)["changed"] > 0.05


def test_video_animates_the_avatar_with_the_zips_own_packages(
    gui: Any, avatar: str, video: str
) -> None:
    seen = gui("animate_from_video", avatar=avatar, video=video)
    assert seen["problem"] is None
    assert seen["action"]
    assert seen["frames"] == [1, 6]
