"""Where assets lie: the body, the detectors, later the decoder's weights.

Looked up in this order: the folder named by ``LIKENESS_ASSETS``, the ``assets`` folder inside
the package (an installed extension carries it), the user's cache, which ``build.py assets``
fills. Nothing is downloaded here.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from .types import LikenessError

ASSETS_VERSION = "2"
PACKAGE_ASSETS = Path(__file__).resolve().parent.parent / "assets"

ASSETS: dict[str, str] = {
    "body": "body.npz",
    "pose_detection": "detectors/pose_detection.tflite",
    "pose_landmark": "detectors/pose_landmark_full.tflite",
    "face_detection_short": "detectors/face_detection_short_range.tflite",
    "face_detection_full": "detectors/face_detection_full_range_sparse.tflite",
    "face_landmark": "detectors/face_landmark.tflite",
    "iris_landmark": "detectors/iris_landmark.tflite",
    "palm_detection": "detectors/palm_detection_full.tflite",
    "hand_landmark": "detectors/hand_landmark_full.tflite",
    "selfie_segmentation": "detectors/selfie_segmentation.tflite",
}
"""Asset name -> file below the assets folder."""

REMEDY = "Run 'python build.py assets' in the project's folder, or set LIKENESS_ASSETS."


def cache_assets_dir() -> Path:
    """The folder that ``build.py assets`` fills, in the user's cache."""
    return Path(platformdirs.user_cache_dir("likeness")) / f"assets-{ASSETS_VERSION}"


def assets_dirs() -> list[Path]:
    """Every folder that is searched, first one first."""
    named = os.environ.get("LIKENESS_ASSETS")
    return [*([Path(named)] if named else []), PACKAGE_ASSETS, cache_assets_dir()]


def asset_path(name: str) -> Path:
    """The file of the asset ``name``.

    Raises:
        LikenessError: it is in none of the folders; says which command makes it.
    """
    for folder in assets_dirs():
        path = folder / ASSETS[name]
        if path.is_file():
            return path
    searched = ", ".join(str(d) for d in assets_dirs())
    raise LikenessError(f"The asset '{ASSETS[name]}' is missing (looked in {searched}).", REMEDY)
