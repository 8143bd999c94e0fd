"""Beards beyond the edge of what a photo shows."""

from __future__ import annotations

import numpy as np
from likeness.engine.body import Body
from likeness.engine.gaussians.lift.colors.beards import grow_beard
from likeness.engine.gaussians.lift.colors.colors_base import Texels, beard_area
from likeness.engine.gaussians.lift.surface.labels import SKIN

BARE, BEARD = np.array([0.8, 0.6, 0.5]), np.array([0.15, 0.1, 0.08])


def test_a_beard_goes_on_and_a_bare_cheek_stays_bare(average: Body) -> None:
    """The photo shows a face from the front as far as its sides, in half the light behind."""
    body = average
    face = np.nonzero(body.face_part == body.part_names.index("face"))[0]
    corner = body.f[face]
    rest = np.asarray(body.v_template, np.float64)[corner].mean(1)
    n = len(rest)
    area = beard_area(body)[corner].mean(1)
    known = rest[:, 2] > np.percentile(rest[:, 2], 60)
    light = np.where(known, 1.0, 0.5)[:, None] * np.ones(3)
    zero = np.zeros(n)

    def grown(color: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        texels = Texels(
            points=rest,
            normals=np.zeros((n, 3)),
            label=np.full(n, SKIN),
            known=known,
            color=color,
            corner=corner,
            bary=np.full((n, 3), 1.0 / 3.0),
            rest=rest,
            group=np.full(n, 3),
            xy=np.zeros((n, 2)),
            shade=light,
            facing=zero,
            radius=zero,
        )
        return grow_beard(texels, np.arange(n), light * BARE, BARE, body)

    color, share = grown(np.where((area > 0.5)[:, None], BEARD, BARE))
    jaw = ~known & (area > 0.95)
    assert jaw.sum() > 20
    assert np.median(share[jaw]) > 0.9
    np.testing.assert_allclose(np.median(color[jaw & (share > 0.9)], axis=0), 0.5 * BEARD)
    assert share[known | (area == 0.0)].max() == 0.0
    assert grown(np.tile(BARE, (n, 1)))[1].max() == 0.0
    # The shadow of the jaw on the throat is not a beard.
    shadow = (area > 0.0) & (rest[:, 1] < np.percentile(rest[area > 0.9, 1], 5))
    assert shadow.any()
    assert grown(np.where(shadow[:, None], BEARD, BARE))[1].max() == 0.0
    # Stubble that is hardly darker than the skin does not count either.
    stubble = BARE * np.exp(-0.35)
    assert grown(np.where((area > 0.5)[:, None], stubble, BARE))[1].max() == 0.0
    # Gaps in what the photo shows of a beard do not make islands beyond it.
    gaps = np.random.default_rng(0).uniform(size=n) < 0.3
    _, share = grown(np.where(((area > 0.5) & ~gaps)[:, None], BEARD, BARE))
    assert np.percentile(share[jaw], 10) > 0.7
