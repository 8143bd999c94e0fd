"""Skirts: told from trousers, drawn as the photo shows them, and hung around both legs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.atlas import rasterize_atlas
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.settings import overridden_settings
from likeness.engine.core.types import (
    BoolArray,
    Camera,
    FloatArray,
    IntArray,
    Matte,
    Observation,
    Pose,
    Track,
)
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift.colors.skirt_colors import hem_distance
from likeness.engine.gaussians.lift.lift_photo import LiftOptions, lift_photo
from likeness.engine.gaussians.lift.pixels.regions import Regions, find_regions
from likeness.engine.gaussians.lift.shape.dressed_mesh import DressedMesh
from likeness.engine.gaussians.lift.skirts.skirt import (
    PART,
    Skirt,
    fit_skirt,
    skirt_faces,
    tuck_under_skirt,
)
from likeness.engine.gaussians.lift.skirts.skirt_skinning import COLUMNS, RINGS, seated_shares
from likeness.engine.gaussians.lift.surface.labels import LOWER, NONE, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.nape import add_nape
from likeness.engine.render import render_camera
from likeness.engine.render.mesh import MeshBuffer, rasterize_mesh
from scipy import ndimage

from tests.soaked import if_asked

from .observations import observe_nothing

WAIST, HEM = 0.05, -0.62  # metres over the pelvis
TOP = 0.18  # half as wide as it is at the waist: the box of the trunk fits in


@dataclass(frozen=True)
class Scene:
    """A body of boxes in a cone of cloth, photographed with a z-buffer."""

    body: Body
    camera: Camera
    pose: Pose
    buffer: MeshBuffer
    cloth: BoolArray
    regions: Regions
    observation: Observation

    @property
    def vertices(self) -> FloatArray:
        return self.body.vertices(self.pose)[0]

    @property
    def dressed(self) -> DressedMesh:
        count = len(self.body.v_template)
        return DressedMesh(self.vertices, *np.zeros((2, count)), self.body.f, np.zeros(count, bool))

    def found(self) -> Skirt | None:
        return fit_skirt(self.regions, self.camera, self.body, self.pose, self.dressed)


def cone(hem: float, width: float, depth: float) -> tuple[FloatArray, IntArray]:
    """A tube from the waist to a hem, half as wide and deep as given there."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    t = np.linspace(0, 1, 20)[:, None]
    x = (TOP + (width - TOP) * t) * np.sin(turn)
    z = (TOP + (depth - TOP) * t) * np.cos(turn)
    points = np.stack([x, np.broadcast_to(WAIST + (hem - WAIST) * t, x.shape), z], -1)
    r, c = np.mgrid[:19, :48]
    a, b = r * 48 + c, r * 48 + (c + 1) % 48
    return points.reshape(-1, 3), np.concatenate(
        [
            np.stack([a, a + 48, b], -1).reshape(-1, 3),
            np.stack([b, a + 48, b + 48], -1).reshape(-1, 3),
        ]
    )


def photograph(
    worn: str = "skirt",
    width: float = 0.36,
    yaw: float = 0.0,
    label: int = LOWER,
    **legs: list[float],
) -> Scene:
    body = add_nape(make_synthetic_body().personalised(np.zeros(4)))
    pose = Pose.rest(body.num_expression).with_joints(
        left_shoulder=[0, 0, -0.9], right_shoulder=[0, 0, 0.9], pelvis=[0, yaw, 0], **legs
    )
    pose = replace(pose, transl=np.array([0.0, 0.1, -3.0]))
    camera = photo_camera(430.0, 260, 270)
    vertices, joints = body.vertices(pose)
    count, f = len(vertices), body.f
    if worn == "skirt":
        points, faces = cone(HEM, width, 0.7 * width)
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        vertices = np.concatenate([vertices, points @ turn.T + joints[0]])
        f = np.concatenate([f, faces + count])
    buffer = rasterize_mesh(vertices, f, camera)
    mask = buffer.face >= 0
    part = np.array([*body.part_names, "cloth"])[
        np.concatenate([body.face_part, np.full(len(f) - len(body.f), len(body.part_names))])
    ]
    seen = np.where(mask, part[buffer.face], "")
    labels = np.select([seen == "cloth", seen == "torso", seen == ""], [label, UPPER, NONE], SKIN)
    height = np.broadcast_to(np.mgrid[:270, :260][0], mask.shape)
    if worn in ("trousers", "shorts"):
        above = height < (200 if worn == "shorts" else 245)
        labels[(seen == "leg") & above] = LOWER
    observation = observe_nothing(mask)
    colors = np.full((270, 260, 3), 0.5)
    regions = find_regions(colors, mask, camera, body.vertices(pose)[0], body, observation, 1.0)
    regions = replace(regions, label=labels)
    return Scene(body, camera, pose, buffer, seen == "cloth", regions, observation)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return photograph()


@pytest.fixture(scope="module")
def skirt(scene: Scene) -> Skirt:
    found = scene.found()
    assert found is not None
    return found


