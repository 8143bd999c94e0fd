"""Closed lids, turned eyes and open mouths of a lifted head, and the tools they are made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import camera_position, orbit, photo_camera, project, unproject
from likeness.engine.core.types import (
    JOINT_INDEX,
    BoolArray,
    FloatArray,
    Gaussians,
    Matte,
    Observation,
    Pose,
    Track,
)
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift.face.eye_splats import S as EYE_SPLATS
from likeness.engine.gaussians.lift.face.eye_splats import rebind_eye_photo
from likeness.engine.gaussians.lift.face.face_finish import S as FACE_FINISH
from likeness.engine.gaussians.lift.face.face_finish import _raise_skin, complete_face, finish_face
from likeness.engine.gaussians.lift.face.face_parts import (
    BLINK,
    EYE_RINGS,
    INNER_LIPS,
    LOWER_LIP,
    UPPER_LIP,
    inside_polygon,
    make_face,
    spread_points,
)
from likeness.engine.gaussians.lift.face.face_rims import find_rim_faces, make_rim_skin
from likeness.engine.gaussians.lift.face.lids import make_closed_lid
from likeness.engine.gaussians.lift.face.mouth import is_mouth_open, make_mouth_cavity, make_teeth
from likeness.engine.gaussians.lift.face.mouth_visibility import INSIDE, find_visible_mouth
from likeness.engine.gaussians.lift.grids.pixel_grids import fill_polygon
from likeness.engine.render import render_camera
from likeness.engine.render.mesh import rasterize_mesh
from scipy import ndimage
from scipy.spatial import cKDTree

from tests.soaked import if_asked

from .photographed_head import BUDGET, IRIS, LIP, SKIN, Head


def test_points_in_a_square():
    square = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    xy = np.array([[1.0, 2.0], [5.0, 2.0], [7.0, 8.0], [2.0, 3.5]])
    inside, edge = inside_polygon(xy, square)
    assert inside.tolist() == [True, False, False, True]
    assert np.allclose(edge, [1.0, 1.0, 5.0, 0.5])


def test_points_spread_evenly():
    rng = np.random.default_rng(3)
    corners = rng.normal(size=(6, 3, 3))
    area = 0.5 * np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    row, bary = spread_points(corners, 0.02)
    assert np.allclose(bary.sum(1), 1.0)
    assert bary.min() >= 0
    assert np.allclose(np.bincount(row) * 0.02**2, area, atol=2 * 0.02**2)
    for k in range(6):
        points = bary[row == k] @ corners[k]
        assert np.allclose(points.mean(0), corners[k].mean(0), atol=0.02)


@pytest.mark.slow
def test_budget_and_input_view(head: Head):
    assert len(head.bound) <= BUDGET
    drawn = head.draw(head.track.pose)
    solid = ndimage.binary_erosion(head.matte.alpha > 0.99, iterations=3)
    error = ((drawn - head.matte.foreground) ** 2).mean(-1)[solid].mean()
    assert -10 * np.log10(error) > 26


@pytest.mark.slow
def test_lids_close_over_the_eye(head: Head):
    drawn = head.draw(head.pose(eyeBlinkLeft=1.0))
    _, joints = head.body.vertices(head.track.pose)
    left, right = (joints[JOINT_INDEX[f"{s}_eye_smplhf"]] for s in ("left", "right"))
    assert np.abs(head.pixel(drawn, left) - SKIN).max() < 0.15
    assert np.abs(head.pixel(drawn, right) - IRIS).max() < 0.2


@pytest.mark.slow
def test_iris_turns_with_the_eye(head: Head):
    """Looking to the left by 20 degrees takes the iris along and leaves the white, no hole."""
    turn = [0.0, np.radians(20), 0.0]
    pose = head.track.pose.with_joints(left_eye_smplhf=turn, right_eye_smplhf=turn)
    drawn = head.draw(pose)
    _, joints = head.body.vertices(pose)
    for side in ("left", "right"):
        eye = joints[JOINT_INDEX[f"{side}_eye_smplhf"]]
        ahead = np.array([np.sin(turn[1]), 0.0, np.cos(turn[1])])
        assert np.abs(head.pixel(drawn, eye + 0.014 * ahead) - IRIS).max() < 0.25
        behind = head.pixel(drawn, eye + 0.014 * np.array([-0.30, 0.0, 0.95]))
        assert behind.min() > 0.45, (side, behind)


@pytest.mark.slow
def test_an_open_mouth_is_dark_and_the_lips_part(head: Head):
    pose = head.pose(jawOpen=0.8)
    drawn = head.draw(pose)
    vertices, _ = head.body.vertices(pose)
    face = make_face(
        head.body, head.body.vertices(head.track.pose)[0], head.track, head.observation, head.matte
    )
    assert face is not None
    f = head.body.f
    middle = np.abs(vertices[f].mean(1)[:, 0]) < 0.008
    lips = face.faces("lips") & middle
    upper = vertices[f[lips & ~face.lower()]].reshape(-1, 3)
    lower = vertices[f[lips & face.lower()]].reshape(-1, 3)
    gap = np.array([0.0, (upper[:, 1].min() + lower[:, 1].max()) / 2, lower[:, 2].max()])
    inside = head.pixel(drawn, gap)
    assert inside.mean() < 0.5
    assert inside[0] >= inside[2]
    for lip in (upper, lower):
        front = lip[lip[:, 2].argmax()]
        assert np.abs(head.pixel(drawn, front) - LIP).max() < 0.2


@pytest.mark.slow
def test_sunk_skin_around_lips_is_raised_and_slid_skin_is_left(head: Head):
    """Deeper texels let the mouth's lining show through, as dark specks beside the lips."""
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    corners = np.asarray(vertices, np.float64)[head.body.f]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    toward = camera_position(head.track.camera) - corners.mean(1)
    lengths = np.linalg.norm(normals, axis=1) * np.linalg.norm(toward, axis=1)
    facing = np.einsum("nd,nd->n", normals, toward) / np.maximum(lengths, 1e-12)
    lips = (face.faces("lips") & (facing > 0.7))[head.bound.triangle]
    skin = head.bound.take(lips & (head.bound.layer == 0))
    assert len(skin) > 50
    # Sunk along a smooth normal, which leans by ten degrees against the triangle's.
    sunk = replace(skin, offset=np.tile(np.float32([0.0012, 0.0, -0.007]), (len(skin), 1)))
    np.testing.assert_allclose(_raise_skin(face, sunk).offset[:, 2], -FACE_FINISH.sink, atol=1e-4)
    # Slid behind the outline of something.
    slid = replace(skin, offset=np.tile(np.float32([0.005, 0.0, -0.004]), (len(skin), 1)))
    np.testing.assert_array_equal(_raise_skin(face, slid).offset, slid.offset)
    # Cheeks and chin in front of the teeth: otherwise a moving mouth shows the teeth through them.
    rest = head.body.v_template
    middles = rest[head.body.f].mean(1)
    to_teeth, to_lips = (
        cKDTree(rest[np.unique(head.body.f[face.faces(part)])]).query(middles)[0]
        for part in ("teeth", "lips")
    )
    one = head.bound.take(np.zeros(1, np.int64))

    def raised(chosen: BoolArray) -> FloatArray:
        """[n, 3] the offsets of sunk texels in the middle of triangles, raised."""
        triangle = np.flatnonzero(chosen).astype(np.int32)
        assert len(triangle) > 5
        count = (len(triangle), 1)
        sunk = replace(
            one.take(np.zeros(len(triangle), np.int64)),
            triangle=triangle,
            bary=np.full((len(triangle), 3), 1 / 3, np.float32),
            layer=np.zeros(len(triangle), np.uint8),
            offset=np.tile(np.float32([0.0, 0.0, -0.006]), count),
        )
        return np.asarray(_raise_skin(face, sunk).offset)

    before = face.faces("face") & (to_teeth < 0.011) & (to_lips > 0.016)
    np.testing.assert_allclose(raised(before & (facing > 0.7))[:, 2], -FACE_FINISH.sink, atol=1e-4)
    # Oblique cheeks stay: moved aside they would leave a slit.
    side = raised(face.faces("face") & (to_teeth < 0.03) & (facing < 0.25))
    assert (side == np.float32([0.0, 0.0, -0.006])).all(1).mean() > 0.95


