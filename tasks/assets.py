"""The body, the detectors and the sample portrait, made by ``likeness assets``."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .commands import BuildError, print_step


def ensure_assets(python: Path, *, sample: bool = False) -> Path:
    """Run ``likeness assets``; returns the folder, or the sample portrait.

    Args:
        python: of the environment in which Likeness is installed.
        sample: also fetch the sample portrait and return its path instead.

    Raises:
        BuildError: it fails.
    """
    print_step("Making sure of the assets (likeness assets)")
    command = [python, "-m", "likeness", "assets", "--yes", *(["--sample"] if sample else [])]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise BuildError("'likeness assets' failed; the reason is printed above.")
    return Path(done.stdout.splitlines()[-1])


def assets_digest(python: Path) -> str:
    """Digest of the assets' sources, from ``likeness.engine.bake.assets``."""
    code = "from likeness.engine.bake.assets import assets_digest; print(assets_digest())"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()
