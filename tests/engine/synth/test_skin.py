"""Skin of synthetic people: tones, seams, labels, what is hidden, what is broken."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from likeness.engine.body.atlas import surface_points
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.types import LikenessError, Pose
from likeness.engine.synth.person_parts import Traits, Wearer
from likeness.engine.synth.skin import BEARDS, TONES, random_skin, skin_parts, tone_color
from likeness.engine.synth.skin_creases import make_creases, press_creases
from likeness.engine.synth.skin_texels import get_skin_texels
from likeness.engine.wardrobe.dress import pose_body
from likeness.engine.wardrobe.library import open_library
from likeness.engine.wardrobe.mesh_parts import LABELS
from PIL import Image

from tests.soaked import if_asked

SIZE = 512
MONK = (
    "f6ede4",
    "f3e7db",
    "f7ead0",
    "eadaba",
    "d7bd96",
    "a07e56",
    "825c43",
    "604134",
    "3a312a",
    "292420",
)
HAIR = (0.3, 0.2, 0.1)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Two skins that are mottled, reddish and darker towards one side."""
    folder = tmp_path_factory.mktemp("library")
    textures = folder / "skins" / "textures"
    textures.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, mean in (("light", (220, 170, 140)), ("dark", (90, 60, 48))):
        coarse = np.array(mean) * rng.uniform(0.85, 1.15, (64, 64, 1))
        picture = np.asarray(
            Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8)).resize((512, 512), 3)
        )
        picture = picture * np.linspace(0.8, 1.1, 512)[None, :, None]
        for sex in ("female", "male"):
            Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(
                textures / f"young_{name}skinned_{sex}_diffuse.png"
            )
    return open_library(folder)


def wearer(dress, library, traits=None, size=SIZE):
    body = dress.body
    traits = traits or Traits("female", 30.0, 4, (0.0, 0.0, 1.0))
    betas = np.zeros(body.num_betas)
    pose = Pose.rest(body.num_expression)
    posed = pose_body(dress, betas, pose)
    return Wearer(dress, posed, traits, betas, pose.expression, library, size)


def plain(look):
    """Without what is laid over the face."""
    return replace(
        look,
        beard="none",
        undertone=0.0,
        lipstick_amount=0.0,
        shadow_amount=0.0,
        liner=0.0,
        blush=0.0,
        foundation=0.0,
        freckles=0.0,
        spots=0.0,
        moles=0,
    )


def everything(dress):
    return np.zeros(len(dress.body.f), bool)


def colors_at(part, triangle, bary):
    """sRGB [P, 3] of the part's picture at surface points, the nearest texel's."""
    color = part.material.color
    uv = np.einsum("pk,pkc->pc", bary, part.uv[triangle])
    col, row = (uv * color.shape[1::-1]).astype(int).T
    return color[row, col, :3] / 255.0


def face_mean(dress, part):
    """Mean colour over the area of the face between brows and chin, without its lips."""
    body = dress.body
    corners = np.asarray(body.v_template)[body.f]
    middle = corners.mean(1)
    eyes = body.J_template[23]
    face = body.face_part == body.part_names.index("face")
    own = np.flatnonzero(
        face
        & (middle[:, 2] > eyes[2] - 0.02)
        & (middle[:, 1] < eyes[1] + 0.05)
        & (middle[:, 1] > 0.53)
    )
    area = np.linalg.norm(
        np.cross(corners[own, 1] - corners[own, 0], corners[own, 2] - corners[own, 0]), axis=1
    )
    part_row = {tuple(f): k for k, f in enumerate(part.f.tolist())}
    rows = np.array([part_row[tuple(f)] for f in body.f[own].tolist()])
    third = np.full((len(rows), 3), 1 / 3)
    return np.average(colors_at(part, rows, third), 0, weights=area)


def test_tones_follow_the_monk_scale_in_order_and_hue():
    swatches = np.array([list(bytes.fromhex(s)) for s in MONK]) / 255.0
    tones = rgb_to_lab(np.array([tone_color(k + 1) for k in range(len(TONES))]))
    scale = rgb_to_lab(swatches)
    assert (np.diff(tones[:, 0]) < -1.5).all()
    # Lightness is the scale's, its ends drawn in to what skin can reflect.
    assert np.abs(tones[:, 0] - (17.8 + 0.65 * scale[:, 0])).max() < 5
    assert (np.degrees(np.arctan2(tones[:, 2], tones[:, 1])) > 45).all()  # more yellow than red


