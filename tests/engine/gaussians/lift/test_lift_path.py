"""The whole lift on a synthetic body that is photographed with a z-buffer: the truth is known."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.cameras import orbit, project
from likeness.engine.core.types import (
    JOINT_INDEX,
    LAYERS,
    BoundGaussians,
    FloatArray,
    LikenessError,
    Matte,
)
from likeness.engine.gaussians import place_gaussians, triangle_frames
from likeness.engine.gaussians.lift.splats.calibrate import S as CALIBRATE
from likeness.engine.gaussians.lift.splats.calibrate import _thin_rim, calibrate_colors
from likeness.engine.gaussians.lift.surface.limbs import ARMS, TRUNK_AND_LEGS, vertex_groups
from likeness.engine.render import render_camera
from likeness.engine.render.mesh import rasterize_mesh
from likeness.engine.visual.metrics import psnr, silhouette_iou
from scipy import ndimage

from tests.soaked import every_other, if_asked

PHOTO = LAYERS.index("photo")
Shots = dict[str, Any]  # name to Shot, of conftest.py


@pytest.fixture(scope="module")
def lifted(shots: Shots) -> dict[str, BoundGaussians]:
    """Each shot is lifted once, when a test first asks for it."""

    class Lazy(dict):  # type: ignore[type-arg]
        def __missing__(self, name: str) -> BoundGaussians:
            self[name] = shots[name].lift()
            return self[name]

    return Lazy()


CASES = ("full", "half", "head", *if_asked("cut"), "arm", "faceless")


@pytest.mark.parametrize("case", CASES)
def test_what_comes_out_is_sound(
    shots: Shots, lifted: dict[str, BoundGaussians], case: str
) -> None:
    bound, body = lifted[case], shots[case].body
    n = len(bound)
    assert 4_000 < n <= 10_000
    for field in fields(bound):
        values = getattr(bound, field.name)
        assert len(values) == n
        assert np.isfinite(values).all(), field.name
    assert bound.triangle.dtype == np.int32
    assert 0 <= bound.triangle.min() <= bound.triangle.max() < len(body.f)
    assert bound.bary.min() >= -1e-6
    np.testing.assert_allclose(bound.bary.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(bound.quats, axis=1), 1, atol=1e-4)
    assert bound.scales.min() > 0
    assert (bound.scales[:, 2] <= 0.1001 * bound.scales[:, :2].min(1)).all()
    assert bound.scales.max() < 0.3
    assert np.linalg.norm(bound.offset, axis=1).max() < 0.6
    for values in (bound.opacities, bound.colors):
        assert 0 <= values.min() <= values.max() <= 1
    assert (np.bincount(bound.layer, minlength=len(LAYERS)) > 100).all()


@pytest.mark.parametrize("case", CASES)
def test_the_input_view_is_the_photo(
    shots: Shots, lifted: dict[str, BoundGaussians], case: str
) -> None:
    shot = shots[case]
    drawn = shot.draw(lifted[case])
    # With so few, splats are two pixels apart.
    assert psnr(drawn.rgb, shot.truth(), shot.matte.alpha > 0.5) > 25.5
    assert silhouette_iou(drawn.alpha, shot.matte.alpha) > 0.9


def test_two_runs_are_the_same(shots: Shots, lifted: dict[str, BoundGaussians]) -> None:
    again = shots["arm"].lift()
    for field in fields(again):
        np.testing.assert_array_equal(
            getattr(again, field.name), getattr(lifted["arm"], field.name)
        )


@pytest.mark.parametrize("budget", [5_000, *if_asked(7_321, 25_000)])
def test_the_budget_is_kept(shots: Shots, budget: int) -> None:
    bound = shots["half"].lift(budget)
    assert 0.5 * budget < len(bound) <= budget
    assert set(np.unique(bound.layer)) == {0, 1, 2}


@pytest.mark.parametrize("budget", [0, 4_999])
def test_too_small_a_budget_is_refused(shots: Shots, budget: int) -> None:
    with pytest.raises(LikenessError, match=f"{budget} .*5000"):
        shots["half"].lift(budget)


def test_a_photo_without_a_person_is_refused(shots: Shots) -> None:
    matte = shots["half"].matte
    empty = replace(shots["half"], matte=Matte(np.zeros_like(matte.alpha), matte.foreground))
    with pytest.raises(LikenessError, match="could not be separated"):
        empty.lift()


def test_a_body_beside_the_photo_is_refused(shots: Shots) -> None:
    shot = shots["half"]
    away = replace(shot.track.pose, transl=np.array([9.0, -0.3, -1.6]))
    with pytest.raises(LikenessError, match="beside the person"):
        replace(shot, track=replace(shot.track, pose=away)).lift()


def odd_matte(kind: str, matte: Matte) -> Matte:
    alpha, colors = matte.alpha.copy(), matte.foreground
    if kind == "all frame":
        alpha[:] = 1.0
    elif kind == "half transparent":
        alpha *= 0.6
    elif kind == "all skin":  # no cloth anywhere
        colors = np.full_like(colors, 0.7) * np.float32([1.2, 0.9, 0.8])
    elif kind == "black":
        colors = np.zeros_like(colors)
    elif kind == "in pieces":
        alpha[100:104] = 0.0
        alpha[:10, :10] = 1.0
    elif kind == "aside":  # the fit is off by a forearm
        alpha = np.roll(alpha, 40, axis=1)
    return Matte(alpha, colors)


@pytest.mark.parametrize(
    "kind",
    every_other(["all frame", "black", "all skin", "half transparent", "in pieces", "aside"]),
)
def test_odd_mattes_are_followed(shots: Shots, kind: str) -> None:
    shot = replace(shots["half"], matte=odd_matte(kind, shots["half"].matte))
    bound = shot.lift(6_000)
    for field in fields(bound):
        assert np.isfinite(getattr(bound, field.name)).all(), field.name
    assert (bound.scales[:, 2] <= 0.1001 * bound.scales[:, :2].min(1)).all()
    assert silhouette_iou(shot.draw(bound).alpha, shot.matte.alpha) > 0.84


def shown_joint(shot: Any, points: FloatArray) -> np.ndarray:
    """[N] the joint that holds what the photo shows at the points' pixels, -1 beside the person."""
    camera = shot.track.camera
    buffer = rasterize_mesh(shot.vertices, shot.body.f, camera)
    xy, _ = project(points, camera)
    pixel = np.clip(xy.astype(int), 0, [camera.width - 1, camera.height - 1])
    face = buffer.face[pixel[:, 1], pixel[:, 0]]
    holder = shot.body.weights[shot.body.f].sum(1).argmax(1)
    return np.where(face >= 0, holder[face], -1)


