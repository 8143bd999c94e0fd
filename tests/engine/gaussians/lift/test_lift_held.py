"""Held things stay with their hand or are left out, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.core.types import (
    HELD,
    JOINT_INDEX,
    BoolArray,
    Camera,
    FloatArray,
    Hand,
    IntArray,
    Matte,
    Observation,
    Pose,
    Track,
)
from likeness.engine.gaussians import place_gaussians
from likeness.engine.gaussians.lift.lift_photo import LiftOptions, LiftResult, lift_photo
from likeness.engine.gaussians.lift.occlusion.held_marks import (
    mark_held_objects,
    mark_removed,
    removed_pixels,
)
from likeness.engine.gaussians.lift.occlusion.held_objects import separate_held_objects
from likeness.engine.gaussians.lift.occlusion.held_outlines import complete_held_objects
from likeness.engine.gaussians.lift.pixels.labels_parser import PARSED, ParserRuntime
from likeness.engine.gaussians.lift.surface.labels import UPPER
from likeness.engine.gaussians.lift.surface.limbs import TORSO
from likeness.engine.imaging.resize import resize
from likeness.engine.render.mesh import rasterize_mesh
from scipy import ndimage

SKIN, CLOTH, THING = (0.80, 0.60, 0.50), (0.25, 0.40, 0.65), (0.1, 0.75, 0.2)
WIDTH, HEIGHT = 360, 440


@dataclass(frozen=True)
class Sitter:
    body: Body
    matte: Matte
    observation: Observation
    track: Track

    def leave_out(self, matte: Matte) -> tuple[Matte, tuple[str, ...]]:
        return self.separate(matte, "remove")

    def separate(self, matte: Matte, held: str) -> tuple[Matte, tuple[str, ...]]:
        return separate_held_objects(matte, self.observation, self.track, self.body, held)

    def lift(self, matte: Matte) -> LiftResult:
        options = LiftOptions(max_gaussians=20_000)
        return lift_photo(matte, self.observation, self.track, self.body, options)


@pytest.fixture(scope="module")
def sitter(average: Body) -> Sitter:
    """Somebody in overalls, the left hand seen by the hands' detector."""
    body = average
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, 0.1, -3.0]))
    pose = pose.with_joints(left_shoulder=[0, 0, -0.6], right_shoulder=[0, 0, 0.9])
    camera = photo_camera(680.0, WIDTH, HEIGHT)
    vertices, joints = body.vertices(pose)
    marks = body.landmarks
    assert marks is not None
    face, _ = project(
        np.einsum("nk,nkd->nd", marks.face_bary, vertices[body.f[marks.face_triangle]]), camera
    )
    pixels, _ = project(joints, camera)
    fingers = pixels[marks.hand_joint]
    fingers[[4, 8, 12, 16, 20]] += 0.5 * (fingers[[3, 7, 11, 15, 19]] - fingers[[2, 6, 10, 14, 18]])
    fingers[0] = pixels[JOINT_INDEX["left_wrist"]]
    buffer = rasterize_mesh(vertices, body.f, camera)
    mask = buffer.face >= 0
    bare = np.isin(
        body.face_part,
        [
            k
            for k, name in enumerate(body.part_names)
            if name not in ("torso", "arm", "leg", "foot")
        ],
    )
    tone = np.where(bare[buffer.face][..., None], SKIN, CLOTH)
    noise = np.random.default_rng(1).normal(0, 0.015, tone.shape)
    return Sitter(
        body,
        Matte(mask.astype(np.float32), np.clip(tone + noise, 0, 1).astype(np.float32)),
        Observation(
            pose=pixels[marks.pose_joint],
            pose_visibility=np.ones(33),
            pose_world=np.zeros((33, 3)),
            person_mask=mask.astype(np.float32),
            face=face,
            face_score=1.0,
            hands=(Hand(True, fingers, np.zeros((21, 3)), 1.0),),
        ),
        Track(np.zeros(0), pose, camera, "full", np.ones(55), 1.0, 1.0),
    )


