"""Hands that the photo does not show: whole, and out of its sight."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.distances import find_nearest
from likeness.engine.core.types import BoolArray, FloatArray, IntArray, Pose
from likeness.engine.gaussians.lift.occlusion.hidden_hands import (
    HandScene,
    S,
    find_unreached_skin,
    reach_shown_hands,
    tuck_hidden_hands,
)
from likeness.engine.gaussians.lift.pixels.labels_parser import PARSED
from likeness.engine.gaussians.lift.pixels.limb_pixels import find_hidden_hands
from likeness.engine.gaussians.lift.surface.labels import OBJECT, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import (
    ARMS,
    GROUPS,
    HANDS,
    TORSO,
    hand_triangles,
    vertex_groups,
)
from likeness.engine.poses import build_pose
from likeness.engine.render.mesh import MeshBuffer, rasterize_mesh

from .observations import observe_nothing


@dataclass(frozen=True)
class PartStub:
    """What the search reads of the places."""

    part: IntArray


@dataclass(frozen=True)
class LabelledStub:
    """What the search for shown hands reads of the regions."""

    body: MeshBuffer
    mask: BoolArray
    handless: tuple[int, ...]
    group: IntArray
    label: IntArray
    places: PartStub
    limb: tuple[MeshBuffer, ...]


@dataclass(frozen=True)
class Stub:
    """What the search reads of the regions."""

    body: MeshBuffer
    mask: BoolArray
    handless: tuple[int, ...]
    group: IntArray
    label: IntArray


def test_a_hand_before_a_thigh_that_is_not_seen_goes_behind_its_surface(average: Body) -> None:
    """The pose has a hand on the thigh, where the photo shows the thigh."""
    pose = build_pose("sit", average)
    pose = replace(pose, transl=np.array([0.0, 0.1, -2.6]))
    camera = photo_camera(420.0, 240, 260)
    hand = np.asarray(average.weights[:, HANDS[1]].sum(1) > 0.5)[average.f[:, 0]]
    shown = average.f[~hand]
    own = np.unique(average.f[hand])

    def exposed(of: Pose) -> float:
        vertices, _ = average.vertices(of)
        front = rasterize_mesh(vertices, shown, camera).depth
        xy, z = project(vertices[own], camera)
        col, row = xy.astype(int).T
        apart = np.where(np.isinf(front), 9.0, front)[row, col] - z
        return float(np.clip(apart, 0.0, 0.15).mean())  # beside the body is as wrong as far before

    buffer = rasterize_mesh(average.vertices(pose)[0], shown, camera)
    mask = buffer.face >= 0
    cloth, nobody = np.full(mask.shape, UPPER), np.full(mask.shape, -1)
    regions = Stub(buffer, mask, ARMS[1:], nobody, cloth)
    tucked = tuck_hidden_hands(regions, camera, average, pose)  # type: ignore[arg-type]
    assert exposed(pose) > 0.04
    assert exposed(tucked) < 0.2 * exposed(pose)
    moved = np.abs(tucked.full_pose - pose.full_pose).max(1) > 0
    assert set(np.nonzero(moved)[0]) <= set(HANDS[1])
    nothing = replace(regions, handless=())
    assert tuck_hidden_hands(nothing, camera, average, pose) is pose  # type: ignore[arg-type]


def test_a_hand_that_no_bend_hides_folds_into_its_sleeve(average: Body) -> None:
    """The arm hangs beside the body, and the photo shows nothing but its sleeve."""
    pose = replace(build_pose("relaxed", average), transl=np.array([0.0, 0.1, -2.6]))
    camera = photo_camera(420.0, 240, 260)
    hand = hand_triangles(average, HANDS[1])
    groups = vertex_groups(average)[average.f[:, 0]]
    f = np.array(average.f)
    f[hand] = f[hand][:, :1]
    arm = rasterize_mesh(average.vertices(pose)[0], f[groups == ARMS[1]], camera)
    mask = np.zeros(arm.face.shape, bool)
    for row, col in zip(*np.nonzero(arm.face >= 0)):  # a wide sleeve
        mask[row, max(0, col - 6) : col + 7] = True
    rows, cols, _ = find_nearest(arm.face >= 0)
    drawn = replace(arm, face=arm.face[rows, cols], depth=arm.depth[rows, cols])
    regions = Stub(drawn, mask, ARMS[1:], np.where(mask, ARMS[1], -1), np.where(mask, UPPER, 0))
    own = np.unique(average.f[hand])

    def outside(of: Pose) -> float:
        xy, _ = project(average.vertices(of)[0][own], camera)
        col, row = xy.astype(int).T
        return float(1.0 - mask[row, col].mean())

    folded = tuck_hidden_hands(regions, camera, average, pose)  # type: ignore[arg-type]
    assert outside(pose) > 0.9
    assert outside(folded) < 0.1
    # What a hand holds would turn with it.
    label = np.array(regions.label)
    label[tuple(np.argwhere(mask)[-1])] = OBJECT
    held = replace(regions, label=label)
    kept = tuck_hidden_hands(held, camera, average, pose)  # type: ignore[arg-type]
    assert np.degrees(np.linalg.norm(kept.full_pose[HANDS[1][0]])) < 130.0
    assert np.degrees(np.linalg.norm(folded.full_pose[HANDS[1][0]])) > 130.0


def test_a_hand_goes_where_some_of_its_skin_shows(average: Body) -> None:
    """The photo's hand is bent at the wrist; the fit has it straight, where there is only cloth."""
    fitted = build_pose("relaxed", average)
    fitted = replace(fitted, transl=np.array([0.0, 0.1, -2.6]))
    full = np.array(fitted.full_pose)
    wrist = HANDS[1][0]
    full[wrist] = [0.0, 0.0, 0.6]
    camera = photo_camera(420.0, 240, 260)
    hand = hand_triangles(average, HANDS[1])
    groups = vertex_groups(average)[average.f[:, 0]]
    true = rasterize_mesh(average.vertices(replace(fitted, full_pose=full))[0], average.f, camera)
    skin = (true.face >= 0) & hand[true.face]

    vertices, _ = average.vertices(fitted)
    f = np.array(average.f)
    f[hand] = f[hand][:, :1]
    body = rasterize_mesh(vertices, f, camera)
    mask = (body.face >= 0) | skin
    group = np.where(body.face >= 0, groups[body.face], 0)
    group[skin] = 0  # the fit knows no hand there
    torso = average.part_names.index("torso")
    regions = LabelledStub(
        body,
        mask,
        ARMS[1:],
        np.where(mask, group, -1),
        np.where(skin, SKIN, UPPER),
        PartStub(np.full(mask.shape, torso)),
        tuple(rasterize_mesh(vertices, f[groups == g], camera) for g in range(len(GROUPS))),
    )
    reached = reach_shown_hands(regions, camera, average, fitted)  # type: ignore[arg-type]

    def covered(pose: Pose) -> float:
        drawn = rasterize_mesh(average.vertices(pose)[0], average.f[hand], camera).face >= 0
        return float((drawn & skin).sum() / (drawn | skin).sum())

    assert skin.sum() > 30
    assert covered(fitted) < 0.4
    assert covered(reached) > 0.7
    unlabelled = replace(regions, label=np.full(mask.shape, UPPER))
    assert reach_shown_hands(unlabelled, camera, average, fitted) is fitted  # type: ignore[arg-type]