def test_an_arms_splats_go_with_the_arm(shots: Shots, lifted: dict[str, BoundGaussians]) -> None:
    shot = shots["full"]
    photo = lifted["full"].take(lifted["full"].layer == PHOTO)
    raised = shot.track.pose.with_joints(left_shoulder=[0, 0, 0.9])
    vertices, _ = shot.body.vertices(raised)
    before = place_gaussians(photo, shot.vertices, shot.body).means
    after = place_gaussians(photo, vertices, shot.body).means
    moved = np.linalg.norm(after - before, axis=1)
    joint = shown_joint(shot, before)
    forearm = np.isin(joint, [JOINT_INDEX["left_elbow"], JOINT_INDEX["left_wrist"]])
    elsewhere = ("pelvis", "spine1", "spine2", "head", "right_elbow", "left_knee", "right_hip")
    others = np.isin(joint, [JOINT_INDEX[name] for name in elsewhere])
    assert forearm.sum() > 30
    assert others.sum() > 500
    assert (moved[forearm] > 0.2).mean() > 0.95
    assert (moved[others] < 0.005).mean() > 0.98
    # And they keep their distance from the arm's bone: nothing is torn off.
    elbow, wrist = (JOINT_INDEX[f"left_{name}"] for name in ("elbow", "wrist"))
    reach = []
    for pose, means in ((shot.track.pose, before), (raised, after)):
        _, joints = shot.body.vertices(pose)
        along = joints[wrist] - joints[elbow]
        away = np.cross(means[forearm] - joints[elbow], along) / np.linalg.norm(along)
        reach.append(np.linalg.norm(away, axis=1))
    assert np.percentile(np.abs(reach[1] - reach[0]), 95) < 0.01


