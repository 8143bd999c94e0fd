"""The cpu rasteriser's derivatives: against the reference, finite differences, and themselves."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
from likeness.benchmarks.figures.parity import measure_gap, relative_error
from likeness.benchmarks.figures.random_scenes import SplatScene, make_scenes, random_cloud
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import LikenessError
from likeness.engine.render import Gradients, rasterize, rasterize_vjp

ALL = {scene.name: scene for scene in make_scenes()}
FIELDS = ("means", "quats", "scales", "opacities", "colors")


def small(scene: SplatScene) -> SplatScene:
    """With fewer Gaussians, so that brute force is quick; the camera and the kind stay."""
    keep = 60
    g = scene.gaussians
    few = replace(g, **{name: getattr(g, name)[:keep] for name in FIELDS})
    return scene._replace(gaussians=few)


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("name", ALL)
def test_pictures_and_gradients_are_the_references(name, samples):
    pytest.importorskip("torch")
    scene = small(ALL[name])
    truth, true_vjp = rasterize_vjp(*scene.arguments, backend="reference", samples=samples)
    drawn, vjp = rasterize_vjp(*scene.arguments, backend="cpu", samples=samples)
    assert measure_gap(drawn, truth).worst < 1e-4
    given = scene.upstream()
    whole = true_vjp(**given)
    assert measure_gap(vjp(**given), whole).worst < 1e-3
    # Each output by itself, beside the size of all: the depth of a lone Gaussian, say, does not
    # depend on its shape, and what is zero but for rounding has no relative error.
    for one in given:
        ours, truth = vjp(**{one: given[one]}), true_vjp(**{one: given[one]})
        for field, a, b, size in zip(Gradients._fields, ours, truth, whole, strict=True):
            assert np.linalg.norm(a - b) <= 1e-3 * np.linalg.norm(size), (one, field)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_pictures_and_gradients_of_whole_scenes(name):
    pytest.importorskip("torch")
    scene = ALL[name]
    truth, true_vjp = rasterize_vjp(*scene.arguments, backend="reference")
    drawn, vjp = rasterize_vjp(*scene.arguments, backend="cpu")
    assert measure_gap(drawn, truth).worst < 1e-4
    assert measure_gap(vjp(**scene.upstream()), true_vjp(**scene.upstream())).worst < 1e-3


def soft_scene() -> SplatScene:
    """Three Gaussians so wide that no contribution comes near the cut at 1/255."""
    rng = np.random.default_rng(4)
    gaussians = random_cloud(rng, 3, (0.6, 2.0), 0.15, channels=4, opacities=(0.3, 0.6))
    gaussians.means[:, 2] -= 3.0
    camera = photo_camera(14.0, 9, 7)
    views = camera.viewmat[None], camera.K[None]
    return SplatScene("soft", gaussians, *views, 9, 7, rng.uniform(0, 1, (1, 4)).astype(np.float32))


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("field", [*FIELDS, "background"])
def test_finite_differences(field, samples):
    """Of the cpu's own float32 pictures, summed in float64: one number at a time."""
    scene = soft_scene()
    given = scene.upstream()
    assert rasterize(*scene.arguments).alpha.min() > 0.05

    def loss(values) -> float:
        if field == "background":
            changed = scene._replace(background=values)
        else:
            changed = scene._replace(gaussians=replace(scene.gaussians, **{field: values}))
        out = rasterize(*changed.arguments, samples=samples)
        return sum(float(np.vdot(np.float64(getattr(out, n)), given[n])) for n in given)

    start = scene.background if field == "background" else getattr(scene.gaussians, field)
    step = 8e-3
    expected = np.empty(start.shape)
    for index in np.ndindex(start.shape):
        ends = []
        for sign in (1, -1):
            moved = start.astype(np.float64)
            moved[index] += sign * step
            ends.append(loss(moved))
        expected[index] = (ends[0] - ends[1]) / (2 * step)
    _, vjp = rasterize_vjp(*scene.arguments, samples=samples)
    ours = getattr(vjp(**given), field)
    assert ours.shape == start.shape
    assert relative_error(ours, expected) < 2e-3


def test_longer_quaternions_have_smaller_derivatives_across_themselves():
    """They are made units within: along itself a quaternion changes nothing."""
    scene = small(ALL["one camera"])
    _, vjp = rasterize_vjp(*scene.arguments)
    g = scene.gaussians
    _, longer_vjp = rasterize_vjp(
        *scene._replace(gaussians=replace(g, quats=3 * g.quats)).arguments
    )
    ours, longer = vjp(**scene.upstream()).quats, longer_vjp(**scene.upstream()).quats
    np.testing.assert_allclose(3 * longer, ours, rtol=1e-3, atol=1e-4 * np.abs(ours).max())
    along = np.einsum("ij,ij->i", ours, g.quats)
    size = np.linalg.norm(ours, axis=1) * np.linalg.norm(g.quats, axis=1)
    assert np.abs(along).max() < 1e-4 * size.max()


