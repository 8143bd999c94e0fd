"""Labels of pixels and of the surface, on a painted body of which every label is known."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import crop_camera, photo_camera, project
from likeness.engine.core.types import JOINT_INDEX, Camera, FloatArray, IntArray, Observation, Pose
from likeness.engine.gaussians.lift.garments.dress_rules import S as RULES
from likeness.engine.gaussians.lift.garments.dress_rules import _in_order, is_bald
from likeness.engine.gaussians.lift.garments.labels_hidden import drop_islands
from likeness.engine.gaussians.lift.garments.labels_surface import (
    find_clothed_fingers,
    label_surface,
    labels_at,
    smooth_borders,
    vertex_parts,
    worn_probability,
)
from likeness.engine.gaussians.lift.grids.pixel_grids import dilate
from likeness.engine.gaussians.lift.pixels.labels_cleanup import (
    find_hat,
    keep_attached_hair,
    remove_crumbs,
)
from likeness.engine.gaussians.lift.pixels.regions import Regions, find_regions
from likeness.engine.gaussians.lift.pixels.skin_tone import UNSEEN_SKIN
from likeness.engine.gaussians.lift.surface.labels import (
    HAIR,
    HAT,
    LABELS,
    LOWER,
    NONE,
    SHOES,
    SKIN,
    UPPER,
    place_prior,
    standard_rest,
)
from likeness.engine.gaussians.lift.surface.labels import S as PLACES
from likeness.engine.gaussians.lift.surface.limbs import HEAD
from likeness.engine.gaussians.lift.surface.surfels import INNER_PARTS
from likeness.engine.gaussians.mesh_diffusion import mesh_edges, mesh_laplacian
from likeness.engine.render.mesh import rasterize_mesh

from tests.soaked import if_asked

SLEEVE, WAIST, HEM = 0.33, 0.02, -0.36  # metres at rest: where the clothes end
COLORS = {
    SKIN: (0.80, 0.60, 0.50),
    HAIR: (0.16, 0.11, 0.08),
    UPPER: (0.25, 0.40, 0.65),
    LOWER: (0.35, 0.33, 0.22),
    SHOES: (0.85, 0.85, 0.88),
}


@dataclass(frozen=True)
class Sitter:
    """The default body before a camera, and its landmarks; ``worn`` [V] is the true label."""

    body: Body
    vertices: FloatArray
    camera: Camera
    observation: Observation
    worn: IntArray


@pytest.fixture(scope="module")
def sitter(average: Body) -> Sitter:
    body = average
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, 0.1, -3.0]))
    pose = pose.with_joints(left_shoulder=[0, 0, -0.9], right_shoulder=[0, 0, 0.9])
    camera = photo_camera(620.0, 300, 400)
    vertices, joints = body.vertices(pose)
    marks = body.landmarks
    assert marks is not None
    corners = vertices[body.f[marks.face_triangle]]
    face, _ = project(np.einsum("nk,nkd->nd", marks.face_bary, corners), camera)
    points, _ = project(joints[marks.pose_joint], camera)
    seen = Observation(
        pose=points,
        pose_visibility=np.ones(33),
        pose_world=np.zeros((33, 3)),
        person_mask=np.zeros((400, 300), np.float32),
        face=face,
        face_score=1.0,
    )
    part, rest = vertex_parts(body), np.asarray(body.v_template)
    worn = np.full(len(rest), SKIN)
    worn[part == "scalp"] = HAIR
    worn[(part == "torso") | ((part == "arm") & (np.abs(rest[:, 0]) < SLEEVE))] = UPPER
    legs = np.isin(part, ["torso", "leg"]) & (rest[:, 1] < WAIST)
    worn[legs & (rest[:, 1] > HEM)] = LOWER
    worn[part == "foot"] = SHOES
    return Sitter(body, vertices, camera, seen, worn)


def label(
    sitter: Sitter, colors: dict[int, tuple[float, ...]] = COLORS
) -> tuple[Regions, IntArray]:
    """Paint the sitter, label the picture; also the true labels [H, W]."""
    body, camera = sitter.body, sitter.camera
    buffer = rasterize_mesh(sitter.vertices, body.f, camera)
    mask = buffer.face >= 0
    corner = body.f[buffer.face, buffer.bary.argmax(-1)]
    truth = np.where(mask, sitter.worn[corner], NONE)
    rng = np.random.default_rng(0)
    shade = 0.75 + 0.25 * np.linspace(0, 1, camera.width)[None, :, None]
    tone = np.array([colors.get(k, (0.5, 0.5, 0.5)) for k in range(len(LABELS))])[truth]
    picture = np.clip(tone * shade + rng.normal(0, 0.015, tone.shape), 0, 1)
    regions = find_regions(
        picture, mask, camera, sitter.vertices, body, sitter.observation, 1.0, picture
    )
    return regions, truth


@pytest.fixture(scope="module")
def labelled(sitter: Sitter) -> tuple[Regions, IntArray]:
    return label(sitter)


def overlap(ours: IntArray, truth: IntArray, one: int) -> float:
    return float(((ours == one) & (truth == one)).sum() / ((ours == one) | (truth == one)).sum())


def test_pixels_get_their_labels(labelled: tuple[Regions, IntArray]) -> None:
    regions, truth = labelled
    assert (regions.label[~regions.mask] == NONE).all()
    for one in (SKIN, UPPER, LOWER, SHOES):
        assert overlap(regions.label, truth, one) > 0.88, LABELS[one]
    assert overlap(regions.label, truth, HAIR) > 0.7  # a cap of a hundred pixels, all rim
    assert (regions.label == truth)[regions.mask].mean() > 0.97
    assert (regions.hair == np.isin(regions.label, [HAIR, HAT])).all()
    assert not (regions.skin & ~np.isin(regions.label, [SKIN])).any()


@pytest.mark.parametrize("skin", [(0.36, 0.24, 0.17), (0.86, 0.68, 0.58)])
def test_a_person_whose_face_is_not_found_keeps_skin_and_hair(
    sitter: Sitter, skin: tuple[float, ...]
) -> None:
    """Small, dark and turned faces are not found: the fitted body says where skin and hair are."""
    unseen = replace(sitter, observation=replace(sitter.observation, face=None))
    regions, truth = label(unseen, {**COLORS, SKIN: skin, HAIR: (0.55, 0.53, 0.50)})
    assert not regions.face.any()
    apart = np.abs(regions.skin_color - 0.9 * np.array(skin))  # the picture is shaded
    assert apart.max() < 0.06
    assert overlap(regions.label, truth, HAIR) > 0.5  # a hundred pixels, all rim
    shares = label_surface(regions, unseen.camera, unseen.body, unseen.vertices)
    behind = (vertex_parts(unseen.body) == "scalp") & (unseen.body.v_template[:, 2] < -0.01)
    assert (shares.argmax(1)[behind] == HAIR).mean() > 0.95
    eyes = np.median(
        project(unseen.vertices[unseen.body.weights[:, 23] > 0.5], unseen.camera)[0], 0
    )
    other = np.median(
        project(unseen.vertices[unseen.body.weights[:, 24] > 0.5], unseen.camera)[0], 0
    )
    assert regions.unit == pytest.approx(np.linalg.norm(eyes - other), rel=0.1)


@pytest.mark.parametrize("found", [True, False])
def test_a_head_is_cut_only_where_no_face_is_found(sitter: Sitter, found: bool) -> None:
    """The frame ends below the nose; a face that is found for all that says where it is."""
    assert sitter.observation.face is not None
    top = int(sitter.observation.face[94, 1])
    height, width = sitter.camera.height, sitter.camera.width
    camera = crop_camera(sitter.camera, (0, top, width, height - top))
    points = sitter.observation.pose - [0.0, top]
    face = sitter.observation.face - [0.0, top] if found else None
    observation = replace(sitter.observation, pose=points, face=face)
    regions, _ = label(replace(sitter, camera=camera, observation=observation))
    assert regions.face.any() == found
    assert regions.head_cut != found


def test_who_shows_no_skin_is_neither_pale_nor_dark(sitter: Sitter) -> None:
    unseen = replace(sitter, observation=replace(sitter.observation, face=None))
    blue = (0.2, 0.3, 0.8)
    regions, _ = label(unseen, {**COLORS, SKIN: blue, HAIR: blue})
    # What is drawn as face is all that is known of it.
    assert np.abs(regions.skin_color - 0.9 * np.array(blue)).max() < 0.1
    turned = replace(unseen, vertices=unseen.vertices * [-1, 1, -1] + [0, 0, -6.0])
    regions, _ = label(turned, {**COLORS, SKIN: blue, HAIR: blue})
    assert np.allclose(regions.skin_color, UNSEEN_SKIN)


def test_the_far_side_is_dressed_as_the_near_one(
    sitter: Sitter, labelled: tuple[Regions, IntArray]
) -> None:
    """Sleeves, waist, hem and shoes end at one height all around; nothing behind was seen."""
    shares = label_surface(labelled[0], sitter.camera, sitter.body, sitter.vertices)
    np.testing.assert_allclose(shares.sum(1), 1.0)
    part, rest = vertex_parts(sitter.body), np.asarray(sitter.body.v_template)
    found = shares.argmax(1)
    behind = rest[:, 2] < -0.01
    ends = np.minimum.reduce(
        [
            np.where(part == "arm", np.abs(np.abs(rest[:, 0]) - SLEEVE), 1.0),
            np.abs(rest[:, 1] - WAIST),
            np.abs(rest[:, 1] - HEM),
        ]
    )
    for name in ("scalp", "torso", "arm", "leg", "foot", "hand"):
        own = (part == name) & behind & (ends > 0.02)
        assert (found == sitter.worn)[own].mean() > 0.95, name
    inner = np.isin(part, INNER_PARTS)
    assert (worn_probability(shares)[inner] == 0).all()
    corners = sitter.body.f[:50]
    at_corner = labels_at(shares, corners, np.tile([1.0, 0, 0], (50, 1)))
    sure = shares[corners[:, 0]].max(1) > 0.6
    np.testing.assert_array_equal(at_corner[sure], found[corners[sure, 0]])


def test_one_colour_from_neck_to_feet_is_a_suit(sitter: Sitter) -> None:
    """Background shows between the legs: what they wear is lower wear, and no more."""
    regions, _ = label(sitter, COLORS | {LOWER: COLORS[UPPER]})
    lower = regions.label == LOWER
    height = regions.places.rest[..., 1]
    assert lower.any()
    assert (height[lower] < PLACES.crotch).all()
    assert not (regions.label == UPPER)[regions.mask & (height < PLACES.crotch)].any()


def move_closer(sitter: Sitter, zoom: float, end: float) -> Sitter:
    """Let the frame end at a standard height of the trunk or neck, metres."""
    height = standard_rest(sitter.body)[:, 1]
    trunk = np.isin(vertex_parts(sitter.body), ["torso", "neck"])
    low = sitter.vertices[trunk & (np.abs(height - end) < 0.01)]
    bottom = project(low, sitter.camera)[0][:, 1].mean()
    to_middle = np.array([(1.0 - zoom) * 150.0, 400.0 - zoom * bottom])
    K = sitter.camera.K * [[zoom], [zoom], [1.0]]
    K[:2, 2] += to_middle
    seen = sitter.observation
    assert seen.face is not None
    moved = replace(
        seen, pose=zoom * seen.pose + to_middle, face=zoom * seen.face[:, :2] + to_middle
    )
    return replace(sitter, camera=replace(sitter.camera, K=K), observation=moved)


def test_shoulders_of_a_close_portrait_are_dressed(sitter: Sitter) -> None:
    """The chest, whose cloth usually shows what clothes look like, is outside the frame."""
    close = move_closer(sitter, 3.5, 0.44)
    dark, pale = (0.30, 0.19, 0.14), (0.76, 0.70, 0.55)
    regions, truth = label(close, {**COLORS, SKIN: dark, UPPER: pale})
    chest = regions.places.rest[..., 1][truth == UPPER]
    assert len(chest) > 1000
    assert chest.min() > 0.42  # else this shows nothing
    assert overlap(regions.label, truth, UPPER) > 0.9


def test_borders_between_vertices_are_smooth(sitter: Sitter) -> None:
    """A collar that zigzags along triangles becomes one curve; the labels stay where they are."""
    body = sitter.body
    rest, part = standard_rest(body), vertex_parts(body)
    rng = np.random.default_rng(0)
    height = rest[:, 1] + rng.normal(0.0, 0.02, len(rest))
    rough = np.eye(len(LABELS))[np.where(height > 0.3, SKIN, UPPER)]
    smooth = smooth_borders(rough, mesh_laplacian(body.f, len(rest)))
    np.testing.assert_allclose(smooth.sum(1), 1.0)

    def border(shares: FloatArray) -> FloatArray:
        """Heights at which the edges of the trunk's triangles pass from one label to the other."""
        one, two = mesh_edges(body.f[(part == "torso")[body.f].all(1)]).T
        over = shares[:, SKIN] - shares[:, UPPER]
        across = over[one] * over[two] < 0
        one, two = one[across], two[across]
        at = over[one] / (over[one] - over[two])
        return np.asarray((1 - at) * rest[one, 1] + at * rest[two, 1])

    assert border(smooth).std() < 0.6 * border(rough).std()
    assert abs(np.median(border(smooth)) - 0.3) < 0.01