def test_skin_between_sleeves_that_no_hand_reaches_is_found(average: Body) -> None:
    pose = replace(Pose.rest(average.num_expression), transl=np.array([0.0, 0.1, -2.6]))
    camera = photo_camera(420.0, 240, 260)
    drawn = rasterize_mesh(average.vertices(pose)[0], average.f, camera)
    mask = drawn.face >= 0
    part = np.where(mask, average.face_part[drawn.face], 255)
    chest = mask & (part == average.part_names.index("torso"))
    rows, cols = np.nonzero(chest)
    y, x = int(rows.mean()), int(cols.mean())
    label, group = np.where(mask, UPPER, 0), np.where(mask, TORSO, -1)
    sleeve, patch, plain = (np.zeros_like(mask) for _ in range(3))
    sleeve[y : y + 8, x - 20 : x + 20] = True
    patch[y - 10 : y, x - 6 : x + 6] = True
    plain[y - 30 : y - 20, x - 6 : x + 6] = True  # a low neckline, far from any sleeve
    assert chest[sleeve | patch | plain].all()
    group[sleeve] = ARMS[0]
    label[patch | plain] = SKIN
    regions = LabelledStub(drawn, mask, (), group, label, PartStub(part), ())
    found = find_unreached_skin(regions, camera, average)  # type: ignore[arg-type]
    assert found[patch].all()
    assert not found[plain | sleeve].any()
    # If the sleeve belongs to the trunk, the skin may show through a hole in the clothes.
    alone = replace(regions, group=np.where(mask, TORSO, -1))
    assert not find_unreached_skin(alone, camera, average).any()  # type: ignore[arg-type]


