"""The mesh z-buffer on a GPU: its camera, its adapter with a stand-in, and parity where it runs."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import look_at, photo_camera
from likeness.engine.core.types import Camera, LikenessError, Pose
from likeness.engine.dual_uv.sampling import core_points, sample_surface
from likeness.engine.render.mesh import MeshBuffer, rasterize_mesh
from likeness.engine.render.visibility import rasterize_visibility

torch = pytest.importorskip("torch")

from likeness.engine.render import mesh_cuda  # noqa: E402

needs_gpu = pytest.mark.skipif(
    mesh_cuda.why_unavailable() is not None, reason=mesh_cuda.why_unavailable() or ""
)


def camera(yaw: float = 20.0, width: int = 56, height: int = 72) -> Camera:
    """A lens off its centre, with unequal focal lengths and some skew."""
    K = np.array([[91.0, 3.0, 0.45 * width], [0, 84.0, 0.55 * height], [0, 0, 1]])
    return Camera(look_at(np.array([0, 0.1, 0]), 2.4, yaw, 12.0), K, width, height)


@pytest.fixture(scope="module")
def mesh() -> tuple[np.ndarray, np.ndarray]:
    body = make_synthetic_body()
    pose = Pose.rest(body.num_expression).with_joints(right_shoulder=[0, 0.4, 1.0])
    return body.vertices(pose)[0], body.f


def test_clip_space_is_the_cameras_picture():
    """Against K [R | t] and a division by hand."""
    view = camera()
    points = np.random.default_rng(0).normal(scale=0.4, size=(50, 3))
    homogeneous = np.concatenate([points, np.ones((50, 1))], 1)
    by_hand = homogeneous @ (view.K @ view.viewmat[:3]).T
    depth = by_hand[:, 2]
    clip = homogeneous @ mesh_cuda.clip_matrix(view, 0.5, 4.0).T
    np.testing.assert_allclose(clip[:, 3], depth, atol=1e-12)
    ndc = clip[:, :3] / clip[:, 3:]
    # nvdiffrast: column c, row r have their centre at ((2 c + 1) / width - 1, (2 r + 1) / height
    # - 1); ours has it at (c + 0.5, r + 0.5).
    column = (ndc[:, 0] + 1) * view.width / 2 - 0.5
    row = (ndc[:, 1] + 1) * view.height / 2 - 0.5
    np.testing.assert_allclose(column, by_hand[:, 0] / depth - 0.5, atol=1e-10)
    np.testing.assert_allclose(row, by_hand[:, 1] / depth - 0.5, atol=1e-10)
    order = np.argsort(depth)
    assert (np.diff(ndc[order, 2]) > 0).all()
    behind = view.viewmat[2, :3]  # where the camera looks, in the world
    for at, value in ((0.5, -1.0), (4.0, 1.0)):
        point = np.append(-view.viewmat[:3, :3].T @ view.viewmat[:3, 3] + at * behind, 1.0)
        found = mesh_cuda.clip_matrix(view, 0.5, 4.0) @ point
        assert found[2] / found[3] == pytest.approx(value)


def stand_in(version: str = "0.4.0") -> ModuleType:
    """nvdiffrast's ``rasterize`` in instanced mode, pixel by pixel and triangle by triangle."""
    module, inner = ModuleType("nvdiffrast"), ModuleType("nvdiffrast.torch")
    module.__spec__ = ModuleSpec("nvdiffrast", None)
    module.__version__ = version
    module.contexts = 0

    class RasterizeCudaContext:
        def __init__(self, device=None):
            module.contexts += 1

    def rasterize(glctx, pos, tri, resolution, ranges=None, grad_db=True):
        assert isinstance(glctx, RasterizeCudaContext)
        assert pos.dtype == torch.float32
        assert tri.dtype == torch.int32
        assert pos.is_contiguous()
        assert tri.is_contiguous()
        assert pos.ndim == 3
        assert pos.shape[2] == 4
        assert len(tri) > 0
        assert tri.shape[1] == 3
        assert ranges is None
        height, width = (int(side) for side in resolution)
        out = np.zeros((len(pos), height, width, 4), np.float32)
        x = (2 * np.arange(width) + 1) / width - 1
        y = (2 * np.arange(height) + 1) / height - 1
        grid = np.stack([*np.meshgrid(x, y), np.ones((height, width))], -1)
        for image, clip in zip(out, pos.double().numpy(), strict=True):
            nearest = np.full((height, width), np.inf)
            for number, corners in enumerate(clip[tri.numpy()], 1):
                # Perspective-correct weights b solve sum b (x, y, w) = some multiple of the ray.
                equations = corners[:, [0, 1, 3]].T
                if abs(np.linalg.det(equations)) < 1e-14:
                    continue
                b = grid @ np.linalg.inv(equations).T
                inside = (b >= 0).all(-1)
                b = b / np.where(inside, b.sum(-1), 1)[..., None]
                depth = (b @ corners[:, 2]) / np.where(inside, b @ corners[:, 3], 1)
                inside &= (depth < nearest) & (np.abs(depth) <= 1)
                nearest[inside] = depth[inside]
                image[inside] = np.concatenate(
                    [b[..., :2], depth[..., None], np.full((height, width, 1), number)], -1
                )[inside]
        return torch.tensor(out), torch.zeros(len(pos), height, width, 0)

    inner.RasterizeCudaContext, inner.rasterize = RasterizeCudaContext, rasterize
    module.torch = inner
    return module