def test_a_bald_scalp_is_skin(sitter: Sitter) -> None:
    regions, _ = label(sitter, COLORS | {HAIR: COLORS[SKIN]})
    assert not regions.hair.any()
    shares = label_surface(regions, sitter.camera, sitter.body, sitter.vertices)
    scalp = vertex_parts(sitter.body) == "scalp"
    assert (shares.argmax(1)[scalp] == SKIN).all()
    # Whatever the network believes of the back of the head.
    believed = np.tile(np.eye(len(LABELS))[HAIR], (len(sitter.vertices), 1))
    shares = label_surface(regions, sitter.camera, sitter.body, sitter.vertices, believed)
    assert (shares.argmax(1)[scalp] == SKIN).all()


def test_a_scalp_under_a_hood_is_not_bald(sitter: Sitter) -> None:
    regions, _ = label(sitter, COLORS | {HAIR: COLORS[SKIN]})
    part = vertex_parts(sitter.body)
    weight = 1.0 * (part == "scalp")
    for seen, bald in ((SKIN, True), (UPPER, False), (HAIR, False)):
        assert is_bald(np.full(len(part), seen), weight, part, regions) == bald
    few = weight * (np.cumsum(weight) < 0.04 * weight.sum())
    assert not is_bald(np.full(len(part), SKIN), few, part, regions)