def test_exposure_is_the_mean_of_what_stands_in_front() -> None:
    rng = np.random.default_rng(0)
    camera = photo_camera(60.0, 18, 24)
    mask, skin = rng.random((24, 18)) > 0.3, rng.random((24, 18)) > 0.9
    scene = HandScene(1.5 + 0.2 * rng.random((24, 18)), mask, skin, np.zeros((0, 2)), camera)
    points = rng.normal(size=(5, 200, 3)) * [0.2, 0.3, 0.1] + [0.0, 0.0, -1.6]
    expected = np.zeros((5, 200))
    for k, n in np.ndindex(5, 200):
        (x, y), z = project(points[k, n], camera)
        if not (-S.beyond * 18 < x < (1 + S.beyond) * 18):
            continue
        if not (-S.beyond * 24 < y < (1 + S.beyond) * 24):
            continue
        at = min(max(int(y), 0), 23), min(max(int(x), 0), 17)
        if not skin[at]:
            before = np.clip(scene.front[at] + S.margin - z, 0.0, S.deepest)
            expected[k, n] = before if mask[at] else S.deepest
    np.testing.assert_allclose(scene.measure_exposures(points), expected.mean(1), rtol=1e-9)
    assert len(np.unique(expected)) > 100


def test_a_brown_coats_pocket_shows_no_hand(average: Body) -> None:
    """Where no hand was detected, what has the colour of skin has to be skin to the parser too."""
    pose = replace(build_pose("relaxed", average), transl=np.array([0.0, 0.1, -2.6]))
    drawn = rasterize_mesh(average.vertices(pose)[0], average.f, photo_camera(420.0, 240, 260))
    mask = drawn.face >= 0
    like_skin, unlike = np.zeros(mask.shape), np.full(mask.shape, 99.0)
    observation = observe_nothing(mask)

    def parsed(name: str) -> Future[FloatArray]:
        out: Future[FloatArray] = Future()
        probability = np.zeros((*mask.shape, len(PARSED)))
        probability[..., PARSED.index(name)] = 1.0
        out.set_result(probability)
        return out

    def hidden(to_skin: FloatArray, parsing: Future[FloatArray] | None) -> tuple[int, ...]:
        return find_hidden_hands(average, drawn, mask, to_skin, observation, parsing)

    assert hidden(like_skin, None) == ()
    assert hidden(like_skin, parsed("skin")) == ()
    assert hidden(like_skin, parsed("upper")) == ARMS
    assert hidden(unlike, Future()) == ARMS  # what has another colour does not wait for the parser
