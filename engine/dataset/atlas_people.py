"""People as maps over the body's atlas: what covers each texel, without pictures.

A folder holds a file ``person_000123.npz`` for each person, made by ``likeness synth --atlas``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.types import Camera, FloatArray, LikenessError, Pose
from ..files.atomic import atomic_write
from ..files.untrusted import read_npz
from .subjects import PERSON, person_key

ATLAS_SIZE = 256  # texels along a side
ATLAS_LABELS = ("none", "skin", "hair", "upper", "lower", "shoes", "hat", "outer")
"""What covers a texel, by value. ``none``: no texel, or inside the head. ``outer`` is worn over
another upper garment; the lift calls both ``upper``."""
VERSION = 2
MAX_BYTES = 1 << 26

_GRID = (ATLAS_SIZE, ATLAS_SIZE)
_TYPES: dict[str, tuple[str, tuple[int | None, ...]]] = {
    "label": ("u1", _GRID),
    "piece": ("u1", _GRID),
    "albedo": ("u1", (*_GRID, 3)),
    "offset": ("f2", _GRID),
    "facing": ("u1", (None, *_GRID)),
    "betas": ("f4", (None,)),
    "full_pose": ("f4", (None, 55, 3)),
    "expression": ("f4", (None, None)),
    "viewmats": ("f4", (None, 4, 4)),
    "Ks": ("f4", (None, 3, 3)),
}


@dataclass(frozen=True)
class AtlasPerson:
    """One person over the atlas, in the T-pose, and K views of it.

    Attributes:
        label: [S, S] uint8 rows of :data:`ATLAS_LABELS`.
        piece: [S, S] uint8, which piece of clothing, hair or skin; 0 where the label is ``none``,
            else 1 and a row of ``facts["pieces"]``.
        albedo: [S, S, 3] uint8 sRGB, unlit.
        offset: [S, S] float16 metres from the body along its normal to what is seen of it.
        facing: [K, S, S] uint8, 255ths of the cosine at which a view sees the texel; 0: not seen.
        betas: [B] shape coefficients.
        full_pose: [K, 55, 3] axis-angle of each view, radians.
        expression: [K, E] of each view.
        viewmats: [K, 4, 4] world to camera, metres.
        Ks: [K, 3, 3] intrinsics, pixels, of square pictures of ``facts["size"]`` pixels.
        facts: JSON-able: ``number``, ``seed``, ``split``, ``framings``, ``pieces``, ``size``.
    """

    label: NDArray[np.uint8]
    piece: NDArray[np.uint8]
    albedo: NDArray[np.uint8]
    offset: NDArray[np.float16]
    facing: NDArray[np.uint8]
    betas: FloatArray
    full_pose: FloatArray
    expression: FloatArray
    viewmats: FloatArray
    Ks: FloatArray
    facts: Mapping[str, Any]

    def pose(self, view: int) -> Pose:
        """Return the pose in a view."""
        return Pose(self.full_pose[view], np.zeros(3), self.expression[view])

    def camera(self, view: int) -> Camera:
        """Return a view's camera."""
        size = int(self.facts["size"])
        return Camera(
            self.viewmats[view].astype(np.float64), self.Ks[view].astype(np.float64), size, size
        )


def atlas_person_path(folder: Path, number: int) -> Path:
    """Return the file of person ``number``."""
    return folder / f"{person_key(number)}.npz"


def atlas_person_paths(folder: Path) -> list[Path]:
    """Return the files of all people in a folder, by number."""
    return sorted(folder.glob(f"{PERSON}*.npz"))


def write_atlas_person(path: Path, person: AtlasPerson) -> None:
    """Write a person's file.

    Raises:
        LikenessError: The folder is missing, full or read-only.
    """
    arrays = {name: np.asarray(getattr(person, name), kind) for name, (kind, _) in _TYPES.items()}
    facts = json.dumps({"version": VERSION, **person.facts}, sort_keys=True).encode()
    with atomic_write(path, make_parent=True) as scratch:
        np.savez_compressed(scratch, facts=np.frombuffer(facts, np.uint8), **arrays)


def read_atlas_person(path: Path) -> AtlasPerson:
    """Read a person's file.

    Raises:
        LikenessError: It is missing, damaged or of another version.
    """
    try:
        arrays = read_npz(io.BytesIO(path.read_bytes()), most=MAX_BYTES)
        facts = json.loads(arrays.pop("facts").tobytes())
        if facts.pop("version") != VERSION:
            raise ValueError("another version")
        for name, (kind, shape) in _TYPES.items():
            array = arrays[name]
            wrong = any(n is not None and n != m for n, m in zip(shape, array.shape))
            if array.dtype != np.dtype(kind) or array.ndim != len(shape) or wrong:
                raise ValueError(f"'{name}' is {array.dtype} {array.shape}")
        if arrays["label"].max() >= len(ATLAS_LABELS):
            raise ValueError("unknown labels")
        return AtlasPerson(**{name: arrays[name] for name in _TYPES}, facts=facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LikenessError(
            f"'{path}' cannot be read as a person over the atlas ({error}).",
            "Remove the file, and make it again with 'likeness synth --atlas'.",
        ) from error
