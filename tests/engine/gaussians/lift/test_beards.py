"""Beards beyond the edge of what a photo shows."""

from __future__ import annotations

import numpy as np
from likeness.engine.body import Body
from likeness.engine.gaussians.lift.colors.beards import grow_beard
from likeness.engine.gaussians.lift.colors.colors_base import beard_area
from likeness.engine.gaussians.lift.colors.colors_texels import Texels
from likeness.engine.gaussians.lift.surface.labels import SKIN

BARE, BEARD = np.array([0.8, 0.6, 0.5]), np.array([0.15, 0.1, 0.08])


def test_a_beard_goes_on_and_a_bare_cheek_stays_bare(average: Body) -> None:
    """The photo shows a face from the front as far as its sides, in half the light behind."""
    body = average
    face = np.nonzero(body.face_part == body.part_names.index("face"))[0]
    corner = np.repeat(body.f[face], 8, axis=0)  # as dense as texels are
    bary = np.random.default_rng(0).dirichlet(np.ones(3), len(corner))
    rest = np.einsum("nk,nkd->nd", bary, np.asarray(body.v_template, np.float64)[corner])
    n = len(rest)
    area = np.einsum("nk,nk->n", bary, beard_area(body)[corner])
    known = rest[:, 2] > np.percentile(rest[:, 2], 40)
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
            bary=bary,
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
    ears = body.v_template[body.f[body.face_part == body.part_names.index("ear")]].mean(1)
    before = rest[:, 2] - ears[:, 2].max()
    high = (rest[:, 1] > ears[:, 1].min()) & (rest[:, 1] < ears[:, 1].max())
    aside = np.abs(rest[:, 0]) > np.abs(ears[:, 0]).min()
    sideburn = ~known & high & aside & (before > 0.002) & (before < 0.015)
    assert sideburn.sum() > 10
    assert np.median(share[sideburn]) == 1.0
    assert share[known | ((area == 0.0) & (before > 0.045))].max() == 0.0
    assert share[(area == 0.0) & (rest[:, 1] > ears[:, 1].max() + 0.045)].max() == 0.0
    assert grown(np.tile(BARE, (n, 1)))[1].max() == 0.0
    # Its edges are of hairs, not a blend: there is little between all and nothing.
    dark = BEARD * np.random.default_rng(1).uniform(0.5, 1.5, (n, 1))
    _, share = grown(np.where((area > 0.5)[:, None], dark, BARE))
    part = share[(share > 0.0) | (~known & (area > 0.0))]
    assert ((part == 0.0) | (part == 1.0)).mean() > 0.6
    # A light beard goes on as well.
    assert np.median(grown(np.where((area > 0.5)[:, None], 0.62 * BARE, BARE))[1][jaw]) > 0.9
    # A goatee has no sideburns.
    goatee = (area > 0.5) & (np.abs(rest[:, 0]) < 0.02)
    _, share = grown(np.where(goatee[:, None], BEARD, BARE))
    assert share.max() > 0.0
    assert share[sideburn].max() == 0.0
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
