"""``likeness`` for the recipes of docs/automation.md: the command line as it is, but that a batch's
workers build small people of boxes instead of minutes of portraits. All else is the real thing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from likeness.addon.cli import main as cli
from likeness.addon.workers import pool, serving

if TYPE_CHECKING:
    from likeness.engine.core.types import Avatar
    from likeness.engine.pipeline.build import BuildResult
    from likeness.engine.pipeline.options import BuildOptions

WORKER = "batch-worker"


def person(seed: int = 0) -> Avatar:
    """A person of boxes under 3,000 splats, on the floor, 2.6 m before the camera."""
    import numpy as np
    from likeness.engine.body.synthetic import make_synthetic_body
    from likeness.engine.core.cameras import photo_camera
    from likeness.engine.core.types import Avatar, BoundGaussians, Pose

    rng = np.random.default_rng(seed)
    body = make_synthetic_body(seed)
    body = body.personalised(np.zeros(body.num_betas))
    count = 3000
    gaussians = BoundGaussians(
        triangle=rng.integers(len(body.f), size=count).astype(np.int32),
        bary=rng.dirichlet(np.ones(3), count).astype(np.float32),
        offset=np.zeros((count, 3), np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        scales=np.full((count, 3), (0.02, 0.02, 0.001), np.float32),
        opacities=np.full(count, 0.9, np.float32),
        colors=rng.uniform(0.1, 0.5, (count, 3)).astype(np.float32),
        layer=np.zeros(count, np.uint8),
    )
    rest = Pose.rest(body.num_expression)
    stand = Pose(rest.full_pose, np.array([0.0, 0.0, -2.6]), rest.expression)
    start = np.full(count, count, np.float32)
    return Avatar(body, gaussians, stand, photo_camera(200, 128, 160), "full", lod_start=start)


def quick(photo: Path, options: BuildOptions, progress: Any, *others: Any) -> BuildResult:
    """What takes the place of :func:`likeness.engine.pipeline.build.build_avatar`."""
    import numpy as np
    from likeness.engine.core.types import LikenessError, Matte
    from likeness.engine.imaging.load import load_portrait
    from likeness.engine.pipeline.build import BuildResult

    portrait = load_portrait(photo)
    if portrait.rgb.std() < 0.01:
        raise LikenessError(f"No person was found in '{photo}'.", "Choose another photo.")
    matte = Matte(np.ones(portrait.rgb.shape[:2], np.float32), portrait.rgb)
    nothing: Any = None
    return BuildResult(person(), {"warnings": []}, portrait, nothing, matte, nothing)


def main(argv: list[str]) -> int:
    if argv[0] == WORKER:
        from likeness.addon.batch_maker import open_batch_maker
        from likeness.engine.workflows.batch import make

        make.build_avatar = quick  # type: ignore[assignment]
        return serving.serve_units(open_batch_maker)
    pool.pool_worker_command = lambda name: [sys.executable, __file__, name]  # type: ignore[assignment]
    return cli.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
