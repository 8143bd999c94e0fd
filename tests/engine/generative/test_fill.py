"""Parts of portraits filled by text: masks of an avatar, and FLUX fill with tiny models."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body import load_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import (
    JOINT_INDEX,
    LAYERS,
    PARTS,
    Avatar,
    BoundGaussians,
    LikenessError,
    Pose,
)
from likeness.engine.files.weights import asset_path
from likeness.engine.formats.avatar import save_avatar
from likeness.engine.generative.edit_mask import find_edit_mask
from likeness.engine.generative.fill_editing import fit_sides, is_fill_model, keep_outside
from likeness.engine.generative.models import FILL, Placement, missing_requirements
from likeness.engine.generative.text_edit import edit_portrait
from likeness.engine.generative.view_editing import EditOptions
from PIL import Image

CPU = Placement("cpu", "float32", allow_download=False)
SIZE = (96, 64)


@pytest.fixture(scope="module")
def bust() -> Avatar:
    """One splat on each triangle, seen from the front."""
    try:
        whole = load_body(asset_path("body"))
    except LikenessError as error:
        pytest.skip(str(error))
    body = whole.personalised(np.zeros(whole.num_betas))
    count = len(body.f)
    names = np.array(body.part_names)[body.face_part]
    part = np.where(
        names == "scalp", "hair", np.where(np.isin(names, ["face", "ear"]), "face", "skin")
    )
    corners = body.v_template[body.f]
    size = np.sqrt(np.linalg.norm(np.cross(*np.diff(corners, axis=1).transpose(1, 0, 2)), axis=1))
    bound = BoundGaussians(
        triangle=np.arange(count, dtype=np.int32),
        bary=np.full((count, 3), 1 / 3, np.float32),
        offset=np.zeros((count, 3), np.float32),
        quats=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        scales=(size[:, None] * [0.6, 0.6, 0.03]).astype(np.float32),
        opacities=np.full(count, 0.9, np.float32),
        colors=np.full((count, 3), 0.5, np.float32),
        layer=np.full(count, LAYERS.index("photo"), np.uint8),
        part=np.array([PARTS.index(name) for name in part], np.uint8),
    )
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, -0.45, -1.2]))
    camera = photo_camera(110.0, SIZE[1], SIZE[0])
    return Avatar(body, bound, pose, camera, "head", {"source": "test"})


def test_a_mask_covers_its_part_with_some_room_around(bust: Avatar) -> None:
    height, width = SIZE
    joints = bust.body.vertices(bust.pose)[1]
    eyes = [JOINT_INDEX[f"{side}_eye_smplhf"] for side in ("left", "right")]
    (x, y), (other, _) = project(np.asarray(joints, np.float64)[eyes], bust.camera)[0]
    glasses = find_edit_mask(bust, height, width, "glasses")
    assert glasses[int(y), int(x)]
    assert glasses[int(y), int(other)]
    assert not glasses[int(y) + 12].any()
    nose = find_edit_mask(bust, height, width, "nose")  # was the whole face
    assert nose[int(y) + 4, int(0.5 * (x + other))]
    assert not nose[int(y), int(x)]
    assert nose.sum() < 0.5 * find_edit_mask(bust, height, width, "wrinkles").sum()
    hat = find_edit_mask(bust, height, width, "hat")
    rows = np.nonzero(hat.any(1))[0]
    assert rows.min() < y - 12  # above the head as well
    assert not hat[int(y) + 10 :, width // 2].any()
    twice = find_edit_mask(bust, 2 * height, 2 * width, "hat")
    assert (twice[::2, ::2] == hat).mean() > 0.97
    with pytest.raises(LikenessError, match="does not show where the shoes"):
        find_edit_mask(bust, height, width, "shoes")
    with pytest.raises(LikenessError, match="'wing' is not a part"):
        find_edit_mask(bust, height, width, "wing")


def test_outside_the_mask_the_photo_stays() -> None:
    rng = np.random.default_rng(1)
    photo, made = rng.uniform(0, 255, (2, 60, 50, 3))
    mask = np.zeros((60, 50), bool)
    mask[20:40, 10:30] = True
    out = keep_outside(photo, made, mask)
    assert np.array_equal(out[~mask], photo[~mask])
    np.testing.assert_allclose(out[25:35, 15:25], made[25:35, 15:25])


def test_sides_fit_the_model() -> None:
    for width, height in ((64, 96), (3000, 2001), (17, 17)):
        sides = fit_sides(width, height)
        assert all(side % 16 == 0 for side in sides)
        assert max(sides) <= 1024
        assert sides[0] / sides[1] == pytest.approx(width / height, abs=0.35)


@pytest.mark.skipif(find_spec("diffusers") is None, reason="needs diffusers")
def test_a_fill_model_changes_the_part_alone(
    bust: Avatar, tmp_path: Path, tiny: SimpleNamespace
) -> None:
    source = str(tiny.fill_pipeline(tmp_path / "model"))
    assert is_fill_model(source)
    assert not is_fill_model(str(tiny.editing_pipeline(tmp_path / "editor")))
    file, photo, out = (tmp_path / name for name in ("a.safetensors", "a.png", "b.png"))
    save_avatar(bust, file)
    pixels = np.random.default_rng(2).integers(90, 110, (*SIZE, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(photo)
    once = EditOptions(steps=1)
    with pytest.raises(LikenessError, match="fills one part"):
        edit_portrait(photo, out, "a red hat", source, CPU, once, 4, file)
    about = edit_portrait(photo, out, "a red hat", source, CPU, once, 4, file, "hat")
    assert about == {"text": "a red hat", "model": "model", "seed": 4}
    edited = np.asarray(Image.open(out))
    mask = find_edit_mask(bust, *SIZE, "hat")
    assert np.array_equal(edited[~mask], pixels[~mask])
    assert (edited[mask] != pixels[mask]).any()


def test_what_is_missing_names_the_model() -> None:
    said = " ".join(missing_requirements(["fill"], {"fill": "flux-fill"}, CPU))
    assert is_fill_model("flux-fill")
    assert "black-forest-labs/FLUX.1-Fill-dev" in said
    assert "Non-Commercial" in said
    assert FILL.offloaded < FILL.memory
