"""The Likeness engine: portrait in, posable Gaussian avatar out. Never imports Blender."""

import os
from pathlib import Path

import platformdirs

# Compiled kernels go to the user's cache: an installed extension may be read-only. One folder for
# each name that the package runs under, since numba's cache files name the module they belong to.
os.environ.setdefault(
    "NUMBA_CACHE_DIR",
    str(Path(platformdirs.user_cache_dir("likeness")) / "numba" / __name__.replace(".", "_")),
)
