"""The Likeness engine: portrait in, posable Gaussian avatar out. Never imports Blender."""

import os
import sys
from pathlib import Path

from .files.user_folders import cache_root

# Compiled kernels go to the user's cache: an installed extension may be read-only. Child processes
# inherit the folders.
_KERNELS = os.environ.setdefault("LIKENESS_KERNELS", str(cache_root() / "numba"))
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(_KERNELS) / "libraries"))

# The fits solve thousands of small systems; numpy's own threads spin between them and take the
# cores from detectors and compiled loops: tracking a video runs at half the speed with them. Only
# the environment tells them so, before numpy is there; in Blender it is, and the worker is not.
if "numpy" not in sys.modules:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