@pytest.mark.slow
def test_only_splats_around_the_eye_get_the_depth_of_its_lids(head: Head):
    """At a temple, which turns away, a step of depth would tear the photo's splats apart."""
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    ring = face.points[list(EYE_RINGS["left"])]
    low, high = ring.min(0) - 0.5 * face.unit, ring.max(0) + 0.5 * face.unit
    xy = np.stack(np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1])), -1)
    xy = xy.reshape(-1, 2)
    before = rasterize_mesh(vertices, head.body.f, face.camera)
    hit = before.face[tuple(xy.astype(int)[:, ::-1].T)] >= 0
    xy = xy[hit]
    depth = before.depth[tuple(xy.astype(int)[:, ::-1].T)] + 0.005  # too far behind
    n = len(xy)
    world = Gaussians(
        unproject(xy, depth, face.camera),
        np.tile([1.0, 0, 0, 0], (n, 1)),
        np.full((n, 3), 1e-3),
        np.ones(n),
        np.tile(SKIN, (n, 1)),
    )
    _, _, new, _ = rebind_eye_photo(face, face.blinked(), "left", xy, world)
    inside, edge = inside_polygon(xy, ring)
    far = ~inside & (edge > EYE_SPLATS.hardly * face.unit)
    assert far.sum() > 200
    np.testing.assert_allclose(new[far], depth[far], atol=1e-9)
    at_lids = ~inside & (edge < 0.05 * face.unit)
    assert (depth[at_lids] - new[at_lids]).mean() > 0.004
    # And between them there is no step.
    order = np.argsort(edge[~inside])
    moved = (depth - new)[~inside][order]
    part = np.array_split(moved, 12)
    assert np.abs(np.diff([np.median(p) for p in part])).max() < 0.003


