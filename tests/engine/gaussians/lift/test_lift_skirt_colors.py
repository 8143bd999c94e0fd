"""Colours of skirts: what is seen goes round, patterns keep their size, buttons stay in front."""

# ruff: noqa: F811

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.gaussians.lift.colors.skirt_colors import S as SKIRT_COLORS
from likeness.engine.gaussians.lift.colors.skirt_colors import _turned_back, skirt_colors
from likeness.engine.gaussians.lift.photo.photo_view import PhotoView
from likeness.engine.gaussians.lift.shape.depth_sheets import LimbBorders
from likeness.engine.gaussians.lift.skirts.skirt import Skirt, skirt_faces
from likeness.engine.gaussians.lift.skirts.skirt_skinning import COLUMNS, RINGS
from likeness.engine.gaussians.lift.skirts.skirt_wearer import SkirtWearer, attach_skirt
from likeness.engine.gaussians.lift.surface.labels import LOWER, SKIN, UPPER
from likeness.engine.gaussians.lift.surface.limbs import ARMS

from .test_lift_skirt import Scene, posed, scene, skirt  # noqa: F401

_NOWHERE = np.zeros((270, 260), bool)
NO_BORDERS = LimbBorders(
    _NOWHERE, _NOWHERE, np.zeros((270, 260, 2), int), np.zeros((2, 270, 260, 2), int)
)


def dress(scene: Scene, skirt: Skirt) -> SkirtWearer:
    """The scene's person, whose legs are bare, in the skirt."""
    bare = np.eye(9)[np.full(len(scene.vertices), SKIN)]
    return attach_skirt(skirt, scene.body, scene.pose, scene.regions, bare, scene.dressed)


def test_a_photo_that_shows_nothing_of_it_takes_its_usual_colour(
    scene: Scene, skirt: Skirt
) -> None:
    """As of another photo, of the head: cloth that was seen elsewhere, not the background."""
    height, width = scene.regions.mask.shape
    hidden = replace(scene.regions, label=np.where(scene.regions.label == LOWER, UPPER, SKIN))
    colors = np.full((height, width, 3), [0.2, 0.3, 0.6])
    colors[~scene.regions.mask] = [1.0, 0.0, 1.0]
    view = PhotoView(
        scene.camera,
        colors,
        hidden.mask * 1.0,
        hidden,
        (Visible(scene),),  # type: ignore[arg-type]
        NO_BORDERS,
        colors,
    )
    faces = skirt_faces()
    points = posed(scene, skirt).reshape(-1, 3)
    bary = np.full((len(faces), 3), 1 / 3)
    color = skirt_colors(np.arange(len(faces)), bary, faces, points, LOWER, view)
    assert np.ptp(color, axis=0).max() == 0.0
    assert color[0].argmax() == 2, "darker, of the upper wear's hue"
    assert color.max() < 0.6