def with_thing(sitter: Sitter, x: float, y: float, radius: float) -> tuple[Matte, BoolArray]:
    rows, cols = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    thing = np.hypot(cols - x, rows - y) < radius
    colors = np.where(thing[..., None], THING, sitter.matte.foreground).astype(np.float32)
    return Matte(np.where(thing, 1.0, sitter.matte.alpha).astype(np.float32), colors), thing


def palm(sitter: Sitter) -> tuple[FloatArray, float]:
    """The fingertips' mean, and the palm's length."""
    points = sitter.observation.hands[0].landmarks
    return points[[8, 12, 16]].mean(0), float(np.linalg.norm(points[9] - points[0]))


@pytest.mark.parametrize("held", ["keep", "remove"])
def test_somebody_with_empty_hands_stays_as_they_are(sitter: Sitter, held: str) -> None:
    matte, warnings = sitter.separate(sitter.matte, held)
    assert warnings == ()
    assert matte is sitter.matte


def test_a_ball_in_the_hand_stays_with_it(sitter: Sitter) -> None:
    """Held before the leg, so that it could be taken for cloth."""
    (x, y), size = palm(sitter)
    matte, ball = with_thing(sitter, x, y, 0.9 * size)
    out, warnings = sitter.separate(matte, "keep")
    assert warnings == ()
    assert out.held is not None
    assert (out.held[ball] == HELD.index("in the left hand")).mean() > 0.8
    assert (out.held[~ndimage.binary_dilation(ball, iterations=6)] == 0).all()
    inner = ndimage.binary_erosion(ball, iterations=3)
    np.testing.assert_array_equal(out.foreground[inner], matte.foreground[inner])
    lifted = sitter.lift(out).gaussians
    green = np.abs(lifted.colors - THING).max(-1) < 0.12
    assert green.sum() > 50
    before = sitter.track.pose
    hand = before.with_joints(left_elbow=[0.2, -1.2, 0.5], left_wrist=[0.6, 0.2, -0.4])
    placed, wrists = [], []
    for pose in (before, hand):
        vertices, joints = sitter.body.vertices(pose)
        own = place_gaussians(lifted.take(green), vertices, sitter.body)
        placed.append(np.asarray(own.means, np.float64))
        wrists.append(joints[JOINT_INDEX["left_wrist"]])
    assert np.linalg.norm(wrists[1] - wrists[0]) > 0.15
    # A rigid thing: it keeps its form, and its distance from the wrist.
    form = [np.linalg.norm(p - p.mean(0), axis=1) for p in placed]
    np.testing.assert_allclose(form[1], form[0], atol=0.01)
    apart = [np.linalg.norm(p - w, axis=1) for p, w in zip(placed, wrists, strict=True)]
    np.testing.assert_allclose(apart[1], apart[0], atol=0.02)


def test_nothing_of_a_removed_ball_is_lifted(sitter: Sitter) -> None:
    (x, y), size = palm(sitter)
    matte, _ = with_thing(sitter, x, y, 0.9 * size)
    out, _ = sitter.leave_out(matte)
    lifted = sitter.lift(out)
    assert (np.abs(lifted.gaussians.colors - THING).max(-1) < 0.2).mean() < 0.001
    # Refining aims at what the lift made there, not at the blot over the ball.
    assert out.held is not None
    assert lifted.wanted is not None
    gone = (out.held == HELD.index("removed")) & (out.alpha > 0.9)
    shown = lifted.wanted.foreground[gone]
    apart = np.min([np.abs(shown - tone).max(-1) for tone in (SKIN, CLOTH)], axis=0)
    assert gone.sum() > 50
    assert (apart < 0.12).mean() > 0.8