@pytest.mark.slow
def test_photo_splats_of_the_lips_keep_to_their_side(head: Head):
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    photo = head.bound.take(head.bound.layer == 2)
    xy, _ = project(
        place_gaussians(photo, vertices, head.body).means.astype(float), head.track.camera
    )
    lips = face.faces("lips")[photo.triangle]
    middle = (face.points[13] + face.points[14]) / 2
    near = lips & (np.abs(xy[:, 0] - middle[0]) < 0.2 * face.unit)
    below = xy[near, 1] > middle[1] + 1.0
    above = xy[near, 1] < middle[1] - 1.0
    lower = face.lower()[photo.triangle[near]]
    assert below.any()
    assert above.any()
    assert lower[below].mean() > 0.95
    assert lower[above].mean() < 0.05


@pytest.mark.slow
def test_open_lips_show_the_front_teeth_but_not_everything(head: Head):
    seen = find_visible_mouth(head.body)
    part = np.array(head.body.part_names)[head.body.face_part]
    centre = head.body.v_template[head.body.f].mean(1)
    inside = np.isin(part, INSIDE)
    assert not seen[~inside].any()
    front = (part == "teeth") & (centre[:, 2] > centre[part == "teeth"][:, 2].max() - 0.004)
    assert seen[front].mean() > 0.5
    assert seen[inside].mean() < 0.95


