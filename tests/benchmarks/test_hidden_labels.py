"""Hidden labels and colours of lifts that are wrong where, and by as much as, it is known."""

from __future__ import annotations

import numpy as np
import pytest
from likeness.benchmarks.figures.hidden_labels import (
    REGIONS,
    HiddenScore,
    find_regions,
    fit_light,
    format_labels,
    format_labels_header,
    score_lift,
    summarize_people,
    texel_areas,
    texel_colors,
)
from likeness.engine.body import Body
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.color import rgb_to_lab
from likeness.engine.core.types import LAYERS, BoundGaussians, FloatArray
from likeness.engine.dataset.atlas_people import ATLAS_LABELS, ATLAS_SIZE, AtlasPerson
from likeness.engine.dual_uv.sampling import SurfaceSamples, sample_surface
from likeness.engine.gaussians.lift.lift_photo import LiftResult
from likeness.engine.gaussians.lift.surface.labels import LABELS

SKIN, HAIR, UPPER, OUTER = (ATLAS_LABELS.index(name) for name in ("skin", "hair", "upper", "outer"))


@pytest.fixture(scope="module")
def body() -> Body:
    body = make_synthetic_body()
    return body.personalised(np.zeros(body.num_betas))


@pytest.fixture(scope="module")
def samples(body: Body) -> SurfaceSamples:
    return sample_surface(body, ATLAS_SIZE)


def grid(samples: SurfaceSamples, values: FloatArray, kind: type) -> np.ndarray:
    out = np.zeros((ATLAS_SIZE, ATLAS_SIZE, *np.shape(values)[1:]), kind)
    out[samples.row, samples.col] = values
    return out


def person_of(samples: SurfaceSamples, label, albedo, seen) -> AtlasPerson:
    """The truth of texels [N]; no view has a pose or camera, as none is drawn."""
    nothing = np.zeros((1, 55, 3), np.float32)
    return AtlasPerson(
        grid(samples, label, np.uint8),
        grid(samples, label, np.uint8),
        grid(samples, albedo, np.uint8),
        grid(samples, 0 * np.asarray(label), np.float16),
        grid(samples, 255 * seen, np.uint8)[None],
        *(np.zeros(1, np.float32), nothing, np.zeros((1, 1)), np.eye(4)[None], np.eye(3)[None]),
        {},
    )


def splats(samples: SurfaceSamples, colors: FloatArray, layer: str = "shell") -> BoundGaussians:
    """A splat in the middle of each texel."""
    n = len(samples.triangle)
    return BoundGaussians(
        samples.triangle,
        samples.bary,
        np.zeros((n, 3), np.float32),
        np.tile([1.0, 0, 0, 0], (n, 1)),
        np.full((n, 3), 0.01),
        np.full(n, 0.95),
        np.asarray(colors, np.float32),
        np.full(n, LAYERS.index(layer), np.uint8),
    )


def shares_of(body: Body, name: str) -> FloatArray:
    """[V, L] one label everywhere."""
    return np.tile(np.eye(len(LABELS))[LABELS.index(name)], (len(body.v_template), 1))


def test_labels_count_by_area_where_the_photo_shows_nothing(
    body: Body, samples: SurfaceSamples
) -> None:
    """All cloth is said, skin is the truth below 10 cm under the pelvis; the front is seen."""
    rest = samples.points(body.v_template, body.f)
    low = rest[:, 1] < body.J_template[0, 1] - 0.1
    seen = rest[:, 2] > np.median(rest[:, 2])
    truth = person_of(
        samples,
        np.where(low, SKIN, np.where(rest[:, 0] > 0, UPPER, OUTER)),
        np.full((len(low), 3), 128),
        seen,
    )
    lifted = LiftResult(
        splats(samples, np.full((len(low), 3), 0.5)), body, None, shares_of(body, "upper")
    )
    weight = texel_areas(samples, body)
    for framing in ("full", "half"):
        figures = summarize_people([score_lift(truth, lifted, body, body, framing)])
        part = np.array(body.part_names)[body.face_part[samples.triangle]]
        framed = ~seen & ((framing == "full") | ~np.isin(part, ("leg", "foot")))
        assert figures["label_pct"] == pytest.approx(
            100 * weight[framed & ~low].sum() / weight[framed].sum()
        )
        assert figures["labels_pct"]["seen"] == pytest.approx(
            100 * weight[seen & ~low].sum() / weight[seen].sum()
        )
    both = score_lift(truth, lifted, body, body, "full")
    assert both.right["skin"] == 0.0
    assert both.area["skin"] == pytest.approx(weight[low & ~seen].sum())