def test_a_thing_unlike_what_is_around_the_hand_is_found(sitter: Sitter) -> None:
    """Green as the shoes are, but held: no colour that is foreign to the person."""
    tips, size = palm(sitter)
    wrist = sitter.observation.hands[0].landmarks[0]
    x, y = tips + 0.5 * size * (tips - wrist) / np.linalg.norm(tips - wrist)
    green = np.array([0.15, 0.5, 0.4])
    matte, ball = with_thing(sitter, x, y, 0.6 * size)
    feet = np.mgrid[:HEIGHT, :WIDTH][0] > sitter.observation.pose[27:29, 1].min() - 20
    colors = np.where((ball | feet)[..., None], green, matte.foreground).astype(np.float32)
    out, _ = sitter.separate(Matte(matte.alpha, colors), "keep")
    assert out.held is not None
    assert (out.held[ball] == HELD.index("in the left hand")).mean() > 0.6
    assert (out.held[feet] == 0).all()


def test_a_ball_in_the_hand_goes(sitter: Sitter) -> None:
    (x, y), size = palm(sitter)
    matte, ball = with_thing(sitter, x, y, 0.9 * size)
    out, (warning,) = sitter.leave_out(matte)
    assert "left hand" in warning
    own = sitter.matte.alpha > 0.5
    assert (out.alpha[ball & ~own] < 0.5).mean() > 0.8
    strange = np.abs(out.foreground - THING).max(-1) < 0.15
    assert (strange & (out.alpha > 0.5))[ball].mean() < 0.15
    away = ~ndimage.binary_dilation(ball, iterations=5)
    np.testing.assert_allclose(out.alpha[away], matte.alpha[away], atol=1e-6)
    np.testing.assert_array_equal(out.foreground[away], matte.foreground[away])


def test_what_stands_beside_goes(sitter: Sitter) -> None:
    """A green thing half a metre beside the knee, joined to it."""
    knee = sitter.observation.pose[26]
    matte, thing = with_thing(sitter, knee[0] - 42, knee[1], 36)
    out, (warning,) = sitter.leave_out(matte)
    assert "beside" in warning
    own = sitter.matte.alpha > 0.5
    assert (out.alpha[thing & ~own] < 0.5).mean() > 0.9
    assert (out.alpha[own & ~thing] > 0.5).mean() > 0.99


def test_clothes_that_stand_off_stay(sitter: Sitter) -> None:
    """A wide coat of the overalls' cloth."""
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    hip, ankle = sitter.observation.pose[[23, 24]].mean(0), sitter.observation.pose[27:29].mean(0)
    down = (rows - hip[1]) / (ankle[1] - hip[1])
    coat = (down > 0) & (down < 0.8) & (np.abs(cols - hip[0]) < 30 + 45 * down)
    alpha = np.maximum(sitter.matte.alpha, coat).astype(np.float32)
    colors = np.where(coat[..., None], CLOTH, sitter.matte.foreground).astype(np.float32)
    matte = Matte(alpha, colors)
    out, warnings = sitter.leave_out(matte)
    assert warnings == ()
    assert out is matte


class DenyingParser(ParserRuntime):
    """A parser that believes one thing to be nobody's, and all else to be skin."""

    def __init__(self, thing: BoolArray) -> None:
        self.thing = thing
        self.asked = 0

    def parse(
        self, photo: FloatArray, mask: BoolArray, camera: Camera, body: Body, vertices: FloatArray
    ) -> FloatArray:
        self.asked += 1
        none = resize(self.thing.astype(np.float32), mask.shape[1], mask.shape[0], "bilinear")
        out = np.zeros((*mask.shape, len(PARSED)))
        out[..., PARSED.index("none")] = none
        out[..., PARSED.index("skin")] = 1.0 - none
        return out


