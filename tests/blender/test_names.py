"""Names and places of avatars in the scene."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

CHECKS = "names_checks"


def test_named_after_the_photos_subject(blender, tmp_path: Path) -> None:
    said = blender(CHECKS, "named", folder=str(tmp_path))
    subject = "anna in a very blue coat"
    assert said["subjects"] == [subject, "hero", "avatar"]
    assert said["written"] == sorted(
        [subject, f"Body {subject}", f"Splats {subject}", f"Camera {subject}"]
    )
    assert said["parts"] == [
        ["anna", "Body anna", "Splats anna", "Camera anna"],
        ["anna.001", "Body anna.001", "Splats anna.001", "Camera anna.001"],
    ]


def test_stands_at_the_cursor_or_beside_others(blender) -> None:
    place = blender(CHECKS, "placed")
    assert place["origin"][:2] == pytest.approx([0, 0], abs=1e-5)
    assert place["cursor"] == pytest.approx([0, 0, place["origin"][2]], abs=1e-5)
    spans = sorted(place["spans"])
    assert len({tuple(span) for span in spans}) == 4
    for left, right in pairwise(spans):
        assert left[1] < right[0]
    for row in place["rows"]:
        assert row == pytest.approx(place["rows"][0], abs=1e-5)
    assert place["cameras"] == pytest.approx([0] * 4, abs=1e-5)


@pytest.mark.parametrize(
    ("size", "cursor", "away"),
    [(2.0, [0, 0, 0], True), (20.0, [0, 0, 0], False), (2.0, [0.1, 0, 0], False)],
)
def test_not_inside_the_default_cube(blender, size: float, cursor: list, away: bool) -> None:
    """A room encloses as well, and whoever places the cursor in a thing means it."""
    moved = blender(CHECKS, "beside_a_cube", size=size, cursor=cursor)
    assert (moved > size / 2) if away else (moved == pytest.approx(0, abs=1e-5))


@pytest.mark.parametrize(("skirt", "ends"), [(False, False), (True, False), (False, True)])
def test_a_deleted_rig_is_built_again(blender, skirt: bool, ends: bool) -> None:
    """With bones named ``hip.L`` as well."""
    found = blender(CHECKS, "rebuilt", skirt=skirt, ends=ends)
    assert found["none_before"] == 0
    assert found["orphan"] == ["Person", ["body", "camera", "shadow", "splats"], True]
    assert max(found["errors"]) < 2e-4
    assert found["name"] == "Person"
    assert found["children"] == ["Body Person", "Shadow Person", "Splats Person"]
    assert found["moved"] == pytest.approx(0, abs=1e-5)
    assert found["left"] == 0
    assert found["other"]


def test_lost_parts_are_listed_and_deleted_alone(blender) -> None:
    found = blender(CHECKS, "lost_parts")
    assert found["found"] == [
        ["Broken", ["body", "camera"], False],
        ["Whole.001", ["armature"], False],
    ]
    assert found["kept"]
    assert found["meshes"] <= 0
    assert found["collections"] == ["Whole"]
