"""Dressed people: nothing pokes through, nobody is naked, the same look is the same cloth."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import BoolArray, IntArray, LikenessError, Pose
from likeness.engine.synth.clothes import ClothesLook, clothes_parts, random_clothes
from likeness.engine.synth.person_parts import Traits, Wearer
from likeness.engine.synth.random_poses import winding_number
from likeness.engine.synth.skin import tone_color
from likeness.engine.wardrobe.dress import DressBody, pose_body
from likeness.engine.wardrobe.library import Library, open_library
from likeness.engine.wardrobe.mesh_parts import LABEL, LABELS, MeshPart
from PIL import Image
from scipy.spatial import cKDTree

from tests.soaked import every_other

TRAITS = Traits("female", 30.0, 4, (0.2, 0.3, 0.5))


def write_garment(folder: Path, dress: DressBody, f: IntArray) -> None:
    """A garment that lies exactly in the skin of some of the body's triangles."""
    folder.mkdir(parents=True)
    rows, faces = np.unique(f, return_inverse=True)
    base = np.full(len(dress.weights), -1)
    known = np.flatnonzero(dress.row >= 0)
    base[dress.row[known]] = known
    points = dress.body.v_template[rows]
    lines = [f"v {x} {y} {z}" for x, y, z in points]
    uv = (points[:, :2] - points[:, :2].min(0)) / np.ptp(points[:, :2], axis=0)
    lines += [f"vt {u} {v}" for u, v in uv]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in faces.reshape(-1, 3) + 1]
    (folder / "g.obj").write_text("\n".join(lines))
    head = "basemesh hm08\nobj_file g.obj\nmaterial g.mhmat\nverts 0\n"
    path = folder / f"{folder.name}.mhclo"
    path.write_text(head + "\n".join(str(k) for k in base[rows]))
    (folder / "g.mhmat").write_text("diffuseTexture g.png\n")
    Image.new("RGB", (16, 16), (40, 60, 160)).save(folder / "g.png")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, dress: DressBody) -> Library:
    folder = tmp_path_factory.mktemp("library")
    body = dress.body
    own = np.isin(body.face_part, [body.part_names.index(n) for n in ("torso", "leg")])
    middle = body.v_template[body.f].mean(1)
    write_garment(folder / "clothes" / "suit", dress, body.f[own])
    write_garment(folder / "clothes" / "tunic", dress, body.f[own & (middle[:, 1] > 0.1)])
    (folder / "hair").mkdir()
    return open_library(folder, lambda path, why: pytest.fail(f"{path}: {why}"))


def wearer(dress: DressBody, library: Library | None = None, size: int = 128, **joints) -> Wearer:  # type: ignore[no-untyped-def]
    betas = np.random.default_rng(5).normal(0, 0.7, dress.body.num_betas)
    pose = Pose.rest(dress.body.num_expression).with_joints(**joints)
    posed = pose_body(dress, betas, pose)
    return Wearer(dress, posed, TRAITS, betas, pose.expression, library, size)


def look_of(**changes) -> ClothesLook:  # type: ignore[no-untyped-def]
    look = random_clothes(np.random.default_rng(2), TRAITS, None)
    plain = {"outfit": "", "shoes": "", "top": "t-shirt", "bottom": "jeans"}
    return dataclasses.replace(look, **(plain | changes))


