"""Rasterisers in torch: derivatives in numpy, tensors over every back end, and gsplat.

Few computers have a GPU, so the way to gsplat is also walked with a stand-in that takes what
gsplat 1.5.3 takes, looks at it closely, and draws by brute force.
"""

from __future__ import annotations

import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
from likeness.benchmarks.figures.parity import measure_gap
from likeness.benchmarks.figures.random_scenes import make_scenes, random_cloud
from likeness.engine.core.cameras import look_at, photo_camera
from likeness.engine.core.types import Gaussians, LikenessError
from likeness.engine.render import best_backend, rasterize, rasterize_vjp

torch = pytest.importorskip("torch")

from likeness.engine.render import cuda, reference  # noqa: E402
from likeness.engine.render.reference import rasterize_torch  # noqa: E402
from likeness.engine.render.tensors import rasterize_tensors  # noqa: E402

NAMES = ("means", "quats", "scales", "opacities", "colors", "background")
SCENES = {scene.name: scene for scene in make_scenes()}
needs_gpu = pytest.mark.skipif(
    cuda.why_unavailable() is not None, reason=cuda.why_unavailable() or ""
)


def job(count: int = 40, channels: int = 3, cameras: int = 2, size=(20, 15)):
    """The arguments of ``rasterize``."""
    gaussians = random_cloud(np.random.default_rng(3), count, (0.05, 0.3), 0.5, channels)
    viewmats = np.stack([look_at(np.zeros(3), 3.0, 70.0 * c, 10.0) for c in range(cameras)])
    Ks = np.stack([photo_camera(25.0, *size).K] * cameras)
    background = np.random.default_rng(4).uniform(size=(cameras, channels))
    return gaussians, viewmats, Ks, *size, background


def tensors(arguments, dtype):
    """The same for ``rasterize_tensors``: five leaves, cameras, size, and one more leaf."""
    gaussians, viewmats, Ks, width, height, background = arguments
    leaves = [
        torch.tensor(getattr(gaussians, name), dtype=dtype, requires_grad=True)
        for name in NAMES[:-1]
    ]
    fixed = [torch.tensor(array, dtype=dtype) for array in (viewmats, Ks)]
    backdrop = torch.tensor(background, dtype=dtype, requires_grad=True)
    return leaves, [*fixed, width, height], backdrop


def upstream(render, seed: int = 5):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=getattr(render, name).shape) for name in render._fields}


def assert_close(ours, truth, tolerance: float, what: str = "") -> None:
    """Relative to the largest of the array."""
    size = np.abs(truth).max(initial=0.0)
    np.testing.assert_allclose(ours, truth, atol=tolerance * max(size, 1e-8), rtol=0, err_msg=what)


def test_reference_derivatives_agree_with_differences():
    arguments = job(count=12, cameras=1, size=(9, 7))
    gaussians, *rest = arguments
    # In the middle of the range, no contribution crosses a threshold within the step.
    gaussians = Gaussians(
        gaussians.means,
        gaussians.quats,
        gaussians.scales + 0.2,
        0.3 + 0.3 * gaussians.opacities,
        gaussians.colors,
    )
    render, vjp = rasterize_vjp(gaussians, *rest, backend="reference")
    given = upstream(render)
    gradients = vjp(**given)
    rng = np.random.default_rng(8)
    arrays = [np.float64(getattr(gaussians, name)) for name in NAMES[:-1]]
    for k, name in enumerate(NAMES):
        values = np.float64(rest[-1]) if name == "background" else arrays[k]
        direction = rng.normal(size=values.shape)
        losses = []
        for step in (1e-5, -1e-5):
            moved = list(arrays)
            background = rest[-1]
            if name == "background":
                background = values + step * direction
            else:
                moved[k] = values + step * direction
            out = rasterize(Gaussians(*moved), *rest[:-1], background, "reference")
            losses.append(sum((getattr(out, n) * given[n]).sum() for n in out._fields))
        slope = (losses[0] - losses[1]) / 2e-5
        assert slope == pytest.approx((getattr(gradients, name) * direction).sum(), rel=2e-4), name


