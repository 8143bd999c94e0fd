"""Eyes of synthetic people: colours, pupils, where the picture lies, what is broken."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.types import JOINT_INDEX, LikenessError, Pose
from likeness.engine.synth.eyeballs import IRIS, REACH, eye_parts, random_eyes
from likeness.engine.synth.person_parts import Traits, Wearer
from likeness.engine.wardrobe.dress import pose_body
from likeness.engine.wardrobe.library import open_library
from likeness.engine.wardrobe.mesh_parts import LABEL
from PIL import Image

TRAITS = Traits("female", 30.0, 3, (0.0, 0.0, 1.0))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A brown and a blue eye as MakeHuman lays them out: a disc of 57 pixels in a white."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "skins" / "textures").mkdir(parents=True)
    (folder / "eyes" / "materials").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "skins" / "textures" / "young_male_diffuse.png")
    y, x = np.mgrid[:512, :512] + 0.5
    r = np.hypot(x - 0.704 * 512, y - 0.298 * 512)
    for name, iris in (("brown", (90, 60, 30)), ("blue", (60, 90, 140))):
        picture = np.full((512, 512, 3), (225, 220, 215), np.uint8)
        picture[r < 0.112 * 512] = iris
        picture[r < 0.033 * 512] = 5
        Image.fromarray(picture).save(folder / "eyes" / "materials" / f"{name}_eye.png")
    return open_library(folder)


def wearer(dress, library, pose=None):
    body = dress.body
    betas = np.zeros(body.num_betas)
    pose = pose or Pose.rest(body.num_expression)
    posed = pose_body(dress, betas, pose)
    return Wearer(dress, posed, TRAITS, betas, pose.expression, library, 1024)


def at(part, eye, offset):
    """sRGB where the front of an eyeball (its middle ``eye``) shows at an offset [2], metres."""
    corners = np.asarray(part.vertices)[part.f]
    goal = eye[:2] + offset
    for triangle, uv in zip(corners, part.uv):
        if triangle[:, 2].mean() < eye[2]:
            continue
        a, b, c = triangle[:, :2]
        system = np.stack([b - a, c - a], 1)
        if abs(np.linalg.det(system)) < 1e-12:
            continue
        v, w = np.linalg.solve(system, goal - a)
        if v >= 0 and w >= 0 and v + w <= 1:
            color = part.material.color
            col, row = ((1 - v - w) * uv[0] + v * uv[1] + w * uv[2]) * color.shape[1::-1]
            return color[int(row), int(col), :3] / 255.0
    raise AssertionError("nothing of the eye there")


@pytest.mark.parametrize("with_library", [False, True])
def test_the_iris_has_its_colour_around_a_black_pupil_within_a_white(dress, library, with_library):
    lib = library if with_library else None
    for seed in range(2):
        look = random_eyes(np.random.default_rng(seed), TRAITS, lib)
        look = replace(look, ring=0.0, yellow=0.1, veins=0.1)
        part = eye_parts(wearer(dress, lib), look)[0]
        for side in ("left", "right"):
            eye = dress.body.J_template[JOINT_INDEX[f"{side}_eye_smplhf"]]
            assert at(part, eye, np.zeros(2)).max() < 0.1
            turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
            ring = np.stack([np.cos(turns), np.sin(turns)], 1)
            iris = np.mean([at(part, eye, 0.0041 * d) for d in ring], 0)
            assert np.linalg.norm(rgb_to_lab(iris) - rgb_to_lab(np.array(look.iris))) < 9
            white = np.mean([at(part, eye, 0.0072 * d) for d in ring], 0)
            assert white.min() > 0.5


def test_pupils_are_as_wide_as_the_look_says(dress, library):
    for lib in (None, library):
        for radius in (0.0013, 0.0023):
            look = replace(random_eyes(np.random.default_rng(0), TRAITS, lib), pupil=radius)
            color = eye_parts(wearer(dress, lib), look)[0].material.color
            half = color[:, : color.shape[0], :3].max(-1) < 12
            assert np.sqrt(half.sum() / np.pi) / half.shape[0] * 2 * REACH == pytest.approx(
                radius, abs=0.00015
            )


def test_the_nearest_of_the_library_s_colours_lends_its_fibres(library):
    for seed in range(20):
        look = random_eyes(np.random.default_rng(seed), TRAITS, library)
        lab = rgb_to_lab(np.array(look.iris))
        if abs(lab[2]) > 12:
            assert look.picture == f"materials/{'blue' if lab[2] < 0 else 'brown'}_eye.png"


def test_dark_skin_goes_with_brown_eyes():
    blue = {}
    for tone in (2, 9):
        traits = replace(TRAITS, tone=tone)
        looks = [random_eyes(np.random.default_rng(seed), traits, None) for seed in range(200)]
        blue[tone] = np.mean([look.iris[2] > look.iris[0] for look in looks])
    assert blue[2] > 0.2
    assert blue[9] < 0.03


def test_the_eyes_are_the_eyeballs_turned_with_the_gaze(dress):
    body = dress.body
    gaze = Pose.rest(body.num_expression).with_joints(
        left_eye_smplhf=[0.0, 0.4, 0.0], right_eye_smplhf=[0.0, 0.4, 0.0]
    )
    look = random_eyes(np.random.default_rng(0), TRAITS, None)
    ahead, aside = (
        eye_parts(wearer(dress, None), look)[0],
        eye_parts(wearer(dress, None, gaze), look)[0],
    )
    assert np.array_equal(ahead.uv, aside.uv)
    assert (
        len(ahead.f)
        == np.isin(body.face_part, [body.part_names.index(n) for n in ("eye", "eye_back")]).sum()
    )
    assert (ahead.label == LABEL["eye"]).all()
    assert ahead.material.kind == "eye"
    eye = body.J_template[JOINT_INDEX["left_eye_smplhf"]]
    assert at(ahead, eye, np.zeros(2)).max() < 0.1
    # Turned by 0.4 about y, the pupil has moved by the eyeball's radius times its sine.
    radius = np.asarray(body.v_template)[np.unique(ahead.f)][:, 2].max() - eye[2]
    assert at(aside, eye, np.array([radius * np.sin(0.4), 0.0])).max() < 0.1
    assert at(aside, eye, np.array([-IRIS * 0.5, 0.0])).max() > 0.3


def test_the_same_look_gives_the_same_eyes_and_goes_into_json(dress):
    look = random_eyes(np.random.default_rng(4), TRAITS, None)
    assert look == random_eyes(np.random.default_rng(4), TRAITS, None)
    first, second = (eye_parts(wearer(dress, None), look)[0].material.color for _ in range(2))
    assert np.array_equal(first, second)
    assert json.loads(json.dumps(asdict(look)))["seed"] == look.seed
    other = eye_parts(wearer(dress, None), replace(look, seed=look.seed + 1))[0].material.color
    assert not np.array_equal(first, other)


def test_a_broken_eye_is_named(tmp_path):
    (tmp_path / "skins" / "textures").mkdir(parents=True)
    (tmp_path / "eyes" / "materials").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "skins" / "textures" / "young_male_diffuse.png")
    (tmp_path / "eyes" / "materials" / "red_eye.png").write_bytes(b"no picture")
    with pytest.raises(LikenessError, match=r"red_eye\.png"):
        random_eyes(np.random.default_rng(0), TRAITS, open_library(tmp_path))