def test_skin_is_bound_to_the_triangle_that_the_photo_shows(shots: Shots) -> None:
    # The synthetic landmarks lie anywhere on the face, those of the lips too: leave them out.
    unseen = replace(shots["head"].observation, face=None)
    shot = replace(shots["head"], observation=unseen)
    camera = shot.track.camera
    bound = shot.lift()
    photo = bound.take(bound.layer == PHOTO)
    xy, _ = project(place_gaussians(photo, shot.vertices, shot.body).means, camera)
    fine = camera.resized(4 * camera.width, 4 * camera.height)
    buffer = rasterize_mesh(shot.vertices, shot.body.f, fine)
    pixel = np.clip((4 * xy).astype(int), 0, [fine.width - 1, fine.height - 1])
    shown = buffer.face[pixel[:, 1], pixel[:, 0]]
    is_face = shot.body.face_part == shot.body.part_names.index("face")
    inner = ndimage.binary_erosion((buffer.face >= 0) & is_face[buffer.face], iterations=12)
    skin = inner[pixel[:, 1], pixel[:, 0]]
    assert skin.sum() > 300
    assert (photo.triangle[skin] == shown[skin]).mean() > 0.95
    assert np.percentile(np.linalg.norm(photo.offset[skin], axis=1), 95) < 0.001


def test_the_trunk_goes_on_behind_an_arm(shots: Shots) -> None:
    shot = shots["arm"]
    body, camera = shot.body, shot.track.camera
    is_trunk = body.face_part == body.part_names.index("torso")
    whole = rasterize_mesh(shot.vertices, body.f, camera)
    trunk = rasterize_mesh(shot.vertices, body.f[is_trunk], camera)
    seen = np.where(whole.face >= 0, is_trunk[whole.face], False)
    hidden = (trunk.face >= 0) & (whole.face >= 0) & ~seen
    hidden = ndimage.binary_erosion(hidden & ~ndimage.binary_dilation(~(trunk.face >= 0)))
    assert hidden.sum() > 150
    raised = shot.track.pose.with_joints(right_shoulder=[0, 0, -0.9], right_elbow=[0, 0, 0])
    posed, _ = body.vertices(raised)
    free = rasterize_mesh(posed, body.f, camera)
    hidden &= np.where(free.face >= 0, is_trunk[free.face], False)  # the arm is gone from here
    bound = shot.lift(40_000)  # texels that leave no gaps
    drawn = shot.draw(bound, raised)
    assert (drawn.alpha[hidden] > 0.9).mean() > 0.95
    cloth = np.median(shot.matte.foreground[seen], axis=0)
    assert np.median(np.abs(drawn.rgb[hidden] - cloth).max(1)) < 0.1
    # While the arm is in its place, it is the arm that is seen.
    assert np.median(np.abs(shot.draw(bound).rgb[hidden] - cloth).max(1)) > 0.15


def test_a_person_cut_by_the_frame_reaches_it(
    shots: Shots, lifted: dict[str, BoundGaussians]
) -> None:
    shot = shots["cut"]
    drawn = shot.draw(lifted["cut"]).alpha
    for edge in (np.s_[-1], np.s_[:, -1]):
        solid = shot.matte.alpha[edge] > 0.99
        if solid.any():
            assert (drawn[edge][solid] > 0.5).mean() > 0.9
    assert (shot.matte.alpha[-1] > 0.99).any()


def test_a_trunk_behind_a_table_is_as_wide_as_it_is(shots: Shots) -> None:
    """Drawn in to the person's lowest pixel, it would leave a gap around the waist."""
    shot = shots["half"]
    alpha = np.array(shot.matte.alpha)
    alpha[-30:] = 0.0
    bound = replace(shot, matte=replace(shot.matte, alpha=alpha)).lift()
    trunk = np.isin(vertex_groups(shot.body)[shot.body.f[bound.triangle, 0]], TRUNK_AND_LEGS)
    homes = shot.vertices[shot.body.f[bound.triangle]].mean(1)
    row = project(homes, shot.track.camera)[0][:, 1]
    behind = trunk & (row > len(alpha) - 25) & (row < len(alpha)) & (bound.opacities > 0.5)
    assert behind.sum() > 20
    assert bound.offset[behind, 2].min() > -0.016  # -0.028 if drawn in


