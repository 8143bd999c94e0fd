"""Retouching: splats erased, restored, tinted and moved by hand, painted and sculpted."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.retouch import remove_retouch
from likeness.engine.formats.avatar import load_avatar, load_editable_avatar
from likeness.engine.formats.ply import SH_C0, read_ply
from likeness.engine.formats.usd import texture_path
from likeness.engine.workflows.export_files import ExportOptions, make_mesh
from PIL import Image

_spec = importlib.util.spec_from_file_location(
    "exported", Path(__file__).parents[1] / "engine" / "formats" / "exported.py"
)
exported = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exported)

RETOUCH, PROXY = "retouch_checks", "proxy_checks"


def test_selected_splats_are_erased_tinted_and_moved_and_come_back(blender, tmp_path: Path) -> None:
    made = blender(RETOUCH, "retouch", folder=str(tmp_path))
    assert "No splats are selected" in made["nothing"]
    assert made["mode"] == made["still"] == "EDIT_MESH"
    assert made["cage"] < 1e-5, "the triangles to select lie where the splats are seen"
    assert made["laid"], "laying them changes nothing that is drawn"
    assert made["erased"]
    assert made["undone"]
    assert made["moved"] == "FINISHED"
    assert made["by"] == pytest.approx([0.0, 0.1, 0.0], abs=1e-5)  # up, in the engine's axes
    assert made["others"] < 1e-6
    assert made["facts"] == {"erased": 40, "recolored": 40, "moved": 40}
    assert made["edits"] == 1
    assert made["median"] == pytest.approx([0.8, 0.2, 0.1], abs=0.1)
    assert made["order"] > 0.9, "what was lighter stays lighter"
    assert made["colors"], "the colors of the photo stay beside their edits"
    assert made["saved"] == 0.0
    assert made["shown"] == made["ply"] == 560
    assert made["opened"]
    assert made["drawn"][39] == 0.0 < made["drawn"][40]
    assert made["albedo"]
    assert made["restored"], "to the last bit"
    assert made["left"] == {}


def test_the_shadow_proxy_follows_what_is_erased(blender_lts) -> None:
    out = blender_lts("retouch_checks", "shadow")
    first, few, none, brushed = out["covered"]
    assert first > few > none == 0
    assert brushed < first
    assert out["back"]
    assert out["proxy"]


def test_slices_that_end_early_leave_nothing(blender_lts) -> None:
    left = blender_lts("ending_checks", "ended_slices")
    assert left == ["timer", "put back", "cancelled", "put back", "timer", "failed"]


def test_unusual_ways_to_edit(blender_lts) -> None:
    made = blender_lts(RETOUCH, "unusual")
    assert made["median"] == pytest.approx([0.2, 0.3, 0.4], abs=0.01), "counted from what is seen"
    assert not made["none"]
    assert made["part"] == "FINISHED"
    assert made["erased"] == 300
    assert "splat_rgb" in made["old"]
    assert "Import its avatar file again" in made["old"]


def test_triangles_follow_what_is_restored(blender_lts) -> None:
    made = blender_lts(RETOUCH, "cage")
    assert made["moved"] == ["FINISHED", [0.1, 0.1, 0.0]]
    assert made["restored"] == ["FINISHED", [0.0, 0.2, 0.0]]
    assert made["all"] == ["FINISHED", [0.1, 0.0, 0.0]]
    assert "merged or divided" in made["merged"]
    assert "merged or divided" in made["again"]
    assert "is hidden" in made["hidden"]


def test_edit_mode_is_not_black_with_edges(blender) -> None:
    made = blender(RETOUCH, "outlines")
    assert made["faces"] == [600, 0, 0]
    assert made["edges"] == made["again"][:2] == [1800, 1800], "hidden"
    assert made["all"] == 600
    assert 200 < made["random"] < 400
    assert made["inverted"] == 600 - made["random"]
    assert made["hidden"] == [600, made["inverted"], 0]
    assert made["revealed"] == [600, 0, made["inverted"]]
    assert made["again"][2] == 100
    assert made["deleted"] == made["left"] == 500


def test_edits_are_graded_like_what_they_edit(blender_lts) -> None:
    made = blender_lts(RETOUCH, "grades")
    assert made["count"] == 20
    assert made["halved"] < 1e-5
    assert made["hair"] < 1e-5


def check_painted_files(folder: Path) -> None:
    """Read the paint of 0.1 back, from splats of all three kinds and the textures of the meshes."""
    painted = load_avatar(folder / "sculpted.safetensors")
    plain = remove_retouch(load_editable_avatar(folder / "sculpted.safetensors"))
    lighter = painted.gaussians.colors - plain.gaussians.colors
    assert (lighter > 0.09).all(1).sum() > 100
    glb = exported.Glb(folder / "sculpted.glb")
    parts = [part for mesh in glb.json["meshes"] for part in mesh["primitives"]]
    key = "KHR_gaussian_splatting:SH_DEGREE_0_COEF_0"
    (cloud,) = (part["attributes"] for part in parts if key in part["attributes"])
    for colors in (
        read_ply(folder / "sculpted.ply").colors,
        glb.array(cloud[key]) * SH_C0 + 0.5,
        exported.usd_colors(folder / "sculpted.usda"),
    ):
        np.testing.assert_allclose(colors, painted.gaussians.colors, atol=1 / 255)
    before = make_mesh(plain, ExportOptions(texture=1024)).texture[..., :3]
    picture = io.BytesIO(glb.view(glb.json["images"][0]["bufferView"]))
    for file in (picture, texture_path(folder / "sculpted.usda")):
        shown = np.asarray(Image.open(file).convert("RGB"), float) / 255
        changed = np.abs(shown - before).max(2) > 0.05
        assert changed.mean() > 0.02
        assert np.median((shown - before)[changed]) == pytest.approx(0.1, abs=0.02)


def test_the_proxy_is_painted_and_sculpted_and_the_splats_follow(blender, tmp_path: Path) -> None:
    made = blender(PROXY, "paint_and_sculpt", folder=str(tmp_path))
    assert not made["before"]
    assert made["active"]
    assert made["packed"]
    assert made["hidden"] == [True, False, True], "in the way of the brush, and out of renders"
    assert made["modes"] == [["PAINT_TEXTURE", True], ["SCULPT", True]]
    assert made["nothing"] == "FINISHED"
    assert made["unchanged"], "nothing painted, nothing changed"
    assert made["shown"] == [False, True]
    assert 100 < made["painted"] < 2900
    assert made["lighter"] == pytest.approx(0.1, abs=2 / 255)
    assert made["up"] == pytest.approx(0.05, abs=0.01)
    assert made["still"] > 0.8
    assert made["twice"] == 0.0, "what was applied counts only once"
    assert made["off"] < 1e-3, "in another pose the engine carries them to the same places"
    assert made["opened"] < 1e-3
    assert made["texture"]
    assert made["facts"]["sculpted_mm"] == pytest.approx(50.0, abs=0.1)
    assert made[".glb"] == made[".usda"] == "FINISHED"
    assert (tmp_path / "sculpted.fbx").stat().st_size > 10_000
    check_painted_files(tmp_path)
    assert made["key"] == 1.0
    assert not made["expressions"]
    assert made["restored"]
    assert not made["left"]
    assert made["remove"] == "FINISHED"
    assert made["gone"]
    assert made["images"] == []


def test_a_proxy_that_is_no_longer_the_surface_changes_nothing(blender_lts) -> None:
    detailed, doubled, scaled, divided, edited = blender_lts(PROXY, "broken_proxy")
    assert "Apply Base" in detailed, "what was sculpted in it would be lost silently"
    assert "several textures" in doubled
    assert "512 x 1024 pixels instead of 1024 x 1024" in scaled
    assert "vertices and" in divided
    assert edited == "False"


def test_applying_can_be_undone_and_done_again(blender) -> None:
    made = blender(PROXY, "apply_undone")
    assert made["painted"]
    assert made["undone"]
    assert made["again"] == 0.0, "what was painted is not lost"
    assert made["back"] == 0.0, "nor by Remove Proxy Mesh, undone"
    assert made["key"] == 0.0, "painting leaves a shape that was turned down as it is"
    assert "is animated" in made["keyed"]
    assert made["full"] == "FINISHED"


def test_a_copied_avatar_has_a_proxy_of_its_own(blender_lts) -> None:
    made = blender_lts(PROXY, "copied")
    assert made["own"]
    assert made["kept"] == 0.0, "with what is painted and not yet applied"
    assert made["other"] == "FINISHED"
    assert made["edited"] == [False, True]
    assert made["lost"] == [["proxy"]]
    assert made["title"] == "Person.001"


def test_fast_splats_show_edits_at_once(blender) -> None:
    assert blender(RETOUCH, "fast") == {"moved": True, "edited": False}


def test_native_splats_show_edits_at_once(blender_lts, tmp_path: Path) -> None:
    made = blender_lts(RETOUCH, "native", folder=str(tmp_path))
    assert made == {"unseen": [40, 0], "exchanged": True}
