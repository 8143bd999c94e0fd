"""The Likeness engine: portrait in, posable Gaussian avatar out. Never imports Blender."""

import os
import sys
from pathlib import Path

from .files.kernel_cache import cache_folder
from .files.user_folders import cache_root

# Compiled kernels go to the user's cache: an installed extension may be read-only, and names
# another folder. A folder that a parent process chose for its own name (children inherit it) is
# not ours.
_CACHES = Path(os.environ.get("LIKENESS_KERNELS", cache_root() / "numba"))
if Path(os.environ.get("NUMBA_CACHE_DIR", _CACHES / "none")).parent == _CACHES:
    os.environ["NUMBA_CACHE_DIR"] = str(cache_folder(_CACHES, __name__, Path(__file__).parent))

# The fits solve thousands of small systems; numpy's own threads spin between them and take the
# cores from detectors and compiled loops: tracking a video runs at half the speed with them. Only
# the environment tells them so, before numpy is there; in Blender it is, and the worker is not.
if "numpy" not in sys.modules:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