def test_the_way_back_keeps_little_and_does_not_depend_on_the_parts(monkeypatch):
    """All pairs of 150 Gaussians and 400 x 2 pixels would be a megabyte for each step."""
    leaves, middle, backdrop = tensors(job(count=150, size=(20, 20)), torch.float64)
    kept = []

    def keep(tensor):
        kept.append(tensor.numel() * tensor.element_size())
        return tensor

    def grown(pairs):
        monkeypatch.setattr(reference, "_PAIRS_AT_ONCE", pairs)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            outputs = rasterize_torch(*leaves, *middle, backdrop)
        return torch.autograd.grad(sum(o.square().sum() for o in outputs), leaves)

    whole = grown(1 << 30)
    assert sum(kept) < 1e6
    for a, b in zip(grown(1000), whole, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_nothing_given_is_zero_and_the_way_back_can_be_walked_again():
    render, vjp = rasterize_vjp(*job(), backend="reference")
    given = upstream(render)
    apart = [vjp(**{name: given[name]}) for name in given]
    for name, whole, parts in zip(NAMES, vjp(**given), zip(*apart, strict=True), strict=True):
        assert_close(sum(parts), whole, 1e-5, name)
    assert not any(array.any() for array in vjp())
    for array in given.values():
        array.setflags(write=False)  # as those of np.broadcast_to; torch would warn of sharing
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vjp(**given)


def test_derivatives_of_a_wrong_shape_are_refused():
    _, vjp = rasterize_vjp(*job(), backend="reference")
    with pytest.raises(LikenessError, match="alpha"):
        vjp(alpha=np.ones((3, 3)))


def test_no_gaussians_have_gradients_of_no_rows():
    arguments = job(count=0)
    render, vjp = rasterize_vjp(*arguments, backend="reference")
    gradients = vjp(rgb=np.ones_like(render.rgb), depth=np.ones_like(render.depth))
    assert gradients.means.shape == (0, 3)
    np.testing.assert_allclose(gradients.background, 20 * 15, rtol=1e-6)


@pytest.mark.parametrize(("channels", "samples"), [(3, 1), (7, 1), (3, 2)])
def test_tensors_on_cpu_are_the_reference(channels, samples):
    arguments = job(channels=channels)
    found = []
    for backend, dtype in (("cpu", torch.float32), ("reference", torch.float64)):
        leaves, middle, backdrop = tensors(arguments, dtype)
        outputs = rasterize_tensors(*leaves, *middle, backdrop, backend=backend, samples=samples)
        assert all(output.dtype == dtype for output in outputs)
        rng = np.random.default_rng(6)
        weights = [torch.tensor(rng.normal(size=o.shape), dtype=dtype) for o in outputs]
        sum((w * o).sum() for w, o in zip(weights, outputs, strict=True)).backward()
        values = [output.detach().numpy() for output in outputs]
        found.append((values, [leaf.grad.numpy() for leaf in (*leaves, backdrop)]))
    for ours, truth in zip(found[0][0], found[1][0], strict=True):
        assert_close(ours, truth, 1e-4)
    for name, ours, truth in zip(NAMES, found[0][1], found[1][1], strict=True):
        assert_close(ours, truth, 1e-3, name)


def test_tensors_without_gradients_and_with_some():
    leaves, middle, backdrop = tensors(job(), torch.float32)
    with torch.no_grad():
        rgb, _, _ = rasterize_tensors(*leaves, *middle, backdrop)
    assert not rgb.requires_grad
    black, _, _ = rasterize_tensors(*(leaf.detach() for leaf in leaves), *middle)
    one_background = torch.zeros(3)
    also, _, _ = rasterize_tensors(*(leaf.detach() for leaf in leaves), *middle, one_background)
    torch.testing.assert_close(black, also)
    only = [leaf.detach() for leaf in leaves]
    only[4].requires_grad_()
    rgb, _, _ = rasterize_tensors(*only, *middle)
    rgb.sum().backward()
    assert only[4].grad.abs().sum() > 0
    assert only[0].grad is None


def test_what_has_no_derivative_hands_none_back():
    class Cut(torch.autograd.Function):
        @staticmethod
        def forward(ctx, values):
            return values.clone()

        @staticmethod
        def backward(ctx, upstream):
            return None

    leaves, middle, backdrop = tensors(job(), torch.float32)
    rgb, _, _ = rasterize_tensors(*leaves, *middle, backdrop)
    Cut.apply(rgb).sum().backward()
    assert all(leaf.grad is None for leaf in leaves)


def test_cameras_have_derivatives_only_in_torch():
    leaves, middle, backdrop = tensors(job(), torch.float64)
    middle[0].requires_grad_()
    with pytest.raises(LikenessError, match="camera"):
        rasterize_tensors(*leaves, *middle, backdrop)
    rgb, _, _ = rasterize_tensors(*leaves, *middle, backdrop, backend="reference")
    rgb.sum().backward()
    assert middle[0].grad.abs().sum() > 0


def test_unknown_backend_for_tensors():
    leaves, middle, backdrop = tensors(job(), torch.float32)
    with pytest.raises(LikenessError, match="magic"):
        rasterize_tensors(*leaves, *middle, backdrop, backend="magic")


# gsplat -------------------------------------------------------------------------------------


def stand_in(version: str = "1.5.3") -> ModuleType:
    """A module that takes what gsplat 1.5.3's ``rasterization`` takes, and draws by brute force."""
    module = ModuleType("gsplat")
    module.__spec__ = ModuleSpec("gsplat", None)
    module.__version__ = version
    module.calls = 0

    def rasterization(
        means,
        quats,
        scales,
        opacities,
        colors,
        viewmats,
        Ks,
        width,
        height,
        near_plane=0.01,
        far_plane=1e10,
        radius_clip=0.0,
        eps2d=0.3,
        sh_degree=None,
        packed=True,
        tile_size=16,
        backgrounds=None,
        render_mode="RGB",
        sparse_grad=False,
        absgrad=False,
        rasterize_mode="classic",
        channel_chunk=32,
        distributed=False,
        camera_model="pinhole",
        segmented=False,
        covars=None,
    ):
        module.calls += 1
        scenes = means.shape[:-2]  # several at once since 1.5.3
        N, D, C = means.shape[-2], colors.shape[-1], viewmats.shape[-3]
        assert N > 0, "gsplat 1.5.3 takes no empty arrays"
        shapes = {
            "means": (means, (N, 3)),
            "quats": (quats, (N, 4)),
            "scales": (scales, (N, 3)),
            "opacities": (opacities, (N,)),
            "colors": (colors, (N, D)),
            "viewmats": (viewmats, (C, 4, 4)),
            "Ks": (Ks, (C, 3, 3)),
            "backgrounds": (backgrounds, (C, D)),
        }
        shapes = {name: (tensor, scenes + shape) for name, (tensor, shape) in shapes.items()}
        for name, (tensor, shape) in shapes.items():
            assert tensor.shape == shape, name
            assert tensor.dtype == torch.float32, name
            assert tensor.is_contiguous(), name
            assert not tensor.isnan().any(), name
        assert isinstance(width, int)
        assert isinstance(height, int)
        assert (near_plane, far_plane, radius_clip, eps2d) == (0.01, 1e10, 0.0, 0.3)
        assert (sh_degree, covars, rasterize_mode, camera_model) == (
            None,
            None,
            "classic",
            "pinhole",
        )
        assert tile_size == 16  # what its kernels are compiled for
        assert render_mode == "RGB+ED"
        assert 1 <= channel_chunk <= 32
        assert not any((sparse_grad, absgrad, distributed, segmented))
        given = (means, quats, scales, opacities, colors, viewmats, Ks)
        if not scenes:
            rgb, alpha, depth = rasterize_torch(*given, width, height, backgrounds)
        else:
            drawn = [
                rasterize_torch(*scene, width, height, behind)
                for *scene, behind in zip(*given, backgrounds, strict=True)
            ]
            rgb, alpha, depth = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        return torch.cat([rgb, depth[..., None]], -1), alpha[..., None], {}

    module.rasterization = rasterization
    return module


@pytest.fixture
def gsplat(monkeypatch) -> ModuleType:
    """The stand-in, and a computer that claims to have a GPU."""
    module = stand_in()
    monkeypatch.setitem(sys.modules, "gsplat", module)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "_DEVICE", "cpu")
    return module