@pytest.fixture
def nvdiffrast(monkeypatch) -> ModuleType:
    module = stand_in()
    monkeypatch.setitem(sys.modules, "nvdiffrast", module)
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", module.torch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(mesh_cuda, "_DEVICE", "cpu")
    mesh_cuda._context.cache_clear()
    yield module
    mesh_cuda._context.cache_clear()


def assert_same(ours: MeshBuffer, truth: MeshBuffer, view: Camera, edges: float = 0.0) -> None:
    """``edges``: the part of the pixels that may lie on the other side of a triangle's edge."""
    for name in ("face", "bary", "depth", "back_depth"):
        a, b = getattr(ours, name), getattr(truth, name)
        assert (a.shape, a.dtype) == (b.shape, b.dtype), name
    same = ours.face == truth.face
    assert (truth.face >= 0).sum() > 0.03 * view.width * view.height
    assert (~same).mean() <= edges
    seen = same & (truth.face >= 0)
    np.testing.assert_allclose(ours.bary[seen], truth.bary[seen], atol=2e-3)
    np.testing.assert_allclose(ours.depth[seen], truth.depth[seen], atol=1e-5)
    assert np.isposinf(ours.depth[ours.face < 0]).all()
    assert not ours.bary[ours.face < 0].any()
    assert np.isneginf(ours.back_depth[ours.face < 0]).all()
    far = np.isclose(ours.back_depth[seen], truth.back_depth[seen], atol=1e-5)
    assert (~far).mean() <= edges


@pytest.mark.parametrize("cull_back", [False, True])
@pytest.mark.parametrize("yaw", [20.0, 200.0])
def test_maps_of_the_stand_in_are_ours(nvdiffrast, mesh, yaw, cull_back):
    view = camera(yaw)
    ours = rasterize_visibility(*mesh, view, cull_back=cull_back)
    assert nvdiffrast.contexts == 1
    assert_same(ours, rasterize_mesh(*mesh, view, cull_back=cull_back), view, edges=0.002)


def test_triangles_at_the_camera_and_none_at_all(nvdiffrast, mesh):
    vertices, f = mesh
    inside = replace(camera(), viewmat=look_at(np.array([0, 0.3, 0]), 0.12, 0, 0))
    ours, truth = (rasterize_visibility(vertices, f, inside, backend=b) for b in ("cuda", "cpu"))
    assert_same(ours, truth, inside, edges=0.002)
    away = replace(camera(), viewmat=look_at(np.array([0, 0, 9.0]), 3.0, 180, 0))
    for shown, wanted in zip(
        vars(rasterize_visibility(vertices, f, away)).values(),
        vars(rasterize_mesh(vertices, f, away)).values(),
        strict=True,
    ):
        np.testing.assert_array_equal(shown, wanted)


def test_dual_uv_sees_the_same_by_either(nvdiffrast, mesh, monkeypatch):
    body, view = make_synthetic_body(), replace(camera(), K=photo_camera(90.0, 56, 72).K)
    samples = sample_surface(body, 64)
    ours = core_points(view, mesh[0], body, samples)
    assert nvdiffrast.contexts == 1
    monkeypatch.setitem(sys.modules, "nvdiffrast", None)
    truth = core_points(view, mesh[0], body, samples)
    assert ours.seen.sum() > 100
    assert (ours.seen != truth.seen).mean() < 0.003


def test_without_nvdiffrast_ours_draws_and_nothing_is_said(mesh, monkeypatch, recwarn):
    monkeypatch.setitem(sys.modules, "nvdiffrast", None)
    view = camera()
    np.testing.assert_array_equal(
        rasterize_visibility(*mesh, view).face, rasterize_mesh(*mesh, view).face
    )
    assert len(recwarn) == 0
    with pytest.raises(LikenessError, match="not installed"):
        rasterize_visibility(*mesh, view, backend="cuda")
    with pytest.raises(LikenessError, match="magic"):
        rasterize_visibility(*mesh, view, backend="magic")


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "nvdiffrast", stand_in("0.3.1"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "device" in mesh_cuda.why_unavailable()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert "0.3.1" in mesh_cuda.why_unavailable()
    for recent in ("0.3.3", "0.4.0rc1", "1.0+cu126"):
        monkeypatch.setitem(sys.modules, "nvdiffrast", stand_in(recent))
        assert mesh_cuda.why_unavailable() is None


def test_kernels_that_do_not_build_warn_and_ours_draws(nvdiffrast, mesh):
    def broken(device=None):
        raise RuntimeError("no nvcc")

    nvdiffrast.torch.RasterizeCudaContext = broken
    view = camera()
    with pytest.warns(UserWarning, match="no nvcc"):
        ours = rasterize_visibility(*mesh, view)
    np.testing.assert_array_equal(ours.face, rasterize_mesh(*mesh, view).face)
    with pytest.raises(LikenessError, match="no nvcc"):
        rasterize_visibility(*mesh, view, backend="cuda")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("cull_back", [False, True])
def test_nvdiffrast_sees_what_our_z_buffer_sees(mesh, cull_back):
    view = camera().resized(560, 720)
    ours = rasterize_visibility(*mesh, view, cull_back=cull_back, backend="cuda")
    # It rounds corners to 1/16 pixel, so that edges run a little otherwise.
    assert_same(ours, rasterize_mesh(*mesh, view, cull_back=cull_back), view, edges=0.01)