def posed(scene: Scene, skirt: Skirt, **joints: list[float]) -> FloatArray:
    """[RINGS, COLUMNS, 3] the skirt on somebody who stands with these joints turned."""
    pose = Pose.rest(scene.body.num_expression).with_joints(**joints)
    return skirt.on(scene.body).vertices(pose)[0][-RINGS * COLUMNS :].reshape(RINGS, COLUMNS, 3)


@pytest.mark.parametrize("worn", ["trousers", "shorts", "nothing"])
def test_no_skirts_are_not_found(worn: str) -> None:
    assert photograph(worn).found() is None


def test_nobody_sits_in_a_found_skirt(scene: Scene) -> None:
    sitting = scene.pose.with_joints(left_hip=[-1.4, 0, 0], right_hip=[-1.4, 0, 0])
    assert replace(scene, pose=sitting).found() is None


@pytest.mark.parametrize(
    ("width", "yaw", "label"),
    [(0.36, 0, LOWER), (0.26, 0, UPPER), *if_asked((0.36, 0.35, LOWER), (0.36, np.pi, LOWER))],
)
def test_drawn_by_the_photos_camera_it_covers_its_pixels(
    width: float, yaw: float, label: int
) -> None:
    scene = photograph(width=width, yaw=yaw, label=label)
    found = scene.found()
    assert found is not None
    assert found.label == label
    points = found.on(scene.body).vertices(scene.pose)[0][-RINGS * COLUMNS :]
    drawn = rasterize_mesh(points, skirt_faces(), scene.camera).face >= 0
    # The top of the cone lies on the trunk, which covers it in the photo as well.
    rows = np.nonzero(drawn.any(1))[0]
    below = np.mgrid[:270, :260][0] >= rows.min()
    truth = scene.cloth & below & ~(scene.regions.label == UPPER) if label == LOWER else scene.cloth
    truth = truth & below
    assert (drawn & truth).sum() / (drawn | truth).sum() > 0.97


def test_it_is_round(scene: Scene, skirt: Skirt) -> None:
    grid = skirt.piece.vertices.reshape(RINGS, COLUMNS, 3)
    width, depth = np.ptp(grid[..., 0], axis=1), np.ptp(grid[..., 2], axis=1)
    assert width[-1] == pytest.approx(2 * 0.36, rel=0.05)
    assert 0.6 < depth[-1] / width[-1] < 0.85
    # Every triangle looks outwards, away from the axis.
    f = skirt_faces()
    a, b, c = (skirt.piece.vertices[f[:, k]] for k in range(3))
    out = a + b + c - 3 * grid.mean((0, 1))
    normal = np.cross(b - a, c - a)
    assert (normal[:, 0] * out[:, 0] + normal[:, 2] * out[:, 2] > 0).mean() > 0.99


def test_legs_stay_inside(scene: Scene, skirt: Skirt) -> None:
    """Rays down the photo's camera meet the skirt before and behind the legs."""
    points = skirt.on(scene.body).vertices(scene.pose)[0][-RINGS * COLUMNS :]
    drawn = rasterize_mesh(points, skirt_faces(), scene.camera)
    legs = scene.regions.limb[4], scene.regions.limb[5]
    hem = np.nonzero((drawn.face >= 0).any(1))[0].max()
    above = np.mgrid[:270, :260][0] < hem - 14  # where a ray meets both its sides
    for leg in legs:
        both = (drawn.face >= 0) & (leg.face >= 0) & above
        assert both.sum() > 100
        assert (drawn.depth <= leg.depth + 1e-3)[both].mean() > 0.98
        assert (drawn.back_depth >= leg.back_depth - 1e-3)[both].mean() > 0.98