@pytest.mark.parametrize("with_library", [True, *if_asked(False)])
def test_the_mean_face_has_the_tone_that_was_asked_for(dress, library, with_library):
    lib = library if with_library else None
    for tone in range(1, 11):
        traits = Traits("male", 40.0, tone, (1.0, 0.0, 0.0))
        who = wearer(dress, lib, traits, 256)
        look = plain(random_skin(np.random.default_rng(tone), traits, lib, HAIR))
        assert (look.picture is not None) == with_library
        mean = rgb_to_lab(face_mean(dress, skin_parts(who, look, everything(dress))[0]))
        assert np.linalg.norm(mean - rgb_to_lab(tone_color(tone))) < 5.0, tone


def test_the_library_s_skin_fits_sex_and_tone(library):
    for sex, tone, word in (("female", 2, "light"), ("male", 9, "dark")):
        for seed in range(5):
            traits = Traits(sex, 70.0, tone, (0.0, 1.0, 0.0))
            look = random_skin(np.random.default_rng(seed), traits, library, HAIR)
            assert look.picture == f"textures/young_{word}skinned_{sex}_diffuse.png"


def test_the_picture_is_seen_in_the_skin(dress, library):
    """The picture is darker on its left; there the skin is, too, by the source's layout."""
    who = wearer(dress, library)
    look = plain(random_skin(np.random.default_rng(1), who.traits, library, HAIR))
    look = replace(look, mottling=0.0, redness=0.0, detail=1.0, ageing=0.0)
    texels = get_skin_texels(dress.body, SIZE)
    color = skin_parts(who, look, everything(dress))[0].material.color
    torso = texels.rows("torso")
    entry = texels.spread(np.arange(len(texels.points)))
    rows = color.reshape(-1, 4)[np.unique(entry, return_index=True)[1]]
    light = np.log(rows[torso, 1] / 255.0)
    assert np.corrcoef(light, texels.uv[torso, 0])[0, 1] > 0.5


