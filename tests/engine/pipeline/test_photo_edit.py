"""An avatar edited by its portrait, in which something was changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.attributes import apply_attributes
from likeness.engine.core.cameras import intrinsics, look_at, project
from likeness.engine.core.types import (
    JOINT_INDEX,
    PARTS,
    Avatar,
    BoundGaussians,
    Camera,
    FloatArray,
    LikenessError,
)
from likeness.engine.formats.avatar import avatar_from_bytes, avatar_to_bytes, save_avatar
from likeness.engine.gaussians import place_gaussians, pose_avatar
from likeness.engine.pipeline import build, photo_edit
from likeness.engine.pipeline.build import LiftedPortrait, build_avatar
from likeness.engine.pipeline.options import BuildOptions
from likeness.engine.pipeline.photo_edit import edit_from_photo
from likeness.engine.render import render_camera
from likeness.engine.wardrobe.edit import remove_attribute, set_attribute
from likeness.engine.workflows.edit_avatar import EditedPortrait, edit_avatar_file
from PIL import Image, ImageDraw

PRINT = (120, 195, 165, 225)  # pixels of the portrait at 320: left, top, right, bottom
BLUE = (20, 40, 230)


OPTIONS = BuildOptions(max_gaussians=40_000, refine="off")
"""Those with which ``lifted_portrait`` was made."""


@pytest.fixture(scope="module", autouse=True)
def lifted_once(small_portrait: Path, lifted_portrait: LiftedPortrait) -> Iterator[None]:
    """Every edit lifts the portrait again, and would find what the build has found."""
    lift, lifted = photo_edit.lift_portrait, {f"{small_portrait} {OPTIONS}": lifted_portrait}

    def lift_or_take(path: Path, options: BuildOptions, **named: Any) -> LiftedPortrait:
        key = f"{path} {options}"
        if key not in lifted:
            lifted[key] = lift(path, options, **named)
        return lifted[key]

    with pytest.MonkeyPatch.context() as patch:
        for module in (build, photo_edit):
            patch.setattr(module, "lift_portrait", lift_or_take)
        yield


@pytest.fixture(scope="module")
def avatar(small_portrait: Path) -> Avatar:
    """As read from its file."""
    built = build_avatar(small_portrait, OPTIONS)
    return avatar_from_bytes(avatar_to_bytes(built.avatar), "avatar")


@pytest.fixture(scope="module")
def printed(small_portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portrait with a blue print on the chest, at twice the size."""
    path = tmp_path_factory.mktemp("edited") / "printed.jpg"
    with Image.open(small_portrait) as image:
        picture = image.convert("RGB").resize((640, 640), Image.Resampling.LANCZOS)
    ImageDraw.Draw(picture).rectangle([2 * side for side in PRINT], fill=BLUE)
    picture.save(path, quality=92)
    return path


@pytest.fixture(scope="module")
def worn(avatar: Avatar, small_portrait: Path, printed: Path) -> Avatar:
    return edit_from_photo(avatar, small_portrait, printed)


def rows(bound: BoundGaussians) -> set[bytes]:
    arrays = [
        np.ascontiguousarray(getattr(bound, f.name)).reshape(len(bound), -1) for f in fields(bound)
    ]
    data = np.concatenate([a.view(np.uint8).reshape(len(bound), -1) for a in arrays], 1)
    return {row.tobytes() for row in data}


def front(avatar: Avatar) -> FloatArray:
    """The photo's view [H, W, 3] of an avatar as its sliders stand."""
    shown = apply_attributes(avatar)
    return np.asarray(render_camera(pose_avatar(shown, shown.pose), shown.camera).rgb)


def test_the_edit_is_shown_where_it_was_drawn_and_nowhere_else(
    avatar: Avatar, worn: Avatar
) -> None:
    before, after = front(avatar), front(worn)
    left, top, right, bottom = PRINT
    inner = after[top + 4 : bottom - 4, left + 4 : right - 4]
    assert np.abs(np.median(inner, axis=(0, 1)) - np.array(BLUE) / 255).max() < 0.08
    outside = np.ones(before.shape[:2], bool)
    outside[top - 14 : bottom + 14, left - 14 : right + 14] = False
    assert np.abs(after - before)[outside].max() < 2 / 255


def test_splats_beside_the_edit_stay_to_the_last_bit(avatar: Avatar, worn: Avatar) -> None:
    kept = rows(avatar.gaussians) & rows(apply_attributes(worn).gaussians)
    gone = len(avatar.gaussians) - len(kept)
    assert 50 < gone < 0.06 * len(avatar.gaussians)
    (edit,) = worn.attributes
    assert edit.name == "upper"
    goes = edit.factors(1.0)[edit.factors(0.0) > 0.0] == 0.0
    placed = place_gaussians(avatar.gaussians, avatar.body.vertices(avatar.pose)[0], avatar.body)
    xy, _ = project(np.asarray(placed.means, np.float64), avatar.camera)
    left, top, right, bottom = PRINT
    assert (xy[goes] > [left - 6, top - 6]).all()
    assert (xy[goes] < [right + 6, bottom + 6]).all()


