"""Extracts the detectors from the pinned MediaPipe wheel (Apache-2.0) and verifies each."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from ..core.types import LikenessError
from ..files.atomic import swap_file
from ..files.weights import ASSETS

DETECTOR_WHEEL = "mediapipe==0.10.14"
"""The distribution whose wheel holds the models; the wheels of all platforms hold the same."""

_TABLE = """
pose_detection pose_detection/pose_detection
    9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c
pose_landmark pose_landmark/pose_landmark_full
    e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f
face_detection_short face_detection/face_detection_short_range
    bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8
face_detection_full face_detection/face_detection_full_range_sparse
    2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1
face_landmark face_landmark/face_landmark
    1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814
iris_landmark iris_landmark/iris_landmark
    d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f
palm_detection palm_detection/palm_detection_full
    1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54
hand_landmark hand_landmark/hand_landmark_full
    11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3
selfie_segmentation selfie_segmentation/selfie_segmentation
    9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c
""".split()

DETECTOR_MEMBERS: dict[str, tuple[str, str]] = {
    name: (f"mediapipe/modules/{member}.tflite", digest)
    for name, member, digest in zip(_TABLE[::3], _TABLE[1::3], _TABLE[2::3])
}
"""Asset name (see ``weights.ASSETS``) -> (member of the wheel, its sha256)."""


def extract_detectors(wheel: Path, out: Path) -> list[Path]:
    """Extract the detectors' model files to their places in ``ASSETS`` below ``out``.

    Files that are already there and intact stay untouched.

    Args:
        wheel: the wheel of :data:`DETECTOR_WHEEL`.
        out: the assets' folder.

    Returns:
        The model files, in the order of :data:`DETECTOR_MEMBERS`.

    Raises:
        LikenessError: the wheel is missing, not a zip, or lacks a model or holds another one.
    """
    remedy = f"Delete it and fetch the wheel of {DETECTOR_WHEEL} again."
    paths = []
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name, (member, digest) in DETECTOR_MEMBERS.items():
                path = out / ASSETS[name]
                paths.append(path)
                if path.is_file() and _sha256(path.read_bytes()) == digest:
                    continue
                data = archive.read(member)
                if _sha256(data) != digest:
                    raise LikenessError(
                        f"The model {member} in '{wheel}' is not the expected one "
                        f"(sha256 {_sha256(data)[:12]}…, expected {digest[:12]}…).",
                        remedy,
                    )
                path.parent.mkdir(parents=True, exist_ok=True)
                with swap_file(path, shared=True) as scratch:
                    scratch.write_bytes(data)
    except KeyError as error:
        raise LikenessError(f"'{wheel}' lacks a detector: {error.args[0]}", remedy) from error
    except FileNotFoundError as error:
        raise LikenessError(f"The wheel '{wheel}' does not exist.", remedy) from error
    except (zipfile.BadZipFile, IsADirectoryError) as error:
        raise LikenessError(f"'{wheel}' is not a wheel: {error}.", remedy) from error
    return paths


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