@pytest.mark.slow
def test_an_open_mouth_shows_upper_teeth_and_only_the_lower_ones_go_with_the_jaw(head: Head):
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    wide = head.body.vertices(head.pose(jawOpen=0.8))[0]
    moved = []
    for upper in (True, False):
        teeth = make_teeth(face, upper)
        before, after = (place_gaussians(teeth, v, head.body).means for v in (vertices, wide))
        moved.append(np.linalg.norm(after - before, axis=1))
    assert moved[0].max() < 1e-4
    assert moved[1].min() > 0.008
    # Below the upper lip: brighter than the dark behind, and paler than lips, skin and tongue.
    drawn = head.draw(head.pose(jawOpen=0.8))
    assert head.observation.face is not None
    lip = head.observation.face[13].astype(int)
    column = drawn[lip[1] - 6 : lip[1] + 10, lip[0] - 6 : lip[0] + 7]
    pale = (column.min(-1) > 0.72 * column.max(-1)) & (column.max(-1) > 0.4)
    assert pale.any(0).mean() > 0.6


@pytest.mark.slow
def test_full_lips_that_are_closed_are_not_an_open_mouth(head: Head):
    """Their landmarks lie apart; as long as that is little, what lies between them decides."""
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    points = face.points.copy()
    points[list(LOWER_LIP)] = points[list(UPPER_LIP)] + [0.0, 0.05 * face.unit]
    lips = replace(face, points=points, matte=_between(face.matte, points, LIP))
    assert not is_mouth_open(lips)
    assert is_mouth_open(replace(lips, matte=_between(face.matte, points, [0.1, 0.04, 0.04])))
    points[list(LOWER_LIP[1:-1]), 1] += 0.1 * face.unit
    assert is_mouth_open(replace(lips, points=points))


def _between(matte: Matte, points: FloatArray, color: Sequence[float]) -> Matte:
    """A photo with a colour between the inner lips."""
    rgb = np.array(matte.foreground)
    height, width = matte.alpha.shape
    rgb[fill_polygon(points[list(INNER_LIPS)], height, width)] = color
    return replace(matte, foreground=rgb)


@pytest.mark.slow
def test_a_closed_mouth_hides_its_inside(head: Head):
    """With and without the mouth's inside the same picture, from before and from beside."""
    vertices, _ = head.body.vertices(head.track.pose)
    part = np.array(head.body.part_names)[head.body.face_part]
    inner = np.isin(part, INSIDE)[head.bound.triangle]
    assert inner.sum() > 500
    lips = vertices[np.unique(head.body.f[part == "lips"])].mean(0)
    everything = place_gaussians(head.bound, vertices, head.body)
    without = place_gaussians(head.bound.take(~inner), vertices, head.body)
    for yaw in range(-40, 41, 20):
        camera = orbit(head.track.camera.resized(200, 240), lips, float(yaw))
        a, b = render_camera(everything, camera), render_camera(without, camera)
        differs = np.abs(a.rgb - b.rgb).max(-1) > 0.05
        assert differs.mean() < 5e-3, yaw  # the line between the lips


