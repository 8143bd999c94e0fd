"""Frames per second on a GPU, everything kept there; ``render.py`` calls it where there is one.

Medians over ``FRAMES`` frames after ``WARM_UP``, each waited for to its end.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from likeness.benchmarks.figures.random_scenes import cover_body, person_sized_cloud
from likeness.engine.body import load_body
from likeness.engine.core.cameras import orbit, photo_camera
from likeness.engine.core.types import MAX_GAUSSIANS, NUM_JOINTS
from likeness.engine.files.weights import asset_path
from likeness.engine.gaussians.posing_torch import AvatarTensors, pose_avatar_torch
from likeness.engine.render.tensors import rasterize_tensors

WARM_UP, FRAMES = 20, 200
SIDE = 512


def gpu_name() -> str:
    return torch.cuda.get_device_name()


def frames_per_second(call: Callable[[int], object], device: str, frames: int) -> float:
    """Frames per second; ``call`` gets the number of the frame."""
    times = []
    for k in range(min(WARM_UP, frames) + frames):
        start = time.perf_counter()
        call(k)
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 1 / statistics.median(times[-frames:])


def measure_gpu(
    backend: str = "cuda",
    device: str = "cuda",
    count: int = MAX_GAUSSIANS,
    side: int = SIDE,
    frames: int = FRAMES,
) -> dict[str, float]:
    """Forward, forward + backward, and pose + draw, in frames per second."""

    def on_device(array: np.ndarray) -> torch.Tensor:
        return torch.tensor(np.asarray(array), dtype=torch.float32, device=device)

    gaussians = person_sized_cloud(count)
    leaves = [
        on_device(getattr(gaussians, name))
        for name in ("means", "quats", "scales", "opacities", "colors")
    ]
    camera = photo_camera(1.2 * side, side, side)
    # Cameras that differ, so that nothing can be kept from frame to frame.
    turned = [orbit(camera, np.array([0.0, 0.0, -2.5]), 3.0 * k).viewmat for k in range(120)]
    views, K = on_device(np.stack(turned)), on_device(camera.K[None])
    background = on_device(np.full(3, 0.5))
    wanted = torch.rand((1, side, side, 3), device=device)

    def forward(k: int) -> None:
        with torch.no_grad():
            where = (views[k % 120, None], K, side, side, background)
            rasterize_tensors(*leaves, *where, backend=backend)

    def both_ways(k: int) -> None:
        for leaf in leaves:
            leaf.requires_grad_()
            leaf.grad = None
        where = (views[k % 120, None], K, side, side, background)
        rgb, alpha, depth = rasterize_tensors(*leaves, *where, backend=backend)
        ((rgb - wanted).square().mean() + alpha.mean() + depth.mean()).backward()

    out = {
        "forward": frames_per_second(forward, device, frames),
        "forward_backward": frames_per_second(both_ways, device, frames),
    }
    avatar = cover_body(load_body(asset_path("body")), count)
    there = AvatarTensors.of(avatar, device=device)
    rng = np.random.default_rng(0)
    poses = on_device(rng.normal(0, 0.15, (120, NUM_JOINTS, 3)))
    expressions = on_device(rng.uniform(0, 0.5, (120, avatar.body.num_expression)))
    transl = on_device(avatar.pose.transl)

    def pose_and_draw(k: int) -> None:
        with torch.no_grad():
            posed = pose_avatar_torch(there, poses[k % 120], transl, expressions[k % 120])
            rasterize_tensors(*posed, views[:1], K, side, side, background, backend=backend)

    out["pose_draw"] = frames_per_second(pose_and_draw, device, frames)
    return {name: round(value, 1) for name, value in out.items()}


def format_gpu_row(name: str, fps: dict[str, float], errors: str, refine_s: str = "") -> str:
    """The GPU's row of docs/PERFORMANCE.md."""
    values = " | ".join(f"{value:,.0f}" for value in fps.values())
    return f"| {name} | {values} | {errors} | {refine_s} |"