def test_colours_are_compared_in_the_photos_light(body: Body, samples: SurfaceSamples) -> None:
    """The lift's colours are the truth's in warm light, but 12 off behind."""
    n = len(samples.triangle)
    seen = samples.points(body.v_template, body.f)[:, 2] > 0
    albedo = np.random.default_rng(0).integers(60, 200, (n, 3))
    truth = person_of(samples, np.full(n, UPPER), albedo, seen)
    light = np.array([1.0, 0.9, 0.7])
    exact = (albedo / 255 + 0.02) * light - 0.02
    off = np.clip(exact + 0.1 * ~seen[:, None], 0, 1)
    shares = shares_of(body, "upper")
    for colors in (exact, off):
        score = score_lift(
            truth, LiftResult(splats(samples, colors), body, None, shares), body, body, "full"
        )
        wanted = np.clip(albedo / 255 * light, 0, 1)
        distance = np.linalg.norm(rgb_to_lab(colors) - rgb_to_lab(wanted), axis=1)
        weight = texel_areas(samples, body) * ~seen
        expected = float(distance @ weight / weight.sum())
        assert summarize_people([score])["color_de"] == pytest.approx(expected, abs=0.05)
    assert expected > 5.0


def test_texels_take_the_mean_of_their_own_splats(body: Body, samples: SurfaceSamples) -> None:
    n = len(samples.triangle)
    red, blue = (splats(samples, np.tile(c, (n, 1))) for c in ([1.0, 0, 0], [0, 0, 1.0]))
    photo = splats(samples, np.ones((n, 3)), "photo")
    colors, has = texel_colors(BoundGaussians.concatenate([red, blue, photo]), body)
    assert has[samples.row, samples.col].mean() > 0.999  # one on an edge may fall beside it
    assert colors[has] == pytest.approx(np.tile([0.5, 0.0, 0.5], (has.sum(), 1)), abs=1e-6)


def test_texels_cover_the_surface(body: Body, samples: SurfaceSamples) -> None:
    corners = np.asarray(body.v_template, np.float64)[body.f]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    whole = 0.5 * np.linalg.norm(cross, axis=1).sum()
    assert texel_areas(samples, body).sum() == pytest.approx(whole, rel=0.05)


def test_regions_lie_where_they_are_called(body: Body, samples: SurfaceSamples) -> None:
    rest = samples.points(body.v_template, body.f)
    full, half, head = (find_regions(samples, body, k) for k in ("full", "half", "head"))
    assert full["in frame"].all()
    assert rest[half["in frame"], 1].min() > rest[:, 1].min() + 0.3
    assert rest[head["in frame"], 1].min() > body.J_template[0, 1] + 0.19
    assert rest[full["trunk back"], 2].mean() < rest[full["sides"], 2].mean()
    assert rest[full["sides"], 2].mean() < rest[full["occluded front"], 2].mean()
    assert np.abs(rest[full["arms"], 0]).min() > np.abs(rest[full["trunk back"], 0]).mean()


def test_each_label_has_its_own_light() -> None:
    """A lamp from above: the shirt is twice as bright beside its truth as the face."""
    generator = np.random.default_rng(1)
    albedo = generator.uniform(0.1, 0.4, (300, 3))
    label = np.repeat([SKIN, UPPER, HAIR], [140, 140, 20])
    light = np.select([(label == SKIN)[:, None], (label == UPPER)[:, None]], [1.0, 2.0], 7.0)
    color = (albedo + 0.02) * light - 0.02
    shown = generator.random(300) < 0.5  # of the hair too little
    found = fit_light(color, albedo, label, shown)
    np.testing.assert_allclose(found[label != HAIR], np.broadcast_to(light, (300, 3))[:280])
    np.testing.assert_allclose(found[label == HAIR], np.median(light[shown]))
    np.testing.assert_array_equal(fit_light(color, albedo, label, ~shown & shown), 1.0)


def test_people_are_added_by_area() -> None:
    def colors(off: float, area: float) -> tuple[dict[str, float], dict[str, float]]:
        return {"in frame": off, "seen": 0.0}, {"in frame": area, "seen": 0.0}

    none = dict.fromkeys(REGIONS, 0.0)
    scores = [
        HiddenScore({**none, "in frame": 0.5}, {**none, "in frame": 1.0}, *colors(10.0, 1.0)),
        HiddenScore({**none, "in frame": 3.0}, {**none, "in frame": 3.0}, *colors(6.0, 3.0)),
    ]
    figures = summarize_people(scores)
    assert figures["label_pct"] == pytest.approx(87.5)
    assert figures["color_de"] == pytest.approx(4.0)
    assert figures["labels_pct"]["arms"] is None
    line = format_labels("all", figures).split()
    assert line == ["all", "87.5", *["-"] * (len(REGIONS) - 1), "4.0"]
    assert len(format_labels_header()) == len(format_labels("all", figures))