def deepest(posed: Wearer, parts: list[MeshPart], hidden: BoolArray) -> float:
    """Metres by which cloth lies in visible skin: found by winding numbers and a dense cloud of
    points on the body's triangles."""
    body = posed.dress.body
    corners = np.asarray(posed.posed.vertices, np.float64)[body.f]
    grid = np.array([(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)]) / 4
    tree = cKDTree(np.einsum("gk,fkc->fgc", grid, corners).reshape(-1, 3))
    worst = 0.0
    for part in parts:
        points = np.concatenate([part.vertices, part.vertices[part.f].mean(1)])
        distance, row = tree.query(points, distance_upper_bound=0.012)
        near = np.flatnonzero(np.isfinite(distance))
        near = near[~hidden[row[near] // len(grid)]]
        near = near[:: max(1, len(near) // 60)]
        inside = winding_number(np.asarray(points[near], np.float64), corners) > 0.5
        worst = max(worst, float((distance[near] * inside).max(initial=0.0)))
    return worst


POSES = {
    "walking": {
        "left_hip": [-0.5, 0, 0.1],
        "right_hip": [0.35, 0, -0.1],
        "right_knee": [0.6, 0, 0],
        "left_shoulder": [0, 0, -1.0],
        "right_shoulder": [0, 0, 1.0],
        "left_elbow": [0, -1.2, 0],
        "spine1": [0.2, 0.1, 0],
    },
    "arms up": {
        "left_shoulder": [0, 0, 0.9],
        "right_shoulder": [0, 0, -0.9],
        "spine2": [0, 0.3, 0.15],
    },
}


@pytest.mark.parametrize("pose", every_other(POSES))
@pytest.mark.parametrize("outfit", ["", "clothes/suit/suit.mhclo"])
def test_cloth_stays_out_of_the_skin(
    dress: DressBody, library: Library, pose: str, outfit: str
) -> None:
    somebody = wearer(dress, library, **POSES[pose])
    parts, hidden = clothes_parts(somebody, look_of(outfit=outfit))
    assert deepest(somebody, parts, hidden) < 0.001


def test_what_is_hidden(dress: DressBody) -> None:
    somebody = wearer(dress)
    _parts, hidden = clothes_parts(somebody, look_of(spare_shoes="sneakers"))
    body = dress.body
    for name in ("face", "scalp", "ear", "hand", "eye", "mouth"):
        assert not hidden[body.face_part == body.part_names.index(name)].any()
    middle = somebody.rest().vertices[body.f].mean(1)
    torso = body.face_part == body.part_names.index("torso")
    shirt = torso & (middle[:, 1] < 0.3) & (np.abs(middle[:, 0]) < 0.15)
    assert hidden[shirt].mean() > 0.97
    assert hidden[body.face_part == body.part_names.index("foot")].mean() > 0.6
    # From the T-shirt's sleeve on, arms are bare.
    arms = (body.face_part == body.part_names.index("arm")) & (np.abs(middle[:, 0]) > 0.45)
    assert not hidden[arms].any()


def test_parts_are_whole(dress: DressBody, library: Library) -> None:
    look = look_of(outfit="clothes/suit/suit.mhclo", spare_shoes="boots")
    parts, _ = clothes_parts(wearer(dress, library, size=128), look)
    labels = set(np.concatenate([np.unique(p.label) for p in parts]).tolist())
    assert labels == {LABEL["clothes"], LABEL["shoes"]}
    for part in parts:
        assert part.vertices[part.f].shape == (*part.uv.shape[:2], 3)
        assert len(part.label) == len(part.f)
        assert part.label.max() < len(LABELS)
        assert np.isfinite(part.vertices).all()
        assert np.isfinite(part.uv).all()
        assert max(part.material.color.shape[:2]) <= 128
        assert part.material.kind in ("cloth", "plain")


def test_a_short_garment_is_completed(dress: DressBody, library: Library) -> None:
    look = look_of(outfit="clothes/tunic/tunic.mhclo", spare_shoes="", bottom="shorts")
    parts, hidden = clothes_parts(wearer(dress, library), look)
    assert [p.name for p in parts] == ["shorts", "tunic.mhclo"]
    middle = dress.body.v_template[dress.body.f].mean(1)
    torso = dress.body.face_part == dress.body.part_names.index("torso")
    assert hidden[torso & (middle[:, 1] < -0.02)].mean() > 0.9


def test_no_skirt_over_bent_hips(dress: DressBody) -> None:
    look = look_of(bottom="skirt", spare_shoes="")
    standing, _ = clothes_parts(wearer(dress), look)
    assert [p.name for p in standing] == ["skirt", "t-shirt"]
    sitting, _ = clothes_parts(wearer(dress, left_hip=[-1.4, 0, 0], right_hip=[-1.4, 0, 0]), look)
    assert [p.name for p in sitting] == ["trousers", "t-shirt"]


def test_the_same_look_is_the_same_cloth(dress: DressBody) -> None:
    look = look_of(loose=1.4)
    first, hidden = clothes_parts(wearer(dress), look)
    second, again = clothes_parts(wearer(dress), look)
    assert (hidden == again).all()
    for a, b in zip(first, second, strict=True):
        assert (a.vertices == b.vertices).all()
        assert (a.material.color == b.material.color).all()
    other, _ = clothes_parts(wearer(dress), dataclasses.replace(look, seed=look.seed + 1))
    assert not np.array_equal(other[-1].vertices, first[-1].vertices)


def test_paint_does_not_swim_with_the_pose(dress: DressBody) -> None:
    look = look_of(spare_shoes="", folds=0.0)
    still, _ = clothes_parts(wearer(dress), look)
    moved, _ = clothes_parts(wearer(dress, left_knee=[0.8, 0, 0], spine1=[0.2, 0, 0]), look)
    for a, b in zip(still, moved, strict=True):
        assert np.array_equal(a.uv, b.uv)
        assert (a.material.color == b.material.color).all()


def test_looks_are_drawn_from_their_numbers(library: Library) -> None:
    looks = [random_clothes(np.random.default_rng([7, k]), TRAITS, library) for k in range(60)]
    again = [random_clothes(np.random.default_rng([7, k]), TRAITS, library) for k in range(60)]
    assert looks == again
    texts = {json.dumps(dataclasses.asdict(look)) for look in looks}
    assert len(texts) == 60
    assert len({look.top for look in looks}) >= 4
    assert len({look.bottom for look in looks}) >= 4
    assert 0.3 < np.mean([look.outfit != "" for look in looks]) < 0.9
    men = Traits("male", 40.0, 4, (0.3, 0.3, 0.4))
    assert all(
        random_clothes(np.random.default_rng([8, k]), men, None).bottom != "skirt"
        for k in range(60)
    )


def test_a_look_without_its_library(dress: DressBody) -> None:
    with pytest.raises(LikenessError, match=r"suit\.mhclo"):
        clothes_parts(wearer(dress), look_of(outfit="clothes/suit/suit.mhclo"))


def test_clothes_are_not_of_the_wearers_skin() -> None:
    for tone in (2, 5, 8):
        who = Traits("female", 30.0, tone, (0.0, 0.0, 1.0))
        looks = [random_clothes(np.random.default_rng([tone, k]), who, None) for k in range(200)]
        colors = np.array([f.color for look in looks for f in look.fabrics.values()])
        near = np.abs(colors - tone_color(tone)).max(1) < 0.16
        assert not (near & (np.ptp(colors, axis=1) > 0.05)).any()


def test_sportswear_is_rare_and_plain(tmp_path: Path) -> None:
    women = Traits("female", 30.0, 5, (0.0, 0.0, 1.0))
    paths = [tmp_path / f"{name}.mhclo" for name in ("female_sportsuit01", "female_suit01")]
    for path in paths:
        path.write_text("")
    library = Library(tmp_path, (), (), (), (), (), tuple(paths), ())
    looks = [random_clothes(np.random.default_rng([9, k]), women, library) for k in range(300)]
    sport = [look for look in looks if "sport" in look.outfit]
    assert 0 < len(sport) < 0.25 * len(looks)  # a third of those with an outfit would be 100
    assert all(f.pattern == "plain" for look in sport for f in look.fabrics.values())
    assert any(f.pattern != "plain" for look in looks for f in look.fabrics.values())
