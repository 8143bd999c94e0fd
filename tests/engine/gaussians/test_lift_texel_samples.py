"""Where the budget of texels goes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera, project
from likeness.engine.gaussians.lift.regions import HEAD, vertex_groups
from likeness.engine.gaussians.lift.texel_samples import S, sample_texels, texel_fineness


@pytest.mark.parametrize("budget", [2_000, 20_000])
def test_the_budget_is_kept_and_used(budget: int) -> None:
    body = make_synthetic_body().personalised(np.zeros(4))
    fineness = np.where(np.arange(len(body.f)) % 2, 1.0, 2.0)
    samples, side = sample_texels(body, budget, fineness)
    assert 0.7 * budget < len(samples.triangle) <= budget
    assert len(side) == len(samples.triangle)
    # Twice as fine along a side is four times as many of the same surface.
    fine = fineness[samples.triangle] == 2.0
    np.testing.assert_allclose(side[fine].max(), 2 * side[~fine].max(), rtol=0.05)
    coarse, _ = sample_texels(body, budget, np.ones(len(body.f)))
    share = (fineness[coarse.triangle] == 2.0).mean()
    assert fine.sum() / (~fine).sum() == pytest.approx(4 * share / (1 - share), rel=0.25)


def test_heads_are_finer_and_what_the_frame_cuts_off_coarser() -> None:
    body = make_synthetic_body().personalised(np.zeros(4))
    vertices = body.v_template + np.array([0.0, -0.4, -2.0])
    camera = photo_camera(400.0, 300, 300)
    groups = vertex_groups(body)
    nothing = SimpleNamespace(mask=np.zeros((300, 300), bool))
    fineness = texel_fineness(body, vertices, groups, nothing, camera)  # type: ignore[arg-type]
    _, row = project(vertices, camera)[0].T
    below = (row[body.f] > 300 * (1 + S.beyond) + 1).all(1)
    head = (groups[body.f] == HEAD).all(1) & (row[body.f] > 0).all(1)
    assert below.any()
    assert head.any()
    assert (fineness[below] == S.coarser_outside).all()
    assert (fineness[head] == S.finer_head).all()