def test_linear_in_what_is_handed_in():
    scene = ALL["5 channels, odd size"]
    _, vjp = rasterize_vjp(*scene.arguments)
    a = scene.upstream()
    rng = np.random.default_rng(8)
    b = {name: rng.normal(size=v.shape).astype(np.float32) for name, v in a.items()}
    mixed = vjp(**{name: 2 * a[name] - 3 * b[name] for name in a})
    of_a, of_b = vjp(**a), vjp(**b)
    expected = Gradients(*(2 * x - 3 * y for x, y in zip(of_a, of_b, strict=True)))
    assert measure_gap(mixed, expected).worst < 1e-4
    parts = [vjp(**{name: a[name]}) for name in a]
    assert measure_gap(Gradients(*(sum(x) for x in zip(*parts, strict=True))), of_a).worst < 1e-4


def test_nothing_handed_in_and_nothing_drawn_give_zeros():
    scene = ALL["three cameras"]
    _, vjp = rasterize_vjp(*scene.arguments)
    assert all(not part.any() for part in vjp())
    empty = ALL["empty"]
    render, vjp = rasterize_vjp(*empty.arguments)
    gradients = vjp(**empty.upstream())
    for name in FIELDS:
        assert getattr(gradients, name).shape == getattr(empty.gaussians, name).shape
    # All of the picture is the background: its derivative is the sum over the pixels.
    expected = empty.upstream()["rgb"].sum((1, 2), dtype=np.float64)
    np.testing.assert_allclose(gradients.background, expected, rtol=1e-5)
    assert not render.alpha.any()


def test_derivatives_by_the_depth_of_nothing_are_zero():
    """However large: a pixel without a Gaussian has the depth 0. Lists are arrays, too."""
    scene = small(ALL["one camera"])
    render, vjp = rasterize_vjp(*scene.arguments)
    given = np.where(render.alpha > 0, 0.0, 1e37)
    assert given.any()
    for gradients in (vjp(depth=given), vjp(depth=given.tolist())):
        assert all(not part.any() for part in gradients)


def test_types_and_shapes_are_the_gaussians():
    scene = ALL["64 channels"]
    _, vjp = rasterize_vjp(*scene.arguments)
    gradients = vjp(**scene.upstream())
    for name in FIELDS:
        assert getattr(gradients, name).shape == getattr(scene.gaussians, name).shape
    assert gradients.background.shape == scene.background.shape
    assert all(part.dtype == np.float32 for part in gradients)


def test_cameras_add_up():
    scene = ALL["three cameras"]
    given = scene.upstream()
    _, vjp = rasterize_vjp(*scene.arguments)
    together = vjp(**given)
    singles = []
    for c in range(3):
        one = scene._replace(
            viewmats=scene.viewmats[c : c + 1],
            Ks=scene.Ks[c : c + 1],
            background=scene.background[c : c + 1],
        )
        _, one_vjp = rasterize_vjp(*one.arguments)
        singles.append(one_vjp(**{n: v[c : c + 1] for n, v in given.items()}))
    for name in FIELDS:
        total = sum(getattr(s, name) for s in singles)
        np.testing.assert_allclose(
            getattr(together, name), total, rtol=1e-4, atol=1e-5 * np.abs(total).max()
        )


@pytest.mark.threads
def test_the_same_on_any_count_of_threads_and_every_time():
    scene = ALL["person, lens off centre"]
    seen = []
    before = numba.get_num_threads()
    try:
        for threads in {1, before, numba.config.NUMBA_NUM_THREADS}:
            for _ in range(2):
                numba.set_num_threads(threads)
                render, vjp = rasterize_vjp(*scene.arguments)
                seen.append((*render, *vjp(**scene.upstream())))
    finally:
        numba.set_num_threads(before)
    for other in seen[1:]:
        for a, b in zip(seen[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_derivatives_of_another_shape_or_no_numbers_are_refused():
    scene = ALL["one camera"]
    _, vjp = rasterize_vjp(*scene.arguments)
    given = scene.upstream()
    with pytest.raises(LikenessError, match=r"^alpha: the shape"):
        vjp(alpha=given["alpha"][0])
    given["rgb"][0, 3, 4, 1] = np.nan
    with pytest.raises(LikenessError, match=r"^rgb: 1 of 1 are NaN"):
        vjp(rgb=given["rgb"])