def test_short_hair_ends_above_the_neck_behind(sitter: Sitter) -> None:
    """Whatever the network believes; hair that the frame cuts off may go on."""
    regions, _ = label(sitter)
    believed = np.zeros((len(sitter.vertices), len(LABELS)))
    believed[:, HAIR] = 1.0
    rest = standard_rest(sitter.body)
    neck = vertex_parts(sitter.body) == "neck"
    neck &= (rest < np.median(rest[neck], axis=0) - 0.01)[:, 1:].all(1)

    def hairy(regions: Regions) -> float:
        shares = label_surface(regions, sitter.camera, sitter.body, sitter.vertices, believed)
        return float((shares.argmax(1) == HAIR)[neck].mean())

    assert hairy(regions) < 0.2
    cut = np.array(regions.hair)
    cut[-1, : cut.shape[1] // 2] = True
    assert hairy(replace(regions, hair=cut)) > 0.8


def test_a_high_collar_leaves_the_nape_bare(sitter: Sitter) -> None:
    """It covers the whole neck in front, but below the hair behind there is skin."""
    worn = np.array(sitter.worn)
    rest, part = standard_rest(sitter.body), vertex_parts(sitter.body)
    worn[part == "neck"] = UPPER
    regions, _ = label(replace(sitter, worn=worn))
    shares = label_surface(regions, sitter.camera, sitter.body, sitter.vertices)
    neck, end = part == "neck", rest[part == "scalp", 1].min()
    behind = neck & (rest[:, 2] < np.median(rest[neck, 2]) - 0.01)
    clothed = shares.argmax(1) == UPPER
    below = behind & (rest[:, 1] < end + RULES.hairline - RULES.nape - 0.01)
    assert clothed[neck & (rest[:, 2] > np.percentile(rest[neck, 2], 75))].mean() > 0.8
    assert clothed[below].mean() > 0.8
    assert clothed[behind & (rest[:, 1] > end - 0.005)].mean() < 0.2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "lost", ["leg foot", "torso", "scalp", *if_asked("neck", "foot", "arm", "ear", "hand", "leg")]
)
def test_bodies_without_a_part_are_dressed(sitter: Sitter, lost: str) -> None:
    regions, _ = label(sitter)
    # Something dark beside the head, as hair that hangs there.
    wide = dilate(regions.mask & (regions.group == HEAD), 6) & ~regions.places.on_body
    regions = replace(regions, label=np.where(wide, HAIR, regions.label))
    names = tuple("other" if name in lost.split() else name for name in sitter.body.part_names)
    body = replace(sitter.body, part_names=names)
    shares = label_surface(regions, sitter.camera, body, sitter.vertices)
    np.testing.assert_allclose(shares.sum(1), 1.0, atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_body_with_one_leg_wears_the_same_trousers_on_it(sitter: Sitter) -> None:
    regions, _ = label(sitter)
    body = sitter.body
    both = label_surface(regions, sitter.camera, body, sitter.vertices).argmax(1)
    leg = body.face_part == body.part_names.index("leg")
    left = leg & (body.v_template[body.f].mean(1)[:, 0] > 0)
    parts = np.where(left, len(body.part_names), body.face_part).astype(body.face_part.dtype)
    lame = replace(body, face_part=parts, part_names=(*body.part_names, "other"))
    one = label_surface(regions, sitter.camera, lame, sitter.vertices).argmax(1)
    right = (vertex_parts(lame) == "leg") & (body.v_template[:, 0] < -0.02)
    assert right.sum() > 100
    assert (one == both)[right].mean() > 0.99


def test_skin_coloured_clothes_are_clothes(sitter: Sitter) -> None:
    """A shirt a little paler and less red than the face."""
    regions, truth = label(sitter, COLORS | {UPPER: (0.80, 0.70, 0.66)})
    chest = ((truth == UPPER) & regions.mask)[: sitter.camera.height // 2]
    assert (regions.label[: sitter.camera.height // 2][chest] == UPPER).mean() > 0.95


def test_places_do_not_depend_on_the_height(sitter: Sitter) -> None:
    body = sitter.body
    tall = replace(
        body, v_template=body.v_template * np.float32(1.3), J_template=body.J_template * 1.3
    )
    np.testing.assert_allclose(standard_rest(tall)[:, 1], standard_rest(body)[:, 1], atol=1e-6)
    part = np.arange(len(body.part_names))
    prior = place_prior(np.zeros((len(part), 3)), part, body)
    np.testing.assert_allclose(prior.sum(1), 1.0)
    assert prior[body.part_names.index("scalp")].argmax() == HAIR
    assert prior[body.part_names.index("foot")].argmax() == SHOES


def test_rings_in_order_are_the_cheapest() -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        cost = rng.random((6, 3))
        found = _in_order(cost)

        def total(states: tuple[int, ...], cost: FloatArray = cost) -> float:
            changes = sum(a != b for a, b in itertools.pairwise(states))
            return float(cost[np.arange(6), list(states)].sum() + RULES.step_cost * changes)

        rising = (s for s in itertools.product(range(3), repeat=6) if list(s) == sorted(s))
        assert total(tuple(found)) == pytest.approx(min(map(total, rising)))


def test_crumbs_go_and_hair_hangs_from_the_head() -> None:
    grid = np.full((40, 40), UPPER)
    grid[:20] = SKIN
    grid[10:12, 10:12] = UPPER
    grid[30:39, 5:15] = LOWER
    tidy = remove_crumbs(grid, unit=10.0)
    assert (tidy[:20] == SKIN).all()
    assert (tidy[30:39, 5:15] == LOWER).all()
    grid[2:9, 2:30], grid[30:38, 25:35] = HAIR, HAIR
    head = np.broadcast_to(np.arange(40)[:, None] < 20, (40, 40))
    hanging = keep_attached_hair(grid, head, 10.0)
    np.testing.assert_array_equal([hanging[2:9, 2:30].all(), hanging[20:].any()], [True, False])


@pytest.mark.parametrize("contrast", [60.0, 20.0])
def test_a_hat_is_told_from_the_hair_below_it(contrast: float) -> None:
    unit, brow = 20.0, 60.0
    rows, cols = np.mgrid[:100, :100]
    head = np.hypot(rows - 50, cols - 50) < 42
    grid = np.where(head & ((rows < 45) | (np.abs(cols - 50) > 25)), HAIR, NONE)
    hat = (grid == HAIR) & (rows < 35)
    lab = np.zeros((100, 100, 3))
    lab[..., 0] = np.where(hat, 20.0 + contrast, 20.0)
    found = find_hat(grid, lab, head, brow, unit)
    if contrast < 30:
        assert (found == grid).all()
    else:
        assert overlap(found, np.where(hat, HAT, grid), HAT) > 0.9
        assert ((found == HAIR) | (found == HAT))[grid == HAIR].all()


@pytest.mark.parametrize("strapless", [False, True])
def test_a_neckline_is_no_back(sitter: Sitter, strapless: bool) -> None:
    """Skin between the straps is in front alone; bare shoulders are bare behind as well."""
    part, rest = vertex_parts(sitter.body), np.asarray(sitter.body.v_template)
    torso = part == "torso"
    upper = torso & (rest[:, 1] > np.percentile(rest[torso, 1], 75))
    between = np.abs(rest[:, 0]) < 0.13
    worn = sitter.worn.copy()
    worn[upper if strapless else upper & between & (rest[:, 2] > -0.02)] = SKIN
    worn[(part == "arm") & strapless] = SKIN
    other = replace(sitter, worn=worn)
    shares = label_surface(label(other)[0], other.camera, other.body, other.vertices)
    back = upper & (rest[:, 2] < -0.06)
    bare = (shares.argmax(1) == SKIN)[back].mean()
    assert bare > 0.8 if strapless else bare < 0.1


def test_an_unseen_patch_of_the_shirt_on_trousers_goes(sitter: Sitter) -> None:
    rest, f = np.asarray(sitter.body.v_template), sitter.body.f
    patch = np.linalg.norm(rest - rest[sitter.worn == LOWER].mean(0) - [0.1, 0, 0], axis=1) < 0.12
    patch &= sitter.worn == LOWER
    assert patch.sum() > 5
    shares = 0.2 * np.eye(len(LABELS))[LOWER] + 0.7 * np.eye(len(LABELS))[sitter.worn]
    shares[patch] = np.eye(len(LABELS))[UPPER]
    np.testing.assert_array_equal(drop_islands(shares, ~patch, f).argmax(1), sitter.worn)
    assert (drop_islands(shares, patch, f)[patch].argmax(1) == UPPER).all()


def test_a_sleeve_seen_on_a_thigh_is_not_worn_there(
    sitter: Sitter, labelled: tuple[Regions, IntArray]
) -> None:
    """A hand rests there, and the fit has it beside that."""
    regions, _ = labelled
    x, y = sitter.observation.pose[[23, 25]].mean(0).astype(int)
    stained = regions.label.copy()
    stained[y - 15 : y + 15, x - 9 : x + 9] = UPPER
    assert (regions.label[stained != regions.label] == LOWER).sum() > 60
    regions = replace(regions, label=stained)
    shares = label_surface(regions, sitter.camera, sitter.body, sitter.vertices)
    assert (shares.argmax(1) != UPPER)[vertex_parts(sitter.body) == "leg"].all()


def test_trousers_fall_on_unseen_shoes_whatever_the_network_says(sitter: Sitter) -> None:
    """It says that the whole foot is a shoe; the photo ends at the waist."""
    closer = move_closer(sitter, 1.0, 0.0)
    regions, _ = label(closer)
    rest, foot = np.asarray(sitter.body.v_template), vertex_parts(sitter.body) == "foot"
    clothed = np.where(rest[:, 1] > sitter.body.J_template[0, 1], UPPER, LOWER)
    shod = 0.9 * np.eye(len(LABELS))[np.where(foot, SHOES, clothed)] + 0.1 / len(LABELS)
    shares = label_surface(regions, closer.camera, closer.body, closer.vertices, shod)
    top = rest[foot, 1].max()
    ankle = foot & (rest[:, 1] > top - 0.02)
    sole = foot & (rest[:, 1] < rest[foot, 1].min() + 0.03)
    assert (shares[ankle].argmax(1) == LOWER).mean() > 0.9
    assert (shares[sole].argmax(1) == SHOES).mean() > 0.9


def test_fingers_of_a_bare_hand_wear_no_sleeve(sitter: Sitter) -> None:
    """Where the fit lays them beside the photo's, the pixels show what lies behind."""
    body = sitter.body
    count = len(body.v_template)
    index = body.weights[:, JOINT_INDEX["left_index3"]] > 0.5
    palm = body.weights[:, JOINT_INDEX["left_wrist"]] > 0.9
    bare, seen = np.full(count, SKIN), np.ones(count)
    label = np.where(index | palm, UPPER, SKIN)
    np.testing.assert_array_equal(find_clothed_fingers(label, seen, bare, body), index)
    assert not find_clothed_fingers(label, seen, np.full(count, UPPER), body).any()  # a glove
    assert not find_clothed_fingers(np.full(count, UPPER), seen, bare, body).any()  # a pocket
    hidden = np.where(index, 1.0, 0.0)  # all that is seen of the hand
    assert not find_clothed_fingers(label, hidden, bare, body).any()
