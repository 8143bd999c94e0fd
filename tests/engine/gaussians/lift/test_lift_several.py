"""Several photos in one avatar: exposure, who has which place, outlines, budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.cameras import project
from likeness.engine.core.types import BoundGaussians, FloatArray, LikenessError, Matte
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift import label_photo
from likeness.engine.gaussians.lift.lift_multiview import (
    TrackedPhoto,
    allocate_budgets,
    blend_weights,
    fade_gaussians,
    lift_multiview,
    pull_inside_outline,
    push_behind,
    ray_directions,
    thin_gaussians,
)
from likeness.engine.gaussians.lift.lift_photo import LiftOptions
from likeness.engine.gaussians.lift.multiview_colors import (
    BodyVisibility,
    blend_photo_colors,
    make_refine_target,
    match_exposure,
    measure_visibility,
)
from likeness.engine.gaussians.lift.shape.ear_places import Ears
from likeness.engine.render import render_camera

Shots = dict[str, Any]  # name to Shot, of conftest.py


@pytest.fixture(scope="module")
def pair(shots: Shots) -> tuple[list[TrackedPhoto], list[BodyVisibility]]:
    """The front and the striped back of one body."""
    front, back = shots["full"], shots["behind"]
    views = [
        TrackedPhoto(front.matte, front.observation, front.track),
        TrackedPhoto(striped(back.matte), back.observation, back.track),
    ]
    return views, [measure_visibility(view.matte, view.track, front.body) for view in views]


def striped(matte: Matte) -> Matte:
    """The matte with every second 15 rows half as bright."""
    rows = np.arange(matte.alpha.shape[0]) // 15 % 2
    return Matte(matte.alpha, (matte.foreground * (1 - 0.5 * rows)[:, None, None]).astype("f4"))


def splats(
    triangle: list[int], offset: FloatArray | None = None, layer: int = 1, size: float = 1e-3
) -> BoundGaussians:
    """Round grey splats in the middle of triangles."""
    n = len(triangle)
    return BoundGaussians(
        np.array(triangle, np.int32),
        np.full((n, 3), 1 / 3, np.float32),
        np.zeros((n, 3), np.float32) if offset is None else np.asarray(offset, np.float32),
        np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)),
        np.full((n, 3), size, np.float32) * np.array([1, 1, 0.1], np.float32),
        np.ones(n, np.float32),
        np.full((n, 3), 0.5, np.float32),
        np.full(n, layer, np.uint8),
    )


def chest(shots: Shots, sign: float) -> int:
    """The torso's triangle that looks most forward (+1) or backward (-1)."""
    body = shots["full"].body
    a, b, c = (np.asarray(body.v_template, float)[body.f[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    torso = np.array(body.part_names)[body.face_part] == "torso"
    middle = (np.abs((a + b + c)[:, 0] / 3) < 0.08) & ((a + b + c)[:, 1] / 3 > 0.1)
    return int(np.argmax(np.where(torso & middle, sign * normal[:, 2], -9)))


def test_front_and_back_see_opposite_sides(shots: Shots, pair: Any) -> None:
    _, (front, back) = pair
    f = shots["full"].body.f
    ahead, behind_it = f[chest(shots, 1)], f[chest(shots, -1)]
    for sight, seen, hidden in ((front, ahead, behind_it), (back, behind_it, ahead)):
        assert (sight.facing[seen] > 0.3).any()
        assert not sight.facing[hidden].any()


def test_each_place_goes_to_the_photo_that_sees_it(shots: Shots, pair: Any) -> None:
    _, sights = pair
    body = shots["full"].body
    shares = blend_weights(sights, body)
    np.testing.assert_allclose(shares.sum(0), 1.0, atol=1e-6)
    assert shares.min() >= 0
    only_front = (sights[0].facing > 0.5) & (sights[1].facing == 0)
    only_back = (sights[1].facing > 0.5) & (sights[0].facing == 0)
    assert shares[0, only_front].mean() > 0.8
    assert shares[1, only_back].mean() > 0.7
    eyes = np.array(body.part_names)[body.face_part] == "eye"
    np.testing.assert_allclose(shares[0, np.unique(body.f[eyes])], 1.0, atol=1e-3)


def test_one_photo_has_all(shots: Shots, pair: Any) -> None:
    _, sights = pair
    np.testing.assert_allclose(blend_weights(sights[:1], shots["full"].body), 1.0)


def test_exposure_is_levelled_to_the_main_photo(shots: Shots) -> None:
    """The same photo at half the light again: the gain is known."""
    front = shots["full"]
    sight = measure_visibility(front.matte, front.track, front.body)
    factor = np.array([0.8, 0.7, 0.9])
    other = Matte(front.matte.alpha, (front.matte.foreground * factor).astype(np.float32))
    same, back = match_exposure([front.matte, other], [sight, sight], front.body)
    assert same is front.matte
    solid = front.matte.alpha > 0.99
    before = np.abs(other.foreground - front.matte.foreground)[solid].mean()
    after = np.abs(back.foreground - front.matte.foreground)[solid].mean()
    assert after < 0.2 * before


def test_photos_that_see_nothing_alike_keep_their_colors(shots: Shots) -> None:
    front = shots["full"]
    sight = measure_visibility(front.matte, front.track, front.body)
    blind = replace(sight, facing=np.zeros_like(sight.facing))
    _, other = match_exposure([front.matte, front.matte], [sight, blind], front.body)
    np.testing.assert_allclose(other.foreground, front.matte.foreground, atol=1e-6)


def test_splats_fade_where_their_share_ends(shots: Shots) -> None:
    body = shots["full"].body
    ahead, back = chest(shots, 1), chest(shots, -1)
    share = np.zeros(len(body.v_template))
    share[body.f[ahead]] = 1.0
    share[body.f[back]] = 0.0
    kept = fade_gaussians(splats([ahead, back]), share, body)
    assert kept.triangle.tolist() == [ahead]
    assert kept.opacities[0] == 1.0


def test_colors_are_mixed_linearly_where_photos_meet(shots: Shots) -> None:
    """A place seen squarely by two equal photos, one red and one blue, with shares 3 to 1."""
    shot = shots["full"]
    body, ahead = shot.body, chest(shots, 1)
    sight = measure_visibility(shot.matte, shot.track, shot.body)
    sight = replace(sight, facing=np.ones_like(sight.facing))
    ones = np.ones_like(shot.matte.alpha)
    red, blue = (
        Matte(ones, np.tile(np.array(c, np.float32), (*ones.shape, 1)))
        for c in ([1, 0, 0], [0, 0, 1])
    )
    shares = np.stack([np.full(len(body.v_template), s) for s in (0.75, 0.25)])
    part = replace(splats([ahead]), colors=np.array([[1, 0, 0]], np.float32))
    out = blend_photo_colors(part, 0, [red, blue], [sight, sight], shares, body)
    np.testing.assert_allclose(out.colors, [[0.75, 0, 0.25]], atol=1e-5)
    alone = np.stack([np.ones(len(body.v_template)), np.zeros(len(body.v_template))])
    same = blend_photo_colors(part, 0, [red, blue], [sight, sight], alone, body)
    np.testing.assert_array_equal(same.colors, part.colors)


def test_what_stands_out_is_drawn_in_or_left_out(shots: Shots) -> None:
    shot = shots["full"]
    body, sight = shot.body, measure_visibility(shot.matte, shot.track, shot.body)
    a, b, c = (np.asarray(body.v_template, float)[body.f[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    side = np.array(body.part_names)[body.face_part] == "face"  # of the head: no arm beside it
    edge = int(np.argmin(np.where(side, normal[:, 0], 9)))
    out = np.array([[0, 0, 0.025], [0, 0, 0.15]])  # a little off the head, and far off
    part = splats([edge, edge], out)
    down = np.tile([0.0, 0.0, -1.0], (2, 1))

    def inside(bound: BoundGaussians) -> list[bool]:
        xy, _ = project(
            np.asarray(place_gaussians(bound, sight.vertices, body).means), sight.camera
        )
        col, row = xy.astype(int).T
        return [bool(v) for v in shot.matte.alpha[row, col] > 0.5]

    assert inside(part) == [False, False]
    kept = pull_inside_outline(part, down, shot.matte, sight, body, leave_out=True)
    assert inside(kept) == [True]
    stayed = pull_inside_outline(part, down, shot.matte, sight, body)
    assert len(stayed) == 2
    np.testing.assert_array_equal(stayed.offset[1], part.offset[1])


def test_the_way_along_rays_is_invisible_in_the_photo(shots: Shots) -> None:
    shot = shots["full"]
    body, sight = shot.body, measure_visibility(shot.matte, shot.track, shot.body)
    part = splats(list(range(0, len(body.f), 7)))
    way = ray_directions(part, sight, body)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1.0, atol=1e-6)
    moved = replace(part, offset=(part.offset + 0.01 * way).astype(np.float32))
    before, after = (
        project(np.asarray(place_gaussians(p, sight.vertices, body).means, float), sight.camera)[0]
        for p in (part, moved)
    )
    np.testing.assert_allclose(after, before, atol=1e-2)


def test_nothing_of_another_photo_stands_before_the_main_one(shots: Shots) -> None:
    shot = shots["full"]
    body, ahead = shot.body, chest(shots, 1)
    sight = measure_visibility(shot.matte, shot.track, shot.body)
    shown = splats([ahead], layer=2, size=0.2)
    near = splats([ahead, ahead], np.array([[0, 0, 0.01], [0, 0, 0.2]]))
    kept = push_behind(near, shown, sight, body)
    assert len(kept) == 1, "the one 20 cm before it is left out"
    _, z = project(
        np.asarray(place_gaussians(kept, sight.vertices, body).means, float), sight.camera
    )
    _, front = project(
        np.asarray(place_gaussians(shown, sight.vertices, body).means, float), sight.camera
    )
    assert z[0] > front[0]


def test_thinning_keeps_the_covered_area() -> None:
    part = splats([0] * 100)
    few = thin_gaussians(part, 25)
    assert len(few) == 25
    np.testing.assert_allclose(few.scales[:, :2] ** 2 * 25, part.scales[:25, :2] ** 2 * 100)
    np.testing.assert_array_equal(few.scales[:, 2], part.scales[:25, 2])
    assert thin_gaussians(part, 100) is part


def test_the_main_photo_gets_most_of_the_budget(shots: Shots, pair: Any) -> None:
    _, sights = pair
    body, options = shots["full"].body, LiftOptions(max_gaussians=50_000)
    one = allocate_budgets(sights[:1], blend_weights(sights[:1], body), body, options)
    assert one == [50_000]
    main, other = allocate_budgets(sights, blend_weights(sights, body), body, options)
    assert 20_000 < main <= 50_000
    assert other == pytest.approx(0.5 * main, abs=1)


def test_a_photo_asks_for_its_own_part_alone(shots: Shots, pair: Any) -> None:
    """Its own colours where all is its own; what is drawn where nothing is."""
    (view, _), (sight, _) = pair
    body = shots["full"].body
    bound = splats(list(range(len(body.f))), size=0.02)
    drawn = render_camera(place_gaussians(bound, sight.vertices, body), sight.camera)
    everything, nothing = np.ones(len(body.v_template)), np.zeros(len(body.v_template))
    own = make_refine_target(view.matte, bound, sight, everything, body)
    np.testing.assert_allclose(own.alpha, view.matte.alpha, atol=1e-6)
    solid = view.matte.alpha > 0.99
    np.testing.assert_allclose(own.foreground[solid], view.matte.foreground[solid], atol=1e-5)
    other = make_refine_target(view.matte, bound, sight, nothing, body)
    np.testing.assert_allclose(other.alpha, drawn.alpha, atol=1e-6)
    np.testing.assert_allclose(
        other.foreground * other.alpha[..., None], drawn.rgb, atol=0.02, err_msg="what is there"
    )


def test_errors_name_the_photo(shots: Shots, pair: Any) -> None:
    views, _ = pair
    empty = Matte(np.zeros_like(views[0].matte.alpha), views[0].matte.foreground)
    lost = replace(views[0], matte=empty, name="a.png")
    with pytest.raises(LikenessError, match=r"^a\.png: The person could not be separated") as told:
        lift_multiview([lost, views[1]], shots["full"].body, LiftOptions(max_gaussians=12_000))
    assert told.value.remedy
    with pytest.raises(LikenessError, match=r"^The person could not"):
        lift_multiview(
            [replace(lost, name=""), views[1]],
            shots["full"].body,
            LiftOptions(max_gaussians=12_000),
        )


@pytest.mark.slow
def test_a_photo_from_behind_gives_the_back_its_colors(
    shots: Shots, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The main photo's own view stays, and the back's view gets what the back's photo shows."""
    views, _ = pair
    front, back = shots["full"], shots["behind"]
    raised = Ears(np.tile([0.0, 0.004, 0.0], (2, 1)), np.ones(2))
    found: list[Ears] = []
    monkeypatch.setattr(label_photo, "find_ears", lambda *_: found.append(raised) or raised)
    lifted, mattes, wanted = lift_multiview(views, front.body, LiftOptions(max_gaussians=12_000))
    assert len(lifted.gaussians) <= 12_000
    assert len(found) == 1, "one body has one pair of ears, the main photo's"
    assert lifted.ears is raised
    assert wanted[0].alpha is mattes[0].alpha
    assert (wanted[0].foreground >= mattes[0].foreground - 1e-6).all(), "only shadows are lit"
    assert len(mattes) == len(wanted) == 2
    # What only the back's photo shows is asked for as it shows it.
    middle = tuple(np.array(mattes[1].alpha.shape) // 2)
    told, asked = (m[1].foreground[middle] for m in (mattes, wanted))
    np.testing.assert_allclose(asked, told, atol=0.06)
    alone = front.lift(12_000)

    def error(bound: BoundGaussians, shot: Any, matte: Matte) -> float:
        whole = replace(front, body=lifted.body)
        drawn = whole.draw(bound, shot.track.pose, shot.track.camera)
        return float(np.abs(drawn.rgb - matte.foreground)[matte.alpha > 0.99].mean())

    assert error(lifted.gaussians, back, mattes[1]) < 0.5 * error(alone, back, mattes[1])
    before, after = (error(b, front, front.matte) for b in (alone, lifted.gaussians))
    assert after < 1.3 * before