@pytest.mark.parametrize("case", ["full", "half", "arm"])
def test_the_back_is_closed(shots: Shots, lifted: dict[str, BoundGaussians], case: str) -> None:
    """From behind, in the mirrored silhouette, and with the cloth's colours."""
    shot = shots[case]
    camera = orbit(shot.track.camera, shot.vertices.mean(0), 180.0)
    buffer = rasterize_mesh(shot.vertices, shot.body.f, camera)
    part = np.array(shot.body.part_names)[shot.body.face_part]
    trunk = np.where(buffer.face >= 0, (part == "torso")[buffer.face], False)
    visible = rasterize_mesh(shot.vertices, shot.body.f, shot.track.camera)
    lowest = shot.vertices[shot.body.f[np.unique(visible.face[visible.face >= 0])], 1].min()
    trunk = ndimage.binary_erosion(trunk, iterations=3)
    assert lowest < shot.vertices[:, 1].max()
    drawn = shot.draw(lifted[case], camera=camera)
    assert (drawn.alpha[trunk] > 0.8).mean() > 0.9
    blue = drawn.rgb[trunk].mean(0)
    assert blue[2] > blue[1] > blue[0]
    assert blue[2] - blue[0] > 0.2


def test_texels_keep_their_limbs_colours_all_around(shots: Shots) -> None:
    """Seen or not: chromaticity, which the shading leaves alone, is that of the part's cloth."""
    shot = shots["full"]
    texels = shot.lift(20_000)
    texels = texels.take(texels.layer != PHOTO)
    part = np.array(shot.body.part_names)[shot.body.face_part][texels.triangle]
    frames = triangle_frames(
        shot.vertices, shot.body.f, shot.body.v_template, texels.triangle, texels.bary
    )
    behind = frames.R[:, 2, 2] < -0.3  # facing away from the camera
    chroma = texels.colors / texels.colors.sum(1, keepdims=True)
    for name in ("face", "hand", "torso", "arm", "leg"):
        tone = np.median(shot.matte.foreground[shown_part(shot) == name], axis=0)
        for own in ((part == name), (part == name) & behind):
            assert own.sum() > 25
            error = np.abs(chroma[own] - tone / tone.sum()).max(1)
            assert np.median(error) < 0.05, name
            assert (error < 0.1).mean() > 0.65, name  # the hips may wear what the legs do


def shown_part(shot: Any) -> np.ndarray:
    """[H, W] the part that each pixel shows, "" beside the person."""
    buffer = rasterize_mesh(shot.vertices, shot.body.f, shot.track.camera)
    names = np.array(shot.body.part_names)[shot.body.face_part]
    return np.where(buffer.face >= 0, names[buffer.face], "")


# Calibration


def picture_error(shot: Any, bound: BoundGaussians) -> float:
    solid = ndimage.binary_erosion(shot.matte.alpha > 0.95, iterations=2)
    return float(((shot.draw(bound).rgb - shot.truth())[solid] ** 2).mean())


def test_calibration_lowers_the_error_within_its_clamp(
    shots: Shots, lifted: dict[str, BoundGaussians]
) -> None:
    shot = shots["arm"]
    rng = np.random.default_rng(0)
    wrong = np.clip(lifted["arm"].colors + rng.uniform(-0.3, 0.3, (1, 3)), 0, 1)
    wrong = wrong.astype(np.float32)
    photo = lifted["arm"].layer == PHOTO
    start = replace(lifted["arm"], colors=np.where(photo[:, None], wrong, lifted["arm"].colors))
    side = float(max(shot.matte.alpha.shape))
    done = calibrate_colors(start, shot.matte, shot.track.camera, shot.vertices, shot.body, side)
    assert picture_error(shot, done) < 0.6 * picture_error(shot, start)
    change = np.abs(done.colors - start.colors)
    assert change[photo].max() <= CALIBRATE.clamp + 1e-6
    assert change[photo].max() > 0.9 * CALIBRATE.clamp  # it wanted more, and was held
    tint = (done.colors - start.colors)[photo]
    tint = np.abs(tint - tint.mean(1, keepdims=True)).max(1)
    # A colour at the end of its range loses light in one channel only.
    ended = (done.colors[photo] <= 0).any(1) | (done.colors[photo] >= 1).any(1)
    ended |= change[photo].max(1) > CALIBRATE.clamp - 1e-6
    assert tint[~ended].max() <= CALIBRATE.tint + 1e-6
    assert not change[~photo].any()
    for name in ("triangle", "bary", "offset", "quats", "scales", "layer"):
        assert getattr(done, name) is getattr(start, name)


