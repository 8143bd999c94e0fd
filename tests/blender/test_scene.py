"""The avatar's objects in Blender against the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import JOINT_NAMES, PARENTS

from tests.blender.versions import in_every_blender

SCENE = "scene_checks"
NODE_GROUP = "node_group_checks"


@pytest.mark.parametrize(("skirt", "count"), [(False, 10), (True, 3)])
def test_posed_as_the_engine_poses(blender, skirt: bool, count: int) -> None:
    """Random poses with expression: body, splats, bones there and back."""
    for figures in blender(SCENE, "poses", count=count, skirt=skirt):
        assert figures["body"] < 1e-4
        assert figures["mean"] < 1e-4
        assert figures["axes"] < 1e-3
        assert figures["sound"] > 0.95
        assert figures["joints"] < 1e-4
        assert figures["transl"] < 1e-5
        assert figures["expression"] < 1e-5


def test_lids_close_as_the_engine_closes_them(blender) -> None:
    """Open, half closed, closed, in a wink, and with actions that limit one another."""
    for figures in blender(SCENE, "blinks"):
        assert figures["body"] < 1e-4
        assert figures["mean"] < 1e-4
        assert figures["sound"] > 0.9


def test_everything_follows_the_armature_object(blender) -> None:
    assert blender(SCENE, "moved_armature")["error"] < 1e-4


def test_person_stands_on_the_floor_at_the_origin(blender) -> None:
    place = blender(SCENE, "standing_place")
    assert place["pelvis"] == pytest.approx([0, 0], abs=1e-5)
    assert place["floor"] == pytest.approx(0, abs=1e-5)
    assert place["origin"] == [0, 0, 0]
    assert place["rest"] == pytest.approx([0, 0, 0], abs=1e-5)
    assert place["distance"] == pytest.approx(place["photo_distance"], abs=1e-4)


def test_objects_turn_and_scale_about_the_feet(blender) -> None:
    figures = blender(SCENE, "turned_about_feet")
    assert max(figures.values()) < 1e-4


def test_older_files_keep_their_place(blender_lts, tmp_path: Path) -> None:
    figures = blender_lts(SCENE, "before_origins", folder=str(tmp_path))
    assert max(figures.values()) < 1e-4


@in_every_blender
def test_objects(blender) -> None:
    made = blender(SCENE, "objects_and_names")
    assert made["bones"] == list(JOINT_NAMES)
    names = [None, *(JOINT_NAMES[p] for p in PARENTS[1:])]
    assert made["parents"] == names
    x, y, z = np.moveaxis(np.array(made["joints"]), -1, 0)
    np.testing.assert_allclose(made["heads"], np.stack([x, -z, y], -1), atol=1e-6)
    assert made["shortest"] > 0.004
    sizes = {"Body": 22 + 3, "Left Hand": 6, "Left Fingers": 15, "Face": 3}
    assert made["collections"].items() >= sizes.items()
    assert made["keys"] == made["expressions"]
    assert all(made["parts_find_avatar"])
    assert len(set(made["two"])) == 2
    assert made["own_camera"]
    assert made["one_group"]
    kinds = ("Lit Splats", "Lit Splats Viewport", "Splats", "Splats Viewport")
    assert made["materials"] == [f"Likeness {kind}" for kind in kinds]
    assert made["stranger"]


def test_failed_import_leaves_nothing(blender, tmp_path: Path) -> None:
    outcome = blender(SCENE, "unreadable_photo", folder=str(tmp_path))
    assert "photo.jpg" in outcome["said"]
    assert outcome["left"] == []


def test_rest_axes_are_mirrored(blender) -> None:
    assert blender(SCENE, "mirrored_rolls")["error"] < 1e-4


def test_splats_are_sorted_for_the_camera(blender) -> None:
    assert blender(SCENE, "sorted_back_to_front", seed=10) == {"falls": True, "count": 3000}


@pytest.mark.parametrize("part", [0.5, 0.25, 0.01])
def test_detail_is_the_engines_level(blender, part: float) -> None:
    """The node group keeps and grows the splats that ``avatar_at`` keeps and grows."""
    figures = blender(SCENE, "detail", part=part, ordered=True)
    assert figures["kept"] == max(1, 5000 * part)
    assert figures["mean"] < 1e-4
    assert figures["axes"] < 1e-3  # as without levels
    if part > 0.2:  # huge splats are not what perspective makes of them in the engine
        assert figures["rgb_db"] > 30
        assert 0.9 < figures["cover"] < 1.2  # sparse random splats: they grow over the outline


def test_an_old_avatar_thins_out_at_random_and_fills_in(blender) -> None:
    figures = blender(SCENE, "detail", part=0.25, ordered=False)
    assert figures["kept"] == 1250
    assert 0.9 < figures["cover"] < 1.3  # splats twice as large reach over the outline


def test_the_node_group_is_made_in_small_slices(blender) -> None:
    """Blender draws between them: most of it at once took a quarter of a second."""
    added = blender(NODE_GROUP, "nodes_in_slices")
    assert sum(added) > 300
    assert max(added) < 25


def test_the_node_group_is_kept_and_appended(blender, tmp_path: Path) -> None:
    """Not when another version made it, nor from a damaged file, which the log names."""
    found = blender(NODE_GROUP, "kept_group", folder=str(tmp_path))
    assert found["same"]
    assert found["built"] == 1
    assert not found["libraries"]
    assert found["after_damage"]
    assert found["built_again"] == 2
    assert len(found["warnings"]) == 1
    assert str(tmp_path) in found["warnings"][0]
    assert (found["other_code"], found["older"]) == (3, False)
    assert found["other_version"] == 4
    assert found["files"] == 2  # a folder and a file
    assert found["without_folder"] == 5
