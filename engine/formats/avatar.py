"""avatar.safetensors: a self-contained avatar file.

Tensors ``gaussians.*`` hold the bound Gaussians and ``body.*`` the person's own body. Half
precision is used where the error is invisible: colours, opacities, rotations, scales, barycentric
coordinates (1e-3 of a centimetre-sized triangle) and the expression basis (20 micrometres), of
which only the moving vertices are stored, as of a skirt's pose correctives. Offsets stay float32:
half a metre in half precision is off by a quarter of a millimetre. Names, pose, camera and
provenance are JSON in the header.

The optional ``gaussians.lod_start`` says that the Gaussians are sorted by importance
(gaussians/lod.py), ``gaussians.part`` what each shows; ``gaussians.features`` are for a network's
refiner. ``attributes.K.span`` belongs to the K-th of the header's attributes (core/attributes.py);
opacities are those without attributes. ``retouch.*`` and ``sculpt.*`` are edits by hand
(:mod:`.avatar_retouch`), of which the other tensors know nothing.

avatar_versions.py says which versions of the file are read, and how.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from ..body import Body
from ..body.body_file import body_from_arrays, body_to_arrays
from ..core.attributes import Attribute, apply_attributes
from ..core.retouching import apply_retouch
from ..core.types import (
    LAYERS,
    NUM_JOINTS,
    PARTS,
    Avatar,
    BoundGaussians,
    Camera,
    FloatArray,
    LikenessError,
    Pose,
)
from ..files.atomic import atomic_write
from ..files.untrusted import parse_json, require_file, wrap_parser_errors
from .avatar_retouch import pack_edits, unpack_edits
from .avatar_schema import BODY, GAUSSIANS, KNOWN, LANDMARK_KEYS, OPTIONAL, check_sizes
from .avatar_versions import VERSION, format_version, migrate, parse_version

FORMAT = "likeness-avatar"
_INSIDE, _ROUNDS = 0.499, 6
"""Share of the way to the next number in half precision that still rounds back; divisions."""
_Array = np.ndarray[Any, Any]
_ATTRIBUTE_KEYS = ("name", "part", "item", "color", "value")
_AGAIN = "Copy it again, or build the avatar again."


def save_avatar(avatar: Avatar, path: Path) -> None:
    """Write an avatar atomically.

    A body that still has a shape basis is written with all betas at zero.

    Args:
        avatar: The avatar.
        path: The file to write.

    Raises:
        LikenessError: The folder cannot be written to.
        ValueError: ``avatar.lod_start`` and ``avatar.gaussians`` differ in length.
    """
    with atomic_write(path) as scratch:
        # Not safetensors' save_file, whose files only the owner can read.
        scratch.write_bytes(avatar_to_bytes(avatar))


def avatar_to_bytes(avatar: Avatar) -> bytes:
    """Return the content that :func:`save_avatar` writes.

    Raises:
        ValueError: ``avatar.lod_start`` and ``avatar.gaussians`` differ in length.
    """
    body: Body = avatar.body
    if body.num_betas:
        body = body.personalised(np.zeros(body.num_betas))
    tensors = {f"body.{name}": array for name, array in _body_tensors(body).items()}
    for name, (dtype, _) in GAUSSIANS.items():
        tensors[f"gaussians.{name}"] = getattr(avatar.gaussians, name).astype(dtype)
    if avatar.lod_start is not None:
        if len(avatar.lod_start) != len(avatar.gaussians):
            raise ValueError(
                f"lod_start of {len(avatar.lod_start)} for {len(avatar.gaussians)} Gaussians"
            )
        tensors["gaussians.lod_start"] = avatar.lod_start.astype(np.float32)
    parts: dict[str, Any] = {}
    if avatar.gaussians.part.any():
        tensors["gaussians.part"] = avatar.gaussians.part.astype(np.uint8)
        parts["parts"] = list(PARTS)
    if avatar.gaussians.features.size:
        tensors["gaussians.features"] = avatar.gaussians.features.astype(np.float16)
    tensors |= pack_edits(avatar)
    for k, attribute in enumerate(avatar.attributes):
        tensors[f"attributes.{k}.span"] = attribute.span.astype(np.float16)
        parts.setdefault("attributes", []).append(
            {name: getattr(attribute, name) for name in _ATTRIBUTE_KEYS}
        )
    header = {
        "framing": avatar.framing,
        "pose": {
            "full_pose": np.asarray(avatar.pose.full_pose, np.float64).tolist(),
            "transl": np.asarray(avatar.pose.transl, np.float64).tolist(),
            "expression": np.asarray(avatar.pose.expression, np.float64).tolist(),
        },
        "camera": {
            "viewmat": np.asarray(avatar.camera.viewmat, np.float64).tolist(),
            "K": np.asarray(avatar.camera.K, np.float64).tolist(),
            "width": int(avatar.camera.width),
            "height": int(avatar.camera.height),
        },
        "expression_names": list(body.expression_names),
        "part_names": list(body.part_names),
        "layers": list(LAYERS),
        "provenance": avatar.provenance,
        **parts,
    }
    metadata = {
        "format": FORMAT,
        "version": format_version(VERSION),
        "avatar": json.dumps(header, allow_nan=False),
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    return _metadata_in_order(save(contiguous, metadata))


def _metadata_in_order(data: bytes) -> bytes:
    """Sort a safetensors file's metadata.

    safetensors writes them in random order, and the same avatar must give the same bytes.
    """
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def load_avatar(path: Path) -> Avatar:
    """Read and check an avatar file; the avatar is as its sliders stand and as it was edited.

    Raises:
        LikenessError: The file does not exist, is not an avatar, has a newer version or is damaged,
            or every splat is erased.
    """
    return apply_retouch(apply_attributes(load_editable_avatar(path)), f"'{path}'")


def load_editable_avatar(path: Path) -> Avatar:
    """Read and check an avatar file, with its attributes and its edits by hand, not applied.

    Raises:
        LikenessError: As for :func:`load_avatar`.
    """
    return _avatar(*_read(path), str(path))


def avatar_from_bytes(data: bytes, source: str) -> Avatar:
    """Read and check the content of an avatar file.

    Args:
        data: The file's bytes.
        source: Where they come from, for error messages.

    Raises:
        LikenessError: They are not an avatar, have a newer version or are damaged.
    """
    try:
        size = int.from_bytes(data[:8], "little")
        with wrap_parser_errors():
            tensors = load(data)
            metadata = parse_json(data[8 : 8 + size]).get("__metadata__") or {}
        return _avatar(tensors, metadata, source)
    except (ValueError, SafetensorError) as error:
        raise LikenessError(
            f"The avatar in '{source}' is damaged: {error}.", "Import the avatar again."
        ) from error


def _avatar(tensors: dict[str, _Array], metadata: dict[str, str], path: str) -> Avatar:
    if metadata.get("format") != FORMAT:
        raise LikenessError(
            f"'{path}' is not an avatar file.", "Give the avatar.safetensors that a build wrote."
        )
    major, _ = parse_version(metadata.get("version", ""), path)
    try:
        with wrap_parser_errors():
            tensors, header = migrate(tensors, parse_json(metadata.get("avatar", "")), major)
            # A newer minor version may have more tensors.
            listed = header.get("attributes", [])
            known = KNOWN | {f"attributes.{k}.span" for k in range(len(listed))}
            tensors = {name: array for name, array in tensors.items() if name in known}
            sizes = check_sizes(tensors, header)
            body = _body(tensors, sizes, header, path)
            retouch, sculpt = unpack_edits(tensors, sizes)
            return Avatar(
                body=body,
                gaussians=replace(_gaussians(tensors, header), retouch=retouch),
                pose=_pose(header["pose"], body.num_expression),
                camera=_camera(header["camera"]),
                framing=header["framing"],
                provenance=dict(header["provenance"]),
                lod_start=_lod_start(tensors),
                attributes=tuple(
                    _attribute(values, tensors[f"attributes.{k}.span"])
                    for k, values in enumerate(listed)
                ),
                sculpt=sculpt,
            )
    except ValueError as error:
        missing = isinstance(error.__cause__, KeyError) and error.__cause__.args
        reason = f"{missing[0]!r} is missing" if missing else str(error)
        raise LikenessError(f"'{path}' is damaged: {reason}.", _AGAIN) from error
    except LikenessError as error:  # of the body inside, whose remedy does not apply here
        raise LikenessError(error.message, _AGAIN) from error


def _read(path: Path) -> tuple[dict[str, _Array], dict[str, str]]:
    require_file(path, "Give the avatar.safetensors that a build wrote.")
    try:
        with safe_open(path, framework="np") as file:
            with wrap_parser_errors():
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except OSError as error:
        raise LikenessError(
            f"Cannot read '{path}': {error.strerror or 'no such file'}.",
            "Give the avatar.safetensors that a build wrote.",
        ) from error
    except (SafetensorError, ValueError) as error:
        raise LikenessError(
            f"'{path}' is not a whole safetensors file ({error}).", _AGAIN
        ) from error


def _body_tensors(body: Body) -> dict[str, _Array]:
    arrays = body_to_arrays(body)
    moving = np.flatnonzero(np.abs(body.exprdirs).sum(axis=(1, 2)) > 0)
    arrays["exprdirs"] = arrays["exprdirs"][moving]
    arrays["exprdirs_vertex"] = moving
    if "posedirs_joint" in arrays:
        posedirs = arrays.pop("posedirs")
        moving = np.flatnonzero(np.abs(posedirs).sum(axis=(1, 2)) > 0)
        arrays["correctives"], arrays["correctives_vertex"] = posedirs[moving], moving
        arrays["correctives_joint"] = arrays["posedirs_joint"]
    out = {name: arrays[name].astype(dtype) for name, (dtype, _) in BODY.items()}
    out |= {n: arrays[n].astype(dtype) for n, (dtype, _) in OPTIONAL.items() if n in arrays}
    for name in LANDMARK_KEYS:
        if name in arrays:
            whole = np.issubdtype(arrays[name].dtype, np.integer)
            out[name] = arrays[name].astype(np.int32 if whole else np.float32)
    return out


def _body(
    tensors: dict[str, _Array], sizes: dict[str, int], header: dict[str, Any], source: str
) -> Body:
    arrays = {k.removeprefix("body."): v for k, v in tensors.items() if k.startswith("body.")}
    vertices, expressions = sizes["V"], sizes["E"]
    exprdirs = np.zeros((vertices, 3, expressions), np.float32)
    exprdirs[arrays.pop("exprdirs_vertex")] = arrays["exprdirs"]
    arrays["exprdirs"] = exprdirs
    if "correctives" in arrays:
        moved = arrays.pop("correctives")
        posedirs = np.zeros((vertices, 3, moved.shape[2]), np.float32)
        posedirs[arrays.pop("correctives_vertex")] = moved
        arrays["posedirs"] = posedirs
        arrays["posedirs_joint"] = arrays.pop("correctives_joint")
    arrays["shapedirs"] = np.zeros((vertices, 3, 0), np.float32)
    arrays["J_shapedirs"] = np.zeros((NUM_JOINTS, 3, 0))
    arrays["num_body_betas"] = np.array(0)
    arrays["expression_names"] = np.array(header["expression_names"], np.str_)
    arrays["part_names"] = np.array(header["part_names"], np.str_)
    return body_from_arrays(arrays, source)


def _sums(values: FloatArray) -> FloatArray:
    return np.asarray(values.sum(axis=1, keepdims=True))


def _lengths(values: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(values, axis=1, keepdims=True))


def _normalize(stored: _Array, measure: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """[N, C] float32 of measure one, which round to the stored numbers.

    So a file that is read and written again stays the same. Dividing alone crosses to the next
    number in half precision in one row of a hundred.
    """
    out = stored.astype(np.float32)
    out /= measure(out)
    rows = np.flatnonzero((out.astype(np.float16) != stored).any(axis=1))
    kept = stored[rows]
    values = kept.astype(np.float64)
    low, high = (
        values + _INSIDE * (np.nextafter(kept, np.float16(end)).astype(np.float64) - values)
        for end in (-np.inf, np.inf)
    )
    for _ in range(_ROUNDS):
        values = np.clip(values / measure(values), low, high)
    out[rows] = values
    return out


def _gaussians(tensors: dict[str, _Array], header: dict[str, Any]) -> BoundGaussians:
    arrays = {
        name: tensors[f"gaussians.{name}"].astype(
            np.float32 if dtype.startswith("float") else dtype
        )
        for name, (dtype, _) in GAUSSIANS.items()
    }
    total, length = _sums(arrays["bary"]), _lengths(arrays["quats"])
    if len(total) and (np.abs(total - 1).max() > 0.01 or np.abs(length - 1).max() > 0.01):
        raise ValueError("barycentric coordinates or rotations do not have the length one")
    if (arrays["scales"] < 0).any():
        raise ValueError("a scale is negative")
    if (arrays["opacities"] < 0).any() or (arrays["opacities"] > 1).any():
        raise ValueError("an opacity is not between 0 and 1")
    arrays["bary"] = _normalize(tensors["gaussians.bary"], _sums)
    arrays["quats"] = _normalize(tensors["gaussians.quats"], _lengths)
    if "gaussians.part" in tensors:  # by name: a newer version may have more
        rows = [PARTS.index(name) if name in PARTS else 0 for name in header["parts"]]
        arrays["part"] = np.array(rows, np.uint8)[tensors["gaussians.part"]]
    if "gaussians.features" in tensors:
        arrays["features"] = tensors["gaussians.features"].astype(np.float32)
    return BoundGaussians(**arrays)


def _attribute(values: dict[str, Any], span: _Array) -> Attribute:
    texts = {name: values[name] for name in _ATTRIBUTE_KEYS if name != "value"}
    value = values["value"]
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("an attribute has a name that is not text")
    if not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ValueError(f"the attribute {values['name']!r} is not between 0 and 1")
    if (span[:, 0] == span[:, 1]).any():
        raise ValueError(f"the attribute {values['name']!r} has an empty span")
    return Attribute(**texts, value=float(value), span=span.astype(np.float32))


def _lod_start(tensors: dict[str, _Array]) -> _Array | None:
    start = tensors.get("gaussians.lod_start")
    if start is not None and (start < 0).any():
        raise ValueError("the order of importance has negative levels")
    return start


def _numbers(values: Any, shape: tuple[int, ...], name: str) -> _Array:
    array = np.array(values, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{name} is not {list(shape)} numbers")
    return array


def _pose(values: dict[str, Any], num_expression: int) -> Pose:
    return Pose(
        _numbers(values["full_pose"], (NUM_JOINTS, 3), "the pose"),
        _numbers(values["transl"], (3,), "the translation"),
        _numbers(values["expression"], (num_expression,), "the expression"),
    )


def _camera(values: dict[str, Any]) -> Camera:
    K = _numbers(values["K"], (3, 3), "the camera's K")
    width, height = int(values["width"]), int(values["height"])
    if width < 1 or height < 1 or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise ValueError("the camera has no picture")
    return Camera(_numbers(values["viewmat"], (4, 4), "the camera's viewmat"), K, width, height)