def test_colours_make_up_for_no_other_limb(shots: Shots, lifted: dict[str, BoundGaussians]) -> None:
    """Cloth beside an arm turned white where the arm is brighter than it was drawn."""
    shot, bound = shots["arm"], lifted["arm"]
    limb = vertex_groups(shot.body)[shot.body.f[:, 0]]
    drawn = rasterize_mesh(shot.vertices, shot.body.f, shot.track.camera)
    arm = (drawn.face >= 0) & np.isin(limb[drawn.face], ARMS)
    bright = np.where(arm[..., None], 1.0, shot.matte.foreground).astype(np.float32)
    side = float(max(arm.shape))
    usual, other = (
        calibrate_colors(bound, matte, shot.track.camera, shot.vertices, shot.body, side).colors
        for matte in (shot.matte, replace(shot.matte, foreground=bright))
    )
    change = np.abs(other - usual).max(1)
    of_arm = np.isin(limb[bound.triangle], ARMS)
    xy, _ = project(place_gaussians(bound, shot.vertices, shot.body).means, shot.track.camera)
    col, row = np.clip(xy.astype(int), 0, np.array(arm.shape[::-1]) - 1).T
    near = ndimage.binary_dilation(arm, iterations=2)[row, col]
    beside = near & (bound.layer == PHOTO) & ~of_arm
    assert beside.sum() > 100
    assert np.median(change[beside]) < 0.07  # 0.12 where every pixel counts in full
    assert change[of_arm].max() > 0.9 * CALIBRATE.clamp


def test_a_hidden_arm_stays_solid(shots: Shots, lifted: dict[str, BoundGaussians]) -> None:
    """Splats outside the matte are thinned, except those of a hidden arm."""
    shot, bound = shots["arm"], lifted["arm"]
    groups = vertex_groups(shot.body)[shot.body.f[bound.triangle, 0]]
    arms = np.isin(groups, ARMS) & (bound.layer != PHOTO)
    matte = replace(shot.matte, alpha=np.zeros_like(shot.matte.alpha))
    side = float(max(matte.alpha.shape))
    args = (bound, matte, shot.track.camera, shot.vertices, shot.body, side)
    everywhere = np.ones((8, 8), bool)
    assert calibrate_colors(*args).opacities[arms].mean() < 0.5 * bound.opacities[arms].mean()
    kept = calibrate_colors(*args, everywhere).opacities
    np.testing.assert_allclose(kept[arms], bound.opacities[arms], atol=1e-6)


def test_thinning_the_rim_only_lowers_opacities(
    shots: Shots, lifted: dict[str, BoundGaussians]
) -> None:
    shot = shots["half"]
    camera, alpha = shot.track.camera, shot.matte.alpha
    gaussians = place_gaussians(lifted["half"], shot.vertices, shot.body)
    # Opaque everywhere: the drawn outline is fatter than the matte's.
    fat = replace(gaussians, opacities=np.full(len(gaussians), 0.95))
    every = np.ones(len(fat), bool)
    thin = _thin_rim(fat, every, ~every, alpha, camera)
    assert (thin.opacities <= fat.opacities + 1e-6).all()
    assert thin.opacities.min() >= 0
    rim = (alpha > 0.02) & (alpha < 0.9)
    errors = [np.abs(render_camera(g, camera).alpha - alpha)[rim].mean() for g in (fat, thin)]
    assert errors[1] < 0.9 * errors[0]
    # Splats in the solid inside keep theirs.
    xy, _ = project(gaussians.means, camera)
    inside = ndimage.binary_erosion(alpha > 0.99, iterations=3)
    pixel = np.clip(xy.astype(int), 0, [camera.width - 1, camera.height - 1])
    deep = inside[pixel[:, 1], pixel[:, 0]] & (xy >= 0).all(1)
    deep &= (xy < [camera.width, camera.height]).all(1)
    np.testing.assert_allclose(thin.opacities[deep], 0.95, atol=1e-6)
    # Where too little is drawn, nothing is added.
    faint = replace(gaussians, opacities=np.full(len(gaussians), 0.05))
    assert (_thin_rim(faint, every, ~every, alpha, camera).opacities <= 0.05 + 1e-9).all()
    # Texels within the outline are somebody's side, and stay whole.
    kept = _thin_rim(fat, ~every, ~every, alpha, camera).opacities
    read = ndimage.map_coordinates(alpha, xy.T[::-1] - 0.5, order=1, mode="nearest")
    np.testing.assert_allclose(kept[(read > 0.5) & (xy >= 0).all(1)], 0.95, atol=1e-6)
    nowhere = np.zeros_like(alpha)
    beyond = _thin_rim(fat, ~every, ~every, nowhere, camera).opacities
    assert (_thin_rim(fat, ~every, every, nowhere, camera).opacities == fat.opacities).all()
    assert np.median(beyond) < 0.5
