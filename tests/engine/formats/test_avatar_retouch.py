"""Edits by hand: kept beside what they change, applied to what is drawn, restored to the bit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.addon.cli.main import main
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.geometry import triangle_frames
from likeness.engine.core.retouch import (
    ERASED,
    MOVE,
    SHIFT,
    describe_retouch,
    get_retouch,
    record_retouch,
    remove_retouch,
    set_retouch,
    tint_colors,
)
from likeness.engine.core.retouching import apply_retouch, move_to_frames
from likeness.engine.core.types import Avatar, BoundGaussians, LikenessError
from likeness.engine.formats.avatar import (
    avatar_to_bytes,
    load_avatar,
    load_editable_avatar,
    save_avatar,
)
from likeness.engine.gaussians import place_gaussians
from likeness.engine.scene.frames import AVATAR_NAME, FRAMES_NAME, VERTICES_NAME, SceneFrames
from safetensors.numpy import load_file, save_file

from tests.engine.formats.test_avatar_attributes import wearing
from tests.engine.formats.test_avatar_file import make_avatar


def edited(avatar: Avatar) -> Avatar:
    """Two splats erased, one half; one recoloured, one moved; the head grown by 5 %."""
    values = get_retouch(avatar.gaussians)
    values[:2, ERASED], values[2, ERASED] = 1.0, 0.5
    values[3, SHIFT] = (0.2, -0.1, 0.05)
    values[4, MOVE] = (0.01, 0.0, 0.02)
    rest = avatar.body.v_template
    high = rest[:, 1] > np.quantile(rest[:, 1], 0.8)
    sculpt = np.where(high[:, None], 0.05 * (rest - rest[high].mean(0)), 0.0).astype(np.float32)
    return replace(avatar, gaussians=set_retouch(avatar.gaussians, values), sculpt=sculpt)


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    """As a file has it: its numbers do not change when it is written again."""
    path = tmp_path_factory.mktemp("avatar") / "a.safetensors"
    made = make_avatar(200)
    save_avatar(replace(made, lod_start=np.arange(200, dtype=np.float32)), path)
    return load_editable_avatar(path)


def test_edits_come_back_and_are_applied_on_reading(avatar: Avatar, tmp_path: Path) -> None:
    path, bare = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    changed = edited(avatar)
    save_avatar(changed, path)
    save_avatar(avatar, bare)
    again = load_editable_avatar(path)
    np.testing.assert_array_equal(again.gaussians.retouch, changed.gaussians.retouch)
    np.testing.assert_array_equal(again.sculpt, changed.sculpt)
    new = load_file(path).keys() - load_file(bare).keys()
    assert new == {"retouch.rows", "retouch.values", "sculpt.rows", "sculpt.moves"}
    assert len(load_file(path)["retouch.rows"]) == 5
    seen, own = load_avatar(path), avatar.gaussians
    assert seen.sculpt is None
    assert seen.gaussians.retouch.shape == (198, 0)
    assert seen.lod_start is not None
    assert seen.lod_start[0] == 2
    assert seen.gaussians.opacities[0] == pytest.approx(0.5 * own.opacities[2])
    wanted = np.clip(own.colors[3] + [0.2, -0.1, 0.05], 0, 1)
    np.testing.assert_allclose(seen.gaussians.colors[1], wanted, atol=1e-6)
    np.testing.assert_array_equal(seen.gaussians.colors[3:], own.colors[5:])
    np.testing.assert_array_equal(seen.gaussians.opacities[3:], own.opacities[5:])


def test_restored_the_file_has_the_bytes_of_before(avatar: Avatar, tmp_path: Path) -> None:
    before = avatar_to_bytes(avatar)
    assert avatar_to_bytes(edited(avatar)) != before
    assert avatar_to_bytes(remove_retouch(edited(avatar))) == before
    zeros = set_retouch(avatar.gaussians, np.zeros((200, 7)))
    assert avatar_to_bytes(replace(avatar, gaussians=zeros)) == before
    assert avatar_to_bytes(apply_retouch(avatar)) == before
    # By the command line; only the provenance says that something was edited.
    path, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_avatar(record_retouch(edited(avatar)), path)
    assert main(["edit", str(path), "--restore", "-o", str(out)]) == 0
    back = load_editable_avatar(out)
    assert [one["retouch"] for one in back.provenance["edits"]][1] == {}
    assert avatar_to_bytes(replace(back, provenance=avatar.provenance)) == before


def test_moves_and_a_sculpted_shape_go_with_the_pose(avatar: Avatar) -> None:
    """A moved splat goes where it was moved in space; a head of 1.05 times the size is one."""
    vertices, _ = avatar.body.vertices(avatar.pose)
    rng = np.random.default_rng(0)
    moves = rng.normal(0, 0.02, (200, 3))
    values = get_retouch(avatar.gaussians)
    values[:, MOVE] = move_to_frames(moves, avatar, vertices)
    moved = apply_retouch(replace(avatar, gaussians=set_retouch(avatar.gaussians, values)))
    first = place_gaussians(avatar.gaussians, vertices, avatar.body).means
    then = place_gaussians(moved.gaussians, vertices, avatar.body).means
    np.testing.assert_allclose(then - first, moves, atol=1e-5)
    rest = np.asarray(avatar.body.v_template, np.float64)
    grown = apply_retouch(replace(avatar, sculpt=(0.05 * rest).astype(np.float32)))
    before = place_gaussians(avatar.gaussians, rest, avatar.body)
    after = place_gaussians(grown.gaussians, grown.body.v_template, grown.body)
    # On the body of boxes, a few frames are undefined: a breath turns them.
    on = (avatar.gaussians.triangle, avatar.gaussians.bary)
    breath = rest + np.random.default_rng(0).normal(0, 1e-9, rest.shape)
    turned = [triangle_frames(at, avatar.body.f, rest, *on).R for at in (rest, breath)]
    steady = np.abs(turned[0] - turned[1]).max((1, 2)) < 1e-3
    assert steady.sum() > 150
    np.testing.assert_allclose(after.means[steady], 1.05 * before.means[steady], atol=1e-5)
    np.testing.assert_allclose(after.scales[steady], 1.05 * before.scales[steady], rtol=1e-4)
    same = np.abs((after.quats * before.quats).sum(1))
    np.testing.assert_allclose(same[steady], 1.0, atol=1e-4)
    # In a pose, its Gaussians lie where the sculpted body carries those that were not applied.
    posed, _ = grown.body.vertices(avatar.pose)
    carried = place_gaussians(avatar.gaussians, posed, avatar.body)
    drawn = place_gaussians(grown.gaussians, posed, grown.body)
    np.testing.assert_allclose(drawn.means[steady], carried.means[steady], atol=2e-4)


def test_edits_stay_when_something_is_put_on_or_left_out(avatar: Avatar) -> None:
    worn = wearing(edited(avatar), 1.0)
    assert worn.gaussians.retouch.shape == (220, 7)
    both = BoundGaussians.concatenate([avatar.gaussians, edited(avatar).gaussians])
    assert not both.retouch[:200].any()
    assert both.retouch[200, ERASED] == 1.0
    assert describe_retouch(edited(avatar)).items() >= {"erased": 3, "recolored": 1}.items()


def test_provenance_lists_edits_once_and_info_counts_them(
    avatar: Avatar, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noted = record_retouch(edited(avatar))
    assert len(noted.provenance["edits"]) == 1
    assert record_retouch(noted) == noted
    assert record_retouch(avatar) == avatar
    path = tmp_path / "a.safetensors"
    save_avatar(noted, path)
    assert main(["info", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["retouch"]
    assert (facts["erased"], facts["moved"]) == (3, 1)
    assert main(["info", str(path)]) == 0
    assert "retouched    erased 3, recolored 1, moved 1" in capsys.readouterr().out


def test_a_tint_dyes_and_keeps_detail() -> None:
    rng = np.random.default_rng(0)
    orange = np.clip([0.8, 0.4, 0.2] * rng.uniform(0.6, 1.2, (500, 1)), 0, 1)
    colors = np.concatenate([orange, np.zeros((20, 3))])
    teal = np.array([0.1, 0.4, 0.4])
    dyed = tint_colors(colors, np.ones(520), teal, 1.0)
    np.testing.assert_allclose(np.median(dyed[:500], 0), teal, atol=0.03)
    assert np.abs(dyed[500:]).max() < 0.01
    light = rgb_to_lab(colors)[:500, 0], rgb_to_lab(dyed)[:500, 0]
    assert np.corrcoef(*light)[0, 1] > 0.99
    half = tint_colors(colors, np.ones(520), teal, 0.5)
    np.testing.assert_allclose(rgb_to_lab(half)[:500, 0], sum(light) / 2, atol=0.5)
    np.testing.assert_allclose(tint_colors(colors, np.ones(520), teal, 0.0), colors, atol=1e-6)
    # Half the weight on black: then black is the median, and lightened at most fourfold.
    heavy = np.where(np.arange(520) < 500, 1.0, 1e3)
    assert tint_colors(colors, heavy, teal, 1.0).max() <= 1.0


def test_an_avatar_that_is_erased_altogether_can_only_be_restored(
    avatar: Avatar, tmp_path: Path
) -> None:
    values = get_retouch(avatar.gaussians)
    values[:, ERASED] = 1.0
    path, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_avatar(replace(avatar, gaussians=set_retouch(avatar.gaussians, values)), path)
    with pytest.raises(LikenessError, match=r"Every splat of '.*a\.safetensors' is erased"):
        load_avatar(path)
    assert main(["edit", str(path), "--restore", "-o", str(out)]) == 0
    assert len(load_avatar(out).gaussians) == 200


def test_levels_of_detail_are_of_the_same_splats_as_in_blender(
    avatar: Avatar, tmp_path: Path
) -> None:
    """The node group draws the first ones; those of them that are erased are not replaced."""
    save_avatar(edited(avatar), tmp_path / AVATAR_NAME.format(0))
    np.save(tmp_path / VERTICES_NAME.format(0), avatar.body.v_template[None])
    one = np.eye(4)[None]
    view = {"viewmats": one, "Ks": np.eye(3)[None], "size": np.array([8, 8])}
    frames = {"frames": np.array([1]), "frame_rate": np.array(24.0), "places": one[None]}
    np.savez(tmp_path / FRAMES_NAME, counts=np.array([50]), **view, **frames)
    shown = SceneFrames.load(tmp_path).avatars[0].gaussians
    np.testing.assert_array_equal(shown.triangle, avatar.gaussians.triangle[2:50])
    assert shown.opacities[0] == pytest.approx(0.5 * avatar.gaussians.opacities[2])


@pytest.mark.parametrize("wrong", ["row", "vertex", "erased", "shift", "half", "nan", "far"])
def test_damaged_edits_are_refused(avatar: Avatar, tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "a.safetensors"
    save_avatar(edited(avatar), path)
    tensors = load_file(path)
    if wrong == "row":
        tensors["retouch.rows"][0] = 200
    elif wrong == "vertex":
        tensors["sculpt.rows"][0] = -1
    elif wrong == "half":
        del tensors["retouch.rows"]
    elif wrong == "far":
        tensors["sculpt.moves"][0] = 11.0
    else:
        column = {"erased": 0, "shift": 1, "nan": 4}[wrong]
        tensors["retouch.values"][0, column] = np.nan if wrong == "nan" else -1.5
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]
    save_file(tensors, path, header)
    with pytest.raises(LikenessError, match="damaged"):
        load_avatar(path)