def test_the_middle_of_the_front_has_a_colour(
    scene: Scene, skirt: Skirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on neither side; memory that was not written to must not show there."""
    monkeypatch.setattr(np, "empty_like", lambda like: np.full_like(like, np.nan))
    picture = np.full((*scene.regions.mask.shape, 3), 0.4)
    view = PhotoView(
        scene.camera,
        picture,
        scene.regions.mask * 1.0,
        scene.regions,
        (Visible(scene),),  # type: ignore[arg-type]
        NO_BORDERS,
        picture,
    )
    faces, points = skirt_faces(), posed(scene, skirt).reshape(-1, 3)
    triangle, corner = np.nonzero(faces % COLUMNS == 0)
    color = skirt_colors(triangle, np.eye(3)[corner], faces, points, LOWER, view)
    np.testing.assert_allclose(color, 0.4, atol=1e-6)


def test_a_sliver_beyond_an_arm_does_not_go_round(scene: Scene, skirt: Skirt) -> None:
    """Between an arm and the outline little shows of it, and that in the arm's shade."""
    regions = scene.regions
    own = regions.mask & (regions.label == LOWER)
    columns = np.nonzero(own.any(0))[0]
    outline = columns.max() - np.argmax(own[:, columns.max() :: -1], axis=1)
    beyond = own & (np.arange(own.shape[1]) > outline[:, None] - 3)
    arm = own & ~beyond & (np.arange(own.shape[1]) > outline[:, None] - 12)
    picture = np.full((*own.shape, 3), 0.4)
    picture[beyond] = 0.32
    view = PhotoView(
        scene.camera,
        picture,
        regions.mask * 1.0,
        replace(regions, group=np.where(arm, ARMS[0], regions.group)),
        (Visible(scene),),  # type: ignore[arg-type]
        NO_BORDERS,
        picture,
    )
    faces, points = skirt_faces(), posed(scene, skirt).reshape(-1, 3)
    bary = np.full((len(faces), 3), 1 / 3)
    color = skirt_colors(np.arange(len(faces)), bary, faces, points, LOWER, view)
    np.testing.assert_allclose(color, 0.4, atol=0.01)


def test_colours_go_round(scene: Scene, skirt: Skirt) -> None:
    """A ramp over the photo's columns: the sides go on, and meet in the cloth's own tone behind."""
    wearer = dress(scene, skirt)
    x = np.broadcast_to(np.linspace(0, 1, 260)[None, :, None], (270, 260, 3)).copy()
    x[..., 1] = np.linspace(0, 1, 270)[:, None]
    view = PhotoView(
        scene.camera,
        x,
        scene.regions.mask * 1.0,
        scene.regions,
        (Visible(scene),),  # type: ignore[arg-type]
        NO_BORDERS,
        x,
    )
    faces = skirt_faces()
    triangle = np.arange(len(faces))
    bary = np.full((len(faces), 3), 1 / 3)
    color = skirt_colors(triangle, bary, faces, wearer.points, LOWER, view)
    column = triangle % (2 * COLUMNS) // 2
    low = triangle // (2 * COLUMNS) == RINGS * 3 // 4
    turn = column[low] * 2 * np.pi / COLUMNS
    seen = color[low, 0]
    front = np.minimum(turn, 2 * np.pi - turn) < SKIRT_COLORS.cut - 0.1
    # In front: where the place is drawn.
    points = wearer.points[faces[triangle[low]]].mean(1)
    pixel = -points[:, 0] / points[:, 2] * 430 + 130
    np.testing.assert_allclose(seen[front], (pixel[front] - 0.5) / 259, atol=0.012)
    own = scene.regions.mask & (scene.regions.label == LOWER)
    assert np.abs(seen[np.abs(turn - np.pi) < 0.1] / np.median(x[own, 0]) - 1.0).max() < 0.15
    # No jump anywhere, all the way around; the steepest steps are those of the turning back.
    assert np.abs(np.diff(np.append(seen, seen[0]))).max() < 0.12


def test_a_pattern_keeps_its_size_behind(scene: Scene, skirt: Skirt) -> None:
    """Stripes of two hues: as many on an arc behind as on one as long in front."""
    wearer = dress(scene, skirt)
    red = np.arange(260) % 14 < 8
    stripes = np.where(red[:, None], [0.8, 0.1, 0.1], [0.1, 0.2, 0.8])
    picture = np.broadcast_to(stripes, (270, 260, 3)).copy()
    view = PhotoView(
        scene.camera,
        picture,
        scene.regions.mask * 1.0,
        scene.regions,
        (Visible(scene),),  # type: ignore[arg-type]
        NO_BORDERS,
        picture,
    )
    assert LOWER in view.prints.patterned
    faces = skirt_faces()
    ring = np.arange(2 * COLUMNS * 20, 2 * COLUMNS * 21, 2)  # one triangle of each column
    fine = np.linspace(0.05, 0.95, 20)
    bary = np.stack([1.0 - fine, np.zeros(20), fine], -1)
    color = skirt_colors(
        np.repeat(ring, 20), np.tile(bary, (len(ring), 1)), faces, wearer.points, LOWER, view
    )
    changes = np.abs(np.diff((color[:, 0] > color[:, 2]).astype(int))).reshape(-1)
    column = np.arange(len(changes)) / (20 * COLUMNS) * 2 * np.pi
    behind = changes[np.abs(column - np.pi) < 1.0].sum()
    ahead = changes[np.minimum(column, 2 * np.pi - column) < 1.0].sum()
    assert ahead > 4
    assert behind >= 0.7 * ahead
    # It keeps both colours: neither is the cloth's tone.
    shown = color.reshape(len(ring), -1, 3)[np.abs(np.arange(COLUMNS) - COLUMNS // 2) < 5]
    shown = shown.reshape(-1, 3)
    blue = shown[shown[:, 2] > 2.0 * shown[:, 0]]
    assert len(blue) > 0.2 * len(shown)
    np.testing.assert_allclose(np.median(blue, axis=0), [0.1, 0.2, 0.8], rtol=0.25)


def test_buttons_stay_in_front_and_a_cuff_on_its_arm(scene: Scene, skirt: Skirt) -> None:
    wearer = dress(scene, skirt)
    own = scene.regions.mask & (scene.regions.label == LOWER)
    rows, columns = np.nonzero(own)
    grey, white, black = 0.4, 0.95, 0.02
    picture = np.full((*own.shape, 3), grey)
    picture[:, 128:133] = black  # a row of buttons
    group = np.array(scene.regions.group)
    arm = np.zeros_like(own)
    middle = int(np.median(rows))
    arm[middle : middle + 8, columns.min() : 110] = True
    group[arm & own] = ARMS[0]
    picture[arm] = 0.2
    picture[middle : middle + 8, 110:114] = white  # a cuff that is not the arm's by its group
    view = PhotoView(
        scene.camera,
        picture,
        own * 1.0,
        replace(scene.regions, group=group),
        (Visible(scene),),  # type: ignore[arg-type]
        NO_BORDERS,
        picture,
    )
    faces = skirt_faces()
    triangle = np.arange(len(faces))
    bary = np.full((len(faces), 3), 1 / 3)
    color = skirt_colors(triangle, bary, faces, wearer.points, LOWER, view)[:, 0]
    turn = (triangle % (2 * COLUMNS) // 2) * 2 * np.pi / COLUMNS
    behind = np.abs(turn - np.pi) < 1.2
    np.testing.assert_allclose(color[behind], grey, atol=0.03)
    assert color[~behind].min() < 0.1, "the buttons are in front"
    assert color.max() < 0.5, "no cuff anywhere"


class Visible:
    """A sheet of which everything is seen."""

    def __init__(self, scene: Scene) -> None:
        self.visible = scene.regions.mask


def test_behind_a_print_shows_each_of_its_figures_once() -> None:
    """From either side its way leads through the front, and never turns back."""
    ring, turn = np.meshgrid(np.arange(RINGS), np.linspace(0.0, np.pi, 200), indexing="ij")
    around = np.linspace(0.0, 2 * np.pi, COLUMNS, endpoint=False)
    wide = np.linspace(0.15, 0.35, RINGS)[:, None]
    grid = np.stack([wide * np.sin(around), 0.0 * wide * around, wide * np.cos(around)], -1)
    limit = np.radians(64.0)
    for side in (1.0, -1.0):
        at = _turned_back(ring.ravel(), side * turn.ravel(), grid, limit, stretched=False)
        back = side * at.reshape(ring.shape)
        past = turn[0] > limit + 0.1
        assert (np.diff(back[:, past], axis=1) < 0.0).all()
        # On a circle it is as long as its image.
        np.testing.assert_allclose(back[:, -1], 2 * limit - np.pi, atol=0.08)