@pytest.mark.parametrize(("channels", "samples"), [(1, 1), (3, 1), (40, 1), (3, 2)])
def test_gsplat_is_given_what_it_takes(gsplat, channels, samples):
    arguments = job(channels=channels)
    truth, back = rasterize_vjp(*arguments, backend="reference", samples=samples)
    ours, vjp = rasterize_vjp(*arguments, backend="cuda", samples=samples)
    assert gsplat.calls == 1
    drawn = rasterize(*arguments, backend="cuda", samples=samples)
    given = upstream(truth)
    for name in truth._fields:
        assert getattr(ours, name).shape == getattr(truth, name).shape
        assert_close(getattr(ours, name), getattr(truth, name), 1e-4, name)
        np.testing.assert_array_equal(getattr(drawn, name), getattr(ours, name))
    for name, mine, theirs in zip(NAMES, vjp(**given), back(**given), strict=True):
        assert mine.dtype == np.float32
        assert_close(mine, theirs, 1e-3, name)


def test_tensors_through_gsplat(gsplat):
    leaves, middle, backdrop = tensors(job(), torch.float64)
    middle[0].requires_grad_()
    outputs = rasterize_tensors(*leaves, *middle, backdrop, backend="cuda")
    assert all(output.dtype == torch.float64 for output in outputs)
    outputs[0].sum().backward()
    assert all(leaf.grad.abs().sum() > 0 for leaf in (*leaves, backdrop, middle[0]))