@pytest.mark.parametrize("seen", [True, False])
def test_a_thing_in_the_skins_colours_is_found_where_the_parser_denies_it(
    sitter: Sitter, seen: bool
) -> None:
    """It stays with the hand; if no hand is detected it goes."""
    (x, y), size = palm(sitter)
    matte, thing = with_thing(sitter, x + 1.2 * size, y, 1.3 * size)
    leather = np.where(thing[..., None], [0.80, 0.56, 0.42], matte.foreground).astype(np.float32)
    matte = replace(matte, foreground=leather)
    observation = sitter.observation if seen else replace(sitter.observation, hands=())
    parser = DenyingParser(thing)
    out, warnings = separate_held_objects(
        matte, observation, sitter.track, sitter.body, "keep", parser
    )
    assert parser.asked == 1
    own = sitter.matte.alpha > 0.5
    if seen:
        assert warnings == ()
        assert out.held is not None
        assert (out.held[thing & ~own] == HELD.index("in the left hand")).mean() > 0.8
    else:
        assert len(warnings) == 1
        assert (out.alpha[thing & ~own] < 0.5).mean() > 0.9
    assert (out.alpha[own & ~thing] > 0.5).mean() > 0.98


def test_the_parser_is_not_asked_about_skin_on_the_body(sitter: Sitter) -> None:
    parser = DenyingParser(np.ones((HEIGHT, WIDTH), bool))
    out, warnings = separate_held_objects(
        sitter.matte, sitter.observation, sitter.track, sitter.body, "keep", parser
    )
    assert (parser.asked, warnings) == (0, ())
    assert out is sitter.matte


@pytest.mark.parametrize("alike", [False, True])
def test_half_a_ball_becomes_a_whole_one(sitter: Sitter, alike: bool) -> None:
    """Unless the background has its colour."""
    (x, y), size = palm(sitter)
    whole, ball = with_thing(sitter, x, y + size, 1.2 * size)
    background = THING if alike else (0.5, 0.5, 0.55)
    noise = np.random.default_rng(2).normal(0, 0.01, (HEIGHT, WIDTH, 3))
    photo = np.where(whole.alpha[..., None] > 0.5, whole.foreground, background) + noise
    photo = np.clip(photo, 0, 1).astype(np.float32)
    lost = ball & (np.mgrid[:HEIGHT, :WIDTH][0] > y + 1.4 * size)
    assert lost.sum() > 0.2 * ball.sum()
    left = HELD.index("in the left hand")
    held = np.where(ball & ~lost, left, 0).astype(np.uint8)
    painted = photo.copy()
    painted[:40] = 0.123  # where something was removed
    cut = Matte(np.where(lost, 0, whole.alpha).astype(np.float32), painted, held)
    out = complete_held_objects(cut, photo)
    if alike:
        assert out is cut
        return
    assert (out.alpha[lost] > 0.5).mean() > 0.85
    assert out.held is not None
    assert (out.held[lost] == left).mean() > 0.85
    np.testing.assert_array_equal(out.foreground[:40], painted[:40])
    beyond = ~ndimage.binary_dilation(whole.alpha > 0.5, iterations=4)
    assert (out.alpha[beyond] == 0).all()


@dataclass(frozen=True)
class LabelledStub:
    """What marking reads of the regions."""

    mask: BoolArray
    group: IntArray
    label: IntArray
    skin: BoolArray
    face: BoolArray
    hair: BoolArray


def test_removed_pixels_of_a_grid_are_the_same_after_the_way_through_the_matte() -> None:
    """The matte is finer than the grid, by a fractional factor."""
    gone = np.random.default_rng(0).random((37, 53)) < 0.3
    none, every = np.zeros_like(gone), np.ones_like(gone)
    matte = Matte(np.ones((61, 88), np.float32), np.zeros((61, 88, 3), np.float32))
    held = mark_removed(matte, gone).held
    regions = LabelledStub(
        every, np.full(gone.shape, TORSO), np.full(gone.shape, UPPER), *3 * [none]
    )
    marked = mark_held_objects(regions, held)  # type: ignore[type-var, arg-type]
    np.testing.assert_array_equal(removed_pixels(marked), gone)
