"""Bad input of the rasterisers: an error that names the field, and nothing that should draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.cameras import look_at, photo_camera
from likeness.engine.core.types import Gaussians, LikenessError
from likeness.engine.render import rasterize, rasterize_vjp
from likeness.engine.render.checks import check_inputs, check_upstream

FIELDS = ("means", "quats", "scales", "opacities", "colors")


def cloud(count: int = 40, dtype: type = np.float32) -> Gaussians:
    rng = np.random.default_rng(3)
    return Gaussians(
        rng.normal(size=(count, 3)).astype(dtype),
        rng.normal(size=(count, 4)).astype(dtype),
        rng.uniform(0.01, 0.1, (count, 3)).astype(dtype),
        rng.uniform(0, 1, count).astype(dtype),
        rng.uniform(0, 1, (count, 3)).astype(dtype),
    )


def arguments() -> dict:
    return {
        "viewmats": np.stack([look_at(np.zeros(3), 3.0, yaw, 0.0) for yaw in (0, 90)]),
        "Ks": np.stack([photo_camera(30.0, 16, 12).K] * 2),
        "width": 16,
        "height": 12,
    }


def assert_refused(gaussians: Gaussians, words: str, **changes) -> None:
    """The message, and the field that it begins with."""
    with pytest.raises(LikenessError, match=words) as caught:
        rasterize(gaussians, **{**arguments(), **changes})
    assert caught.value.remedy


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", FIELDS)
def test_numbers_that_are_none_are_counted_and_found(name, value):
    gaussians = cloud()
    getattr(gaussians, name).reshape(40, -1)[[17, 20, 31], -1] = value
    assert_refused(gaussians, rf"^{name}: 3 of 40 are NaN or infinite \(first: row 17\)")


def test_what_a_float32_cannot_hold_is_infinite():
    gaussians = cloud(dtype=np.float64)
    gaussians.means[5, 1] = 1e39
    assert_refused(gaussians, "^means: 1 of 40 are NaN or infinite .first: row 5")


def test_zero_quaternions_negative_scales_and_opacities_that_are_logits():
    gaussians = cloud()
    gaussians.quats[[2, 3]] = 0
    assert_refused(gaussians, r"^quats: 2 of 40 are zero \(first: row 2\)")
    gaussians = cloud()
    gaussians.scales[39, 1] = -0.01
    assert_refused(gaussians, r"^scales: 1 of 40 are negative \(first: row 39\).*exp")
    for wrong in (-0.1, 1.1):
        gaussians = cloud()
        gaussians.opacities[7] = wrong
        assert_refused(gaussians, r"^opacities: 1 of 40 are outside 0..1 \(first: row 7\).*sigmoid")


@pytest.mark.parametrize("name", FIELDS)
def test_lengths_that_differ_and_shapes_that_are_wrong(name):
    good = cloud()
    longer = {name: np.concatenate([getattr(good, name)] * 2)}
    assert_refused(replace(good, **longer), rf"^{'quats' if name == 'means' else name}: the shape")
    assert_refused(replace(good, **{name: np.float32(1.0)}), "the shape is")
    words = np.array(["x"] * 40)
    assert_refused(replace(good, **{name: words}), f"^{name}: .* not numeric")


def test_colours_without_a_channel():
    assert_refused(replace(cloud(), colors=np.zeros((40, 0))), r"^colors: the shape is \[40, 0\]")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v[:0], r"^viewmats: "),
        (lambda v: v[0], r"^viewmats: the shape"),
        (lambda v: v * np.nan, r"^viewmats: 2 of 2 are NaN"),
        (lambda v: v * [[[1], [1], [0], [1]]], r"^viewmats: 2 of 2 "),
        (lambda v: v * [[[1.1], [1.1], [1.1], [1]]], r"^viewmats: 2 of 2 "),
        (lambda v: v * [[[-1], [1], [1], [1]]], r"^viewmats: 2 of 2 "),
        (lambda v: v.transpose(0, 2, 1), r"^viewmats: 2 of 2 "),
    ],
    ids=["none", "one without C", "NaN", "flat", "scaled", "mirrored", "transposed"],
)
def test_cameras_that_stand_nowhere(change, words):
    assert_refused(cloud(), words, viewmats=change(arguments()["viewmats"]))


@pytest.mark.parametrize(
    ("row", "column", "value", "words"),
    [
        (0, 0, 0.0, r"^Ks: 1 of 2 have a focal length that is not positive \(first: row 1\)"),
        (1, 1, -30.0, "^Ks: 1 of 2 have a focal length"),
        (0, 1, 0.5, "^Ks: 1 of 2 are not of the form .*[Ss]kew"),
        (2, 2, 2.0, "^Ks: 1 of 2 are not of the form"),
        (0, 2, np.inf, "^Ks: 1 of 2 are NaN or infinite"),
    ],
)
def test_lenses_that_show_nothing(row, column, value, words):
    Ks = arguments()["Ks"]
    Ks[1, row, column] = value
    assert_refused(cloud(), words, Ks=Ks)


def test_as_many_lenses_as_cameras():
    assert_refused(cloud(), r"^Ks: the shape is \[1, 3, 3\]", Ks=arguments()["Ks"][:1])


@pytest.mark.parametrize("name", ["width", "height"])
def test_sizes_that_are_no_picture(name):
    for wrong in (0, -3, 100_000):
        assert_refused(cloud(), f"^{name}: {wrong} pixels", **{name: wrong})
    assert_refused(cloud(), f"^{name}: 7.5 is not a whole number", **{name: 7.5})
    rasterize(cloud(), **{**arguments(), name: np.int64(5)})


def test_backgrounds():
    assert_refused(cloud(), "^background: 1 of 2 are NaN", background=[[0, 0, 0], [0, np.nan, 0]])
    assert_refused(cloud(), r"^background: \[4\] does not fit 2 cameras and 3", background=[0] * 4)
    assert_refused(cloud(), "^background: 2 of 2 are beyond", background=[0, 1e13, 0])


def test_derivatives_handed_in():
    check_upstream("alpha", None, (2, 3))
    check_upstream("alpha", np.ones((2, 3)), (2, 3))
    with pytest.raises(LikenessError, match=r"^alpha: the shape is \[3, 2\], not \[2, 3\]"):
        check_upstream("alpha", np.ones((3, 2)), (2, 3))
    with pytest.raises(LikenessError, match=r"^depth: 1 of 2 are NaN or infinite"):
        check_upstream("depth", np.array([[1, 2], [np.nan, 3]]), (2, 2))


def test_no_gaussians_draw_the_background():
    out = rasterize(cloud(0), **arguments(), background=[0.1, 0.2, 0.3])
    np.testing.assert_allclose(out.rgb, np.broadcast_to([0.1, 0.2, 0.3], (2, 12, 16, 3)))


def test_what_rounding_does_is_drawn():
    gaussians = cloud()
    gaussians.opacities[0] = 1 + 1e-6
    gaussians.scales[0] = 0.0
    gaussians.quats[0] *= 1e-6
    job = check_inputs(gaussians, **arguments(), background=None)
    assert job.background.shape == (2, 3)
    rasterize(gaussians, **arguments())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("means", -2e6, "1 of 40 are beyond 1,000,000 m"),
        ("scales", 2e6, "1,000,000 m"),
        ("colors", 1e13, "are beyond 1,000,000,000,000"),
    ],
)
def test_sizes_that_single_precision_loses(name, value, words):
    gaussians = cloud()
    getattr(gaussians, name)[3, 1] = value
    assert_refused(gaussians, rf"^{name}: .*{words}.*first: row 3")


def test_cameras_too_far_and_lenses_too_long():
    viewmats, Ks = arguments()["viewmats"], arguments()["Ks"]
    viewmats[1, 2, 3] = 1e8
    assert_refused(cloud(), "^viewmats: 1 of 2 are beyond .* m ", viewmats=viewmats)
    Ks[0, 0, 0] = 1e9
    assert_refused(cloud(), "^Ks: 1 of 2 are beyond .* pixels", Ks=Ks)


def test_whatever_is_let_through_is_drawn_with_numbers():
    """Extremes of all sorts together: finite pictures and derivatives, and no crash."""
    rng = np.random.default_rng(0)

    def any_size(shape, low, high) -> np.ndarray:
        signs = rng.choice([-1.0, 1.0], shape)
        return (signs * 10 ** rng.uniform(low, high, shape)).astype(np.float32)

    for _ in range(200):
        n, largest = int(rng.integers(1, 30)), float(rng.choice([0, 3, 5.9]))
        gaussians = Gaussians(
            any_size((n, 3), -3, largest),
            any_size((n, 4), -9, rng.choice([1, 18, 38])),
            np.abs(any_size((n, 3), -38, largest)),
            rng.uniform(0, 1, n).astype(np.float32),
            any_size((n, 3), -3, rng.choice([0, 5])),
        )
        if rng.uniform() < 0.5:
            gaussians.means[:, 2] = rng.uniform(-0.02, -0.005, n)
        camera = photo_camera(10 ** rng.uniform(-2.9, 5), 20, 15)
        views = camera.viewmat[None], camera.K[None], 20, 15
        render, vjp = rasterize_vjp(gaussians, *views)
        gradients = vjp(*(np.ones_like(part) for part in render))
        assert all(np.isfinite(part).all() for part in (*render, *gradients))