def test_no_gaussians_do_not_reach_gsplat(gsplat):
    arguments = job(count=0)
    render, vjp = rasterize_vjp(*arguments, backend="cuda")
    assert gsplat.calls == 0
    expected = np.broadcast_to(arguments[-1][:, None, None], render.rgb.shape)
    np.testing.assert_allclose(render.rgb, expected, rtol=1e-6)
    assert not render.alpha.any()
    gradients = vjp(rgb=np.ones_like(render.rgb), alpha=np.ones_like(render.alpha))
    np.testing.assert_allclose(gradients.background, 20 * 15, rtol=1e-6)


def test_without_what_it_needs_the_reason_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "gsplat", None)
    assert "not installed" in cuda.why_unavailable()
    assert best_backend() == "cpu"
    with pytest.raises(LikenessError, match="pip install"):
        rasterize(*job(), backend="cuda")

    monkeypatch.setitem(sys.modules, "gsplat", stand_in())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "device" in cuda.why_unavailable()
    assert best_backend() == "cpu"
    with pytest.raises(LikenessError, match="device"):
        rasterize_vjp(*job(), backend="cuda")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "_DEVICE", "cpu")
    assert cuda.why_unavailable() is None
    assert best_backend() == "cuda"
    monkeypatch.setitem(sys.modules, "gsplat", stand_in("1.6.0"))
    assert "1.6.0" in cuda.why_unavailable()
    monkeypatch.setitem(sys.modules, "gsplat", stand_in("1.4.0+pt24cu121"))
    assert "1.4.0" in cuda.why_unavailable()
    monkeypatch.setitem(sys.modules, "gsplat", stand_in("1.5.2"))  # one scene at a time
    assert "1.5.2" in cuda.why_unavailable()
    monkeypatch.setitem(sys.modules, "gsplat", stand_in("1.5.3rc1"))
    assert cuda.why_unavailable() is None

    def broken(name):
        raise ImportError("undefined symbol")

    monkeypatch.setattr(cuda.importlib, "import_module", broken)
    assert "undefined symbol" in cuda.why_unavailable()


def no_compiler(**_):
    return None.projection_ewa_3dgs_fused_fwd  # what gsplat does then


def compiler_that_fails(**_):
    raise RuntimeError("Error building extension 'gsplat_cuda'")


@pytest.mark.parametrize("broken", [no_compiler, compiler_that_fails])
def test_gsplat_without_kernels_says_so(gsplat, broken):
    gsplat.rasterization = broken
    with pytest.raises(LikenessError, match="kernels"):
        rasterize(*job(), backend="cuda")
    with pytest.warns(UserWarning, match=r"kernels.*CPU"):
        assert best_backend() == "cpu"


def test_other_errors_of_gsplat_are_not_called_missing_kernels(gsplat):
    def out_of_memory(**_):
        raise RuntimeError("CUDA out of memory")

    gsplat.rasterization = out_of_memory
    with pytest.raises(RuntimeError, match="memory"):
        rasterize(*job(), backend="cuda")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("name", list(SCENES))
def test_gsplat_draws_as_the_reference_does(name, samples):
    scene = SCENES[name]
    truth, back = rasterize_vjp(*scene.arguments, backend="reference", samples=samples)
    ours, vjp = rasterize_vjp(*scene.arguments, backend="cuda", samples=samples)
    assert measure_gap(ours, truth).worst < 1e-4  # the cpu's floors
    given = scene.upstream()
    assert measure_gap(vjp(**given), back(**given)).worst < 1e-3
