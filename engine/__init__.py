"""The Likeness engine: portrait in, posable Gaussian avatar out. Never imports Blender."""

import os
import sys
from pathlib import Path

import platformdirs

# Compiled kernels go to the user's cache: an installed extension may be read-only. One folder for
# each name that the package runs under, since numba's cache files name the module they belong to;
# a folder that a parent process chose for its own name (children inherit it) is not ours either.
_CACHES = Path(platformdirs.user_cache_dir("likeness")) / "numba"
if Path(os.environ.get("NUMBA_CACHE_DIR", _CACHES / "none")).parent == _CACHES:
    os.environ["NUMBA_CACHE_DIR"] = str(_CACHES / __name__.replace(".", "_"))

# The fits solve thousands of small systems; numpy's own threads spin between them and take the
# cores from detectors and compiled loops: tracking a video runs at half the speed with them. Only
# the environment tells them so, before numpy is there; in Blender it is, and the worker is not.
if "numpy" not in sys.modules:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