@pytest.mark.slow
@pytest.mark.parametrize("closed", [("left", "right"), ("left",), ("right",)])
def test_closed_lids_are_skin_all_over(head: Head, closed: tuple[str, ...]):
    """Neither a blink nor a wink shows the eye or a band of another colour on a closed lid."""
    drawn = head.draw(head.pose(**{BLINK[side]: 1.0 for side in closed}))
    assert head.observation.face is not None
    for ring in (EYE_RINGS[side] for side in closed):
        points = head.observation.face[list(ring)]
        low, high = points.min(0).astype(int), np.ceil(points.max(0)).astype(int)
        # The upper two thirds: the lashes' line lies below.
        lid = drawn[low[1] : low[1] + 2 * (high[1] - low[1]) // 3, low[0] + 3 : high[0] - 3]
        assert np.abs(lid - SKIN).max(-1).mean() < 0.08
        assert (np.abs(lid - SKIN).max(-1) > 0.25).mean() < 0.03


@pytest.mark.slow
def test_a_wink_closes_its_lid_as_a_blink_does(head: Head):
    """MakeHuman's blinks move the other eye's socket too, and with it what is bound there."""
    both, *winks = (
        place_gaussians(head.bound, head.body.vertices(head.pose(**weights))[0], head.body).means
        for weights in (dict.fromkeys(BLINK.values(), 1.0), *({BLINK[s]: 1.0} for s in BLINK))
    )
    triangle = head.bound.triangle
    side = head.body.v_template[head.body.f[triangle], 0].mean(1)
    for wink, own in zip(winks, (side > 0.005, side < -0.005), strict=True):
        np.testing.assert_allclose(wink[own], both[own], atol=3e-4)


@pytest.mark.slow
def test_a_closed_lid_ends_in_a_dark_line_on_the_lower_lid(head: Head):
    drawn = head.draw(head.pose(eyeBlinkLeft=1.0, eyeBlinkRight=1.0)).mean(-1)
    assert head.observation.face is not None
    for ring in EYE_RINGS.values():
        lower = head.observation.face[list(ring[2:7])]
        for x in np.linspace(lower[:, 0].min(), lower[:, 0].max(), 7):
            order = np.argsort(lower[:, 0])
            y = np.interp(x, *lower[order].T)
            column = drawn[int(y) - 12 : int(y) + 8, int(x)]
            assert abs(column.argmin() - 12) <= 2
            assert column.min() < 0.83 * np.mean(SKIN)


@pytest.mark.slow
def test_a_half_closed_lid_covers_the_upper_part_of_the_eye_only(head: Head):
    drawn = head.draw(head.pose(eyeBlinkLeft=0.5, eyeBlinkRight=0.5))
    assert head.observation.face is not None
    for ring in EYE_RINGS.values():
        upper, lower = (head.observation.face[list(ring[k])] for k in (slice(10, 15), slice(2, 7)))
        top, bottom = upper.mean(0), lower.mean(0)
        for share, covered in ((0.2, True), (0.8, False)):
            x, y = ((1 - share) * top + share * bottom).astype(int)
            row = drawn[y, x - 4 : x + 5]
            assert ((row[:, 0] < row[:, 2]).mean() < 0.1) == covered, share  # the iris is blue


@pytest.mark.slow
def test_no_gaze_shows_through_closed_lids(head: Head):
    shut = head.pose(eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    ahead = head.draw(shut)
    for turn in ([0.0, 0.45, 0.0], [0.0, -0.45, 0.0], [0.35, 0.0, 0.0], [-0.35, 0.0, 0.0]):
        drawn = head.draw(shut.with_joints(left_eye_smplhf=turn, right_eye_smplhf=turn))
        assert np.abs(drawn - ahead).max() < 0.1, turn


@pytest.mark.slow
def test_eyes_closed_in_the_photo_need_no_lids(head: Head):
    """Nothing unfolds then."""
    pose = head.pose(eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    vertices, _ = head.body.vertices(pose)
    track = replace(head.track, pose=pose)
    face = make_face(head.body, vertices, track, head.observation, head.matte)
    assert face is not None
    assert make_closed_lid(face, face.blinked(), "left") is None
    completed = complete_face(head.body, vertices, track, head.observation, head.matte)
    refined = finish_face(head.bound, completed, head.body)
    assert len(refined) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, *if_asked(1)])
def test_every_expression_keeps_the_head_whole(head: Head, step: int):
    """Each of the 52 at full weight makes no holes, strands no splats and moves only its region.

    Most of them are a left and a right one, which every third takes in turns.
    """
    body, camera = head.body, head.track.camera
    rest = np.asarray(body.v_template, np.float64)
    own = head.bound
    at = np.einsum("nk,nkd->nd", own.bary, rest[body.f[own.triangle]])
    eyes = {s: body.J_template[JOINT_INDEX[f"{s}_eye_smplhf"]] for s in ("left", "right")}
    level = eyes["left"][1]
    part = np.array(body.part_names)[body.face_part]
    behind_ears = at[:, 2] < rest[np.unique(body.f[part == "ear"]), 2].min()
    assert behind_ears.sum() > 100
    on_head = at[:, 1] > level - 0.12
    astray: list[float] = []

    def place(pose: Pose) -> tuple[FloatArray, float]:
        vertices, _ = body.vertices(pose)
        placed = place_gaussians(own, vertices, body)
        means = np.asarray(placed.means, np.float64)
        astray.append(float(cKDTree(vertices).query(means[on_head])[0].max()))
        drawn = rasterize_mesh(vertices, body.f, camera).face >= 0
        inside = ndimage.binary_erosion(drawn, iterations=3)
        alpha = np.asarray(render_camera(placed, camera).alpha)
        return means, float((inside & (alpha < 0.7)).sum() / inside.sum())

    neutral, holes = place(head.track.pose)
    assert len(body.expression_names) == 52
    for name in body.expression_names[::step]:
        means, more = place(head.pose(**{name: 1.0}))
        assert more <= holes + 0.001, name
        assert astray[-1] < astray[0] + 0.005, name
        moved = np.linalg.norm(means - neutral, axis=1) > 5e-4
        assert moved.any(), name
        assert not moved[behind_ears].any(), name
        if name.startswith("eye"):
            eye = eyes["left" if name.endswith("Left") else "right"]
            assert np.linalg.norm(at[moved] - eye, axis=1).max() < 0.075, name
        elif name.startswith("brow"):
            assert at[moved, 1].min() > level - 0.05, name
        elif not name.startswith("nose"):  # a sneer reaches the brows
            assert at[moved, 1].max() < level + 0.03, name


@pytest.mark.slow
def test_rims_that_are_all_seen_or_not_at_all(head: Head):
    """Few triangles at a time, none of which has seen and hidden points at once."""
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    rows = np.nonzero(find_rim_faces(face))[0]
    for row in rows[:: len(rows) // 40]:
        only = np.zeros(len(head.body.f), bool)
        only[row] = True
        skin = make_rim_skin(face, face.blinked(), only)
        assert skin is None or np.isfinite(skin.splats.colors).all()


def test_lips_continue_inside_the_mouth(head: Head):
    """Pursed lips turn outwards a part that the photo does not show: it must not be a dark ring."""
    vertices, _ = head.body.vertices(head.track.pose)
    face = make_face(head.body, vertices, head.track, head.observation, head.matte)
    assert face is not None
    inside = make_mouth_cavity(face)
    rest, f = head.body.v_template, head.body.f
    at = np.einsum("nk,nkd->nd", inside.bary, rest[f[inside.triangle]])
    away = cKDTree(rest[np.unique(f[face.faces("lips")])]).query(at)[0]
    light = inside.colors.mean(1)
    assert light[away < 0.001].mean() > 0.65 * np.mean(LIP)
    assert light[away > 0.025].mean() < 0.4 * np.mean(LIP)


def test_no_face_nothing_done():
    """A body without eyes or teeth has nothing to finish."""
    camera = photo_camera(100.0, 8, 8)
    track = Track(np.zeros(0), Pose.rest(0), camera, "head", np.ones(55), None, None)
    observation = Observation(np.zeros((33, 2)), np.ones(33), np.zeros((33, 3)), np.ones((8, 8)))
    matte = Matte(np.ones((8, 8)), np.ones((8, 8, 3)))
    v = np.eye(3, dtype=np.float32)
    body = Body(
        v_template=v,
        f=np.array([[0, 1, 2]]),
        weights=np.ones((3, 55), np.float32) / 55,
        shapedirs=np.zeros((3, 3, 0)),
        exprdirs=np.zeros((3, 3, 0)),
        expression_names=(),
        J_template=np.zeros((55, 3)),
        J_shapedirs=np.zeros((55, 3, 0)),
        num_body_betas=0,
        vt=np.zeros((0, 2)),
        ft=np.array([[0, 1, 2]]),
        atlas_vt=np.zeros((0, 2)),
        atlas_ft=np.array([[0, 1, 2]]),
        face_part=np.zeros(1, np.uint8),
        part_names=("skin",),
    )
    assert make_face(body, v, track, observation, matte) is None