def test_at_zero_the_avatar_is_the_one_before_to_the_byte(avatar: Avatar, worn: Avatar) -> None:
    off = apply_attributes(set_attribute(worn, "upper", 0.0))
    assert avatar_to_bytes(replace(off, provenance=avatar.provenance)) == avatar_to_bytes(avatar)
    removed = replace(remove_attribute(worn, "upper"), provenance=avatar.provenance)
    assert avatar_to_bytes(removed) == avatar_to_bytes(avatar)


def test_in_between_both_are_seen_and_nothing_behind_them(avatar: Avatar, worn: Avatar) -> None:
    half = apply_attributes(set_attribute(worn, "upper", 0.5))
    left, top, right, bottom = PRINT
    box = (slice(top + 4, bottom - 4), slice(left + 4, right - 4))
    alpha = render_camera(pose_avatar(half, half.pose), half.camera).alpha
    assert np.asarray(alpha).reshape(half.camera.height, -1)[box].min() > 0.97
    shown = np.median(front(half)[box], axis=(0, 1))
    ends = [np.median(front(one)[box], axis=(0, 1)) for one in (avatar, worn)]
    assert np.linalg.norm(shown - ends[0]) > 0.1
    assert np.linalg.norm(shown - ends[1]) > 0.1


def test_the_provenance_names_the_picture_and_no_folder(worn: Avatar, printed: Path) -> None:
    (edit,) = worn.provenance["edits"]
    assert edit["from"] == "printed.jpg"
    assert edit["name"] == "upper"
    assert len(edit["sha256"]) == 64
    assert str(printed.parent) not in str(worn.provenance)


@pytest.mark.soak
def test_a_hat_that_is_drawn_goes_all_around_the_head(
    avatar: Avatar, small_portrait: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cap.png"
    with Image.open(small_portrait) as image:
        picture = image.convert("RGB")
    ImageDraw.Draw(picture).pieslice([108, 4, 172, 76], 180, 360, fill=BLUE)
    picture.save(path)
    worn = edit_from_photo(avatar, small_portrait, path)
    (edit,) = worn.attributes
    assert edit.name == "hat"
    shown = apply_attributes(worn)
    own = shown.gaussians.part == PARTS.index("hat")
    colors = np.where(own[:, None], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]).astype(np.float32)
    marked = replace(shown, gaussians=replace(shown.gaussians, colors=colors))
    _, joints = shown.body.vertices(shown.pose)
    head = joints[JOINT_INDEX["head"]]
    top = (
        place_gaussians(shown.gaussians.take(own), shown.body.vertices(shown.pose)[0], shown.body)
        .means[:, 1]
        .max()
    )
    target = np.array([head[0], top - 0.03, head[2]])
    for yaw in (0.0, 90.0, 180.0, 270.0):
        camera = Camera(look_at(target, 1.0, yaw, 0.0), intrinsics(800.0, 32, 32), 32, 32)
        picture_of_top = np.asarray(render_camera(pose_avatar(marked, marked.pose), camera).rgb)
        seen = picture_of_top[16:20, 12:20].mean(axis=(0, 1))
        assert seen[2] > 2.0 * seen[0], yaw


def save_crop(source: Path, path: Path) -> None:
    with Image.open(source) as image:
        image.convert("RGB").crop((0, 0, 160, 320)).save(path)


def save_other(source: Path, path: Path) -> None:
    """Mirrored: somebody else in another place."""
    with Image.open(source) as image:
        image.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)


def save_truncated(source: Path, path: Path) -> None:
    with Image.open(source) as image:
        image.convert("RGB").save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:4000])


def save_same(source: Path, path: Path) -> None:
    with Image.open(source) as image:
        image.convert("RGB").save(path, "JPEG", quality=80)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (save_crop, "show different frames"),
        (save_other, "shows another picture"),
        (save_truncated, "damaged or cut off"),
        (save_same, "shows nothing that"),
    ],
)
def test_bad_pictures_are_refused_and_files_stay(
    avatar: Avatar, small_portrait: Path, tmp_path: Path, make: object, message: str
) -> None:
    assert callable(make)
    picture, file, out = (tmp_path / name for name in ("bad.jpg", "a.safetensors", "b.safetensors"))
    make(small_portrait, picture)
    save_avatar(avatar, file)
    before = file.read_bytes()
    photo = EditedPortrait(picture, small_portrait)
    with pytest.raises(LikenessError, match=message):
        edit_avatar_file(file, out, edited=photo)
    assert file.read_bytes() == before
    assert not out.exists()


def test_another_portrait_and_other_builds_are_refused(
    avatar: Avatar, small_portrait: Path, printed: Path
) -> None:
    with pytest.raises(LikenessError, match="is not the portrait from which"):
        edit_from_photo(avatar, printed, printed)
    several = {**avatar.provenance, "others": [{"source": "b.png"}]}
    with pytest.raises(LikenessError, match="built from several photos"):
        edit_from_photo(replace(avatar, provenance=several), small_portrait, printed)
    moved = replace(avatar.pose, transl=avatar.pose.transl + 0.01)
    with pytest.raises(LikenessError, match="corrected by hand"):
        edit_from_photo(replace(avatar, pose=moved), small_portrait, printed)
    with pytest.raises(LikenessError, match="needs the portrait"):
        EditedPortrait(printed, None)
    with pytest.raises(LikenessError, match="'wings' is not a part"):
        EditedPortrait(printed, small_portrait, "wings")