def test_hold(skirt: Skirt) -> None:
    weights = skirt.piece.weights
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-6)
    assert weights.min() >= 0.0
    grid = weights.reshape(RINGS, COLUMNS, -1)
    left, right = grid[..., [1, 4]].sum(-1), grid[..., [2, 5]].sum(-1)
    for middle in (0, COLUMNS // 2):  # before and behind
        np.testing.assert_allclose(left[:, middle], right[:, middle], atol=0.05)
    side = COLUMNS // 4  # to the right of the picture: the left leg's own
    assert left[-1, side] > 0.95 * (left + right)[-1, side]
    assert right[-1, 3 * side] > 0.95 * (left + right)[-1, 3 * side]
    assert left[0, side] < 0.5


def test_it_hangs_together_in_a_step(scene: Scene, skirt: Skirt) -> None:
    still = posed(scene, skirt)
    step = posed(scene, skirt, left_hip=[-0.42, 0, 0], right_hip=[0.31, 0, 0])
    for axis in (0, 1):
        lengths = [
            np.linalg.norm(np.roll(g, -1, axis) - g, axis=-1)[RINGS // 4 : RINGS - 1 + axis]
            for g in (still, step)
        ]
        assert lengths[1].max() < 0.09
        assert (lengths[1] / lengths[0]).max() < 2.6
    # The hem comes along with the legs: it is not left behind.
    moved = (step - still)[-1]
    assert moved[COLUMNS // 4, 2] > 0.1
    assert moved[3 * COLUMNS // 4, 2] < -0.1


def test_it_lies_over_the_lap_of_somebody_who_sits(scene: Scene, skirt: Skirt) -> None:
    bent = {
        "left_hip": [-1.55, 0, 0],
        "right_hip": [-1.55, 0, 0],
        "left_knee": [1.55, 0, 0],
        "right_knee": [1.55, 0, 0],
    }
    grid = posed(scene, skirt, **bent)
    hip = scene.body.J_template[1]
    ahead = np.abs(np.mod(np.arange(COLUMNS) + COLUMNS // 2, COLUMNS) - COLUMNS // 2) < COLUMNS // 8
    hem = grid[-1, ahead]
    assert (hem[:, 2] > 0.3).all()  # forward, as far as the knees
    assert (hem[:, 1] - hip[1] > -0.15).all()
    assert (grid[RINGS // 2 :, ahead, 1] - hip[1] < 0.22).all()  # no balloon over the thighs


def test_seated_shares_put_the_cloth_on_the_lap() -> None:
    """For a sheet b before the thigh the blend's height at a right angle is worked out by hand."""
    a, b, thigh = 0.40, 0.22, 0.42
    place = np.tile([0.1, -a, b], (9, COLUMNS, 1))
    knee, drop = (s[4, 0] for s in seated_shares(place, 0.1, thigh))
    assert knee + drop < 0.75
    height = (1 - knee - drop) * b + knee * (thigh - a) - drop * a
    # Near the knee the cloth lies lower, for it bends over it.
    assert 0.04 < height < 0.10


def test_charts_share_the_atlas(scene: Scene, skirt: Skirt) -> None:
    body = skirt.on(scene.body)
    triangle, _, count = rasterize_atlas(body.atlas_vt, body.atlas_ft, 600)
    own = triangle >= len(scene.body.f)
    assert count[own].max() == 1
    rows, cols = np.nonzero(own)
    assert (np.maximum(rows, cols) >= skirt.piece.corner * 600 - 1).all()
    # Even density: texels per area differ little between the skirt's triangles.
    v, f = skirt.piece.vertices.astype(float), skirt.piece.f
    area = np.linalg.norm(np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]]), axis=1)
    a, b, c = (skirt.piece.vt[skirt.piece.ft[:, k]] for k in range(3))
    drawn = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    share = drawn / area
    assert np.percentile(share, 95) < 2.5 * np.percentile(share, 5)


def test_places_on_it_know_how_far_the_hem_is(scene: Scene, skirt: Skirt) -> None:
    grid = posed(scene, skirt)
    points = grid.reshape(-1, 3)
    faces = skirt.piece.f
    corners = np.eye(3)[np.zeros(len(faces), int)]  # each triangle's first corner
    room = hem_distance(np.arange(len(faces)), corners, faces, points)
    ring = faces[:, 0] // COLUMNS
    steps = np.linalg.norm(np.diff(grid, axis=0), axis=2).mean(1)
    np.testing.assert_allclose(room, [steps[r:].sum() for r in ring], atol=1e-9)
    last = hem_distance(np.arange(len(faces)), np.eye(3)[np.full(len(faces), 1)], faces, points)
    np.testing.assert_allclose(last[faces[:, 1] // COLUMNS == RINGS - 1], 0.0, atol=1e-9)


def test_how_far_clothes_stand_off_below_a_skirt_can_be_set(scene: Scene) -> None:
    count = len(scene.vertices)
    worn = replace(scene.dressed, offset=np.full(count, 0.05))
    with overridden_settings({"lift.skirt.under": 0.01}):
        tucked = tuck_under_skirt(worn, scene.vertices, np.ones(count))
    np.testing.assert_allclose(tucked.offset, 0.01)


def test_a_lifted_skirt_is_closed_all_around() -> None:
    scene = photograph(width=0.34)
    skirt = scene.found()
    assert skirt is not None
    matte = Matte(scene.regions.mask.astype(np.float32), np.full((270, 260, 3), 0.5, np.float32))
    track = Track(np.zeros(0), scene.pose, scene.camera, "full", np.ones(55), 1.0, 1.0)
    options = LiftOptions(max_gaussians=30_000)
    out = lift_photo(matte, scene.observation, track, scene.body, options, skirt)
    assert out.skirt is skirt
    rows = out.body.face_part == out.body.part_names.index(PART)
    assert rows[out.gaussians.triangle].mean() > 0.2
    pose = scene.pose.with_joints(pelvis=[0, 2.0, 0])
    vertices, _ = out.body.vertices(pose)
    inside = rasterize_mesh(vertices, out.body.f[rows], scene.camera).face >= 0
    inner = ndimage.binary_erosion(inside, iterations=2)
    alpha = render_camera(place_gaussians(out.gaussians, vertices, out.body), scene.camera).alpha
    assert (alpha[inner] < 0.5).mean() < 0.005