def test_the_same_look_gives_the_same_maps_and_another_seed_others(dress):
    who = wearer(dress, None, size=256)
    look = random_skin(np.random.default_rng(3), who.traits, None, HAIR)
    again = random_skin(np.random.default_rng(3), who.traits, None, HAIR)
    assert look == again
    first, second, other = (
        skin_parts(who, which, everything(dress))[0].material
        for which in (look, again, replace(look, seed=look.seed + 1))
    )
    for name in ("color", "roughness", "bump"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


def test_a_look_goes_into_json_and_back(dress):
    traits = Traits("male", 50.0, 6, (0.0, 0.0, 1.0))
    look = random_skin(np.random.default_rng(8), traits, None, HAIR)
    back = json.loads(json.dumps(asdict(look)))
    assert back == {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(look).items()}


def test_colours_go_on_across_the_atlas_seams(dress, library):
    """Both sides of an edge whose triangles lie in different charts show the same colour."""
    body = dress.body
    who = wearer(dress, None, size=1024)
    look = plain(random_skin(np.random.default_rng(2), who.traits, None, HAIR))
    part = skin_parts(who, look, everything(dress))[0]
    kept = {tuple(f): k for k, f in enumerate(part.f.tolist())}
    rows = np.array([kept.get(tuple(f), -1) for f in body.f.tolist()])
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for t, f in enumerate(body.f.tolist()):
        for k in range(3):
            ends = tuple(sorted((f[k], f[(k + 1) % 3])))
            edges.setdefault(ends, []).append((t, k))
    seams = [
        pair
        for pair in edges.values()
        if len(pair) == 2
        and {body.atlas_ft[pair[0][0]][pair[0][1]], body.atlas_ft[pair[0][0]][(pair[0][1] + 1) % 3]}
        != {body.atlas_ft[pair[1][0]][pair[1][1]], body.atlas_ft[pair[1][0]][(pair[1][1] + 1) % 3]}
        and min(rows[pair[0][0]], rows[pair[1][0]]) >= 0
    ]
    assert len(seams) > 100
    sides = []
    for side in (0, 1):
        bary = np.zeros((len(seams), 3))
        for i, pair in enumerate(seams):
            k = pair[side][1]
            bary[i, [k, (k + 1) % 3]] = 0.5
        sides.append(colors_at(part, rows[[pair[side][0] for pair in seams]], bary))
    gap = np.abs(sides[0] - sides[1]).max(1)
    assert np.median(gap) < 0.012
    assert np.percentile(gap, 98) < 0.06


def test_outside_the_charts_lies_the_nearest_skin(dress):
    texels = get_skin_texels(dress.body, 256)
    assert texels.source.min() >= 0
    who = wearer(dress, None, size=256)
    look = random_skin(np.random.default_rng(0), who.traits, None, HAIR)
    assert skin_parts(who, look, everything(dress))[0].material.color[..., :3].min() > 0


def test_hidden_triangles_and_eyes_are_left_out(dress):
    body = dress.body
    hidden = everything(dress)
    hidden[body.face_part == body.part_names.index("torso")] = True
    who = wearer(dress, None, size=256)
    look = random_skin(np.random.default_rng(0), who.traits, None, HAIR)
    parts = skin_parts(who, look, hidden)
    eyes = np.isin(body.face_part, [body.part_names.index(n) for n in ("eye", "eye_back")])
    drawn = {tuple(f) for part in parts for f in part.f.tolist()}
    assert drawn == {tuple(f) for f in body.f[~hidden & ~eyes].tolist()}
    assert "torso" not in {LABELS[k] for part in parts for k in np.unique(part.label)}


def test_triangles_have_the_labels_of_their_parts(dress):
    body = dress.body
    look = random_skin(np.random.default_rng(0), wearer(dress, None).traits, None, HAIR)
    parts = skin_parts(wearer(dress, None, size=256), look, everything(dress))
    assert [part.name for part in parts] == ["skin", "mouth"]
    assert {LABELS[k] for k in np.unique(parts[0].label)} == {
        "face",
        "scalp",
        "neck",
        "torso",
        "arm",
        "hand",
        "leg",
        "foot",
    }
    assert {LABELS[k] for k in np.unique(parts[1].label)} == {"mouth"}
    names = {tuple(f): body.part_names[p] for f, p in zip(body.f.tolist(), body.face_part)}
    labels = {names[tuple(f)]: LABELS[k] for f, k in zip(parts[0].f.tolist(), parts[0].label)}
    for name in ("lips", "ear", "eyelid", "eye_socket"):
        assert labels[name] == "face"


def test_a_broken_skin_is_named(dress, library, tmp_path):
    textures = tmp_path / "skins" / "textures"
    textures.mkdir(parents=True)
    (textures / "young_female_diffuse.png").write_bytes(b"no picture at all")
    broken = open_library(tmp_path)
    who = wearer(dress, broken, size=256)
    look = random_skin(np.random.default_rng(0), who.traits, broken, HAIR)
    with pytest.raises(LikenessError, match=r"young_female_diffuse\.png"):
        skin_parts(who, look, everything(dress))


def test_women_have_no_beards_and_men_seldom_lipstick():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        woman = random_skin(rng, Traits("female", 40.0, 5, (0, 1, 0)), None, HAIR)
        assert woman.beard == "none"
        man = random_skin(rng, Traits("male", 40.0, 5, (0, 1, 0)), None, HAIR)
        assert man.beard in BEARDS


def test_a_bald_scalp_has_fewer_roots_than_one_with_hair():
    man = Traits("male", 40.0, 5, (0, 1, 0))
    hair, bald = (
        [
            random_skin(np.random.default_rng(k), man, None, HAIR, bald=b).scalp_amount
            for k in range(30)
        ]
        for b in (False, True)
    )
    assert np.mean(bald) < 0.5 * np.mean(hair)
    assert min(bald) > 0


def region(dress, who, look, low, high):
    """Mean colour of the face's triangles between two places of their middles."""
    part = skin_parts(who, look, everything(dress))[0]
    middle = np.asarray(dress.body.v_template)[part.f].mean(1)
    own = ((middle > low) & (middle < high)).all(1)
    return colors_at(part, np.flatnonzero(own), np.full((int(own.sum()), 3), 1 / 3)).mean(0)


def test_beards_darken_the_jaw_and_not_the_forehead(dress):
    who = wearer(dress, None, Traits("male", 40.0, 3, (0, 0, 1)), 256)
    bare = plain(random_skin(np.random.default_rng(5), who.traits, None, HAIR))
    chin = dress.body.J_template[23] + [-0.03, -0.095, 0.0]
    brow = dress.body.J_template[23] + [-0.03, 0.03, 0.0]
    half = np.array([0.012, 0.008, 0.05])
    first = region(dress, who, bare, brow - half, brow + half)
    last = 1.0
    for beard in ("none", "shadow", "stubble", "full"):
        look = replace(bare, beard=beard, beard_amount=1.0, beard_color=(0.08, 0.06, 0.05))
        light = region(dress, who, look, chin - half, chin + half).mean()
        assert light < last - (0.0 if beard == "none" else 0.015), beard
        last = light
        forehead = region(dress, who, look, brow - half, brow + half)
        assert np.allclose(forehead, first)


def test_lipstick_is_on_the_lips_and_roots_on_the_scalp(dress):
    body = dress.body
    who = wearer(dress, None, size=256)
    bare = replace(
        plain(random_skin(np.random.default_rng(7), who.traits, None, HAIR)), scalp_amount=0.0
    )
    red, black = (0.6, 0.05, 0.1), (0.05, 0.04, 0.04)
    made_up = replace(bare, lipstick=red, lipstick_amount=0.9, scalp=black, scalp_amount=0.9)
    first, second = (skin_parts(who, look, everything(dress))[0] for look in (bare, made_up))
    names = {tuple(f): body.part_names[p] for f, p in zip(body.f.tolist(), body.face_part)}
    part = np.array([names[tuple(f)] for f in first.f.tolist()])
    for name, color in (("lips", red), ("scalp", black)):
        rows = np.flatnonzero(part == name)
        middle = np.full((len(rows), 3), 1 / 3)
        before, after = (
            np.linalg.norm(np.median(colors_at(p, rows, middle), 0) - color)
            for p in (first, second)
        )
        assert after < 0.35 * before, name
    rows = np.flatnonzero(part == "torso")
    middle = np.full((len(rows), 3), 1 / 3)
    assert np.array_equal(colors_at(first, rows, middle), colors_at(second, rows, middle))


def test_wrinkles_come_with_age_and_lie_on_the_surface(dress):
    texels = get_skin_texels(dress.body, SIZE)
    assert not make_creases(texels, 0.0, np.random.default_rng(0))
    counts, depths = [], []
    for ageing in (0.3, 0.6, 1.0):
        lines = make_creases(texels, ageing, np.random.default_rng(1))
        counts.append(len(lines))
        depths.append(press_creases(texels, lines).min())
        gap = texels.tree.query(np.concatenate([c.line for c in lines]))[0]
        assert gap.max() < 1e-6
    assert counts[0] < counts[2]
    assert 0 > depths[0] > depths[1] > depths[2] > -0.002


def test_a_crease_is_as_deep_as_it_says_in_its_middle(dress):
    texels = get_skin_texels(dress.body, SIZE)
    line = make_creases(texels, 1.0, np.random.default_rng(1))[0]
    height = press_creases(texels, [line])
    points = texels.points[texels.head]
    middle = line.line[len(line.line) // 2]
    near = np.linalg.norm(points - middle, axis=1) < 0.0005
    assert height[near].min() == pytest.approx(-line.depth, rel=0.1)
    far = np.linalg.norm(points[:, None] - line.line[None, ::4], axis=2).min(1) > 0.02
    assert (height[far] == 0).all()


def test_moles_lie_on_the_body_and_teeth_are_lighter_than_gums(dress):
    who = wearer(dress, None)
    look = plain(random_skin(np.random.default_rng(6), who.traits, None, HAIR))
    with_moles = skin_parts(who, replace(look, moles=12), everything(dress))[0].material
    without = skin_parts(who, look, everything(dress))[0].material
    darker = with_moles.color[..., :3].sum(-1, dtype=int) < without.color[..., :3].sum(-1) - 40
    assert 10 < darker.sum() < 0.01 * darker.size
    texels = get_skin_texels(dress.body, SIZE)
    inside = texels.spread(texels.part)
    teeth, tongue = (
        without.color[inside == dress.body.part_names.index(n), :3] / 255.0
        for n in ("teeth", "tongue")
    )
    white = teeth[:, 1] / teeth[:, 0] > 0.85
    assert 0.1 < white.mean() < 0.8  # the rest is gum
    assert np.median(teeth[white], 0).mean() > np.median(tongue, 0).mean() + 0.1
    assert (tongue[:, 1] / tongue[:, 0] < 0.75).all()


# `surface_points` places the atlas' texels; here the template is the oracle.
def test_points_of_the_texels_lie_on_their_triangles(dress):
    texels = get_skin_texels(dress.body, 256)
    body = dress.body
    third = np.full((len(texels.triangle), 3), 1 / 3, np.float32)
    middle = surface_points(np.asarray(body.v_template), body.f, texels.triangle, third)
    size = np.linalg.norm(body.v_template[body.f[texels.triangle]] - middle[:, None], axis=2).max(1)
    assert (np.linalg.norm(texels.points - middle, axis=1) <= size + 1e-6).all()
