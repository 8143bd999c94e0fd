"""A person of the training data, and its form in a shard."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.types import NUM_JOINTS, Camera, FloatArray, LikenessError, Pose
from ..files.untrusted import parse_json, read_npz
from .pairs import KINDS
from .picture_codec import (
    InvalidSampleError,
    decode_depth,
    decode_labels,
    decode_picture,
    encode_rgba,
    picture_format,
)

__all__ = ["PERSON", "InvalidSampleError", "Subject", "SubjectView", "encode_rgba", "person_key"]

VERSION = 1
SOURCES = ("rendered", "generated")
FRAMINGS = ("head", "half", "full")
PERSON = "person_"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")  # WebDataset reserves a leading _
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_/-]*")
_ARRAYS = {
    "betas": 1,
    "full_pose": 3,
    "transl": 2,
    "expression": 2,
    "viewmats": 3,
    "Ks": 3,
    "sizes": 2,
    "view_pose": 1,
}
_BODY, _JSON = "body.npz", "json"
_EXTRAS = ("background", "depth", "labels")  # pictures that a view may lack


@dataclass(frozen=True)
class SubjectView:
    """One picture of a subject.

    Attributes:
        name: Lower-case letters, digits, ``_`` and ``-``.
        pose: Row of the subject's poses.
        kind: ``front``, ``side`` or ``back``: the side of the trunk that the camera sees.
        azimuth: Degrees by which the camera stands to the left of where the trunk faces.
        camera: In the space of the subject's poses.
        held_out: Kept from training, for measuring.
        picture: A PNG or WebP file: the person, straight alpha, no background.
        background: A JPEG file of the same size as a possible background, or None.
        depth: A 16-bit PNG of the distance along the view axis (:mod:`.picture_codec`), or None.
        labels: An 8-bit PNG of what each pixel shows, or None; the subject's facts name them.
    """

    name: str
    pose: int
    kind: str
    azimuth: float
    camera: Camera
    held_out: bool
    picture: bytes
    background: bytes | None = None
    depth: bytes | None = None
    labels: bytes | None = None

    def image(self) -> Image.Image:
        """Decode the picture, RGBA.

        Raises:
            InvalidSampleError: It is damaged, or lacks alpha.
        """
        pixels = decode_picture(self.picture, self.name, self.camera)
        if pixels.mode != "RGBA":
            raise InvalidSampleError(
                f"the picture '{self.name}' has no alpha (it is {pixels.mode})"
            )
        return pixels

    def rgba(self) -> FloatArray:
        """Decode the picture.

        Returns:
            [H, W, 4] float32 sRGB in 0..1, straight alpha.

        Raises:
            InvalidSampleError: As :meth:`image`.
        """
        return np.asarray(self.image(), np.float32) / np.float32(255.0)

    def behind(self) -> FloatArray | None:
        """Decode the view's own background.

        Returns:
            [H, W, 3] float32 sRGB in 0..1; None if none is stored.

        Raises:
            InvalidSampleError: It is damaged.
        """
        if self.background is None:
            return None
        pixels = decode_picture(self.background, f"{self.name}.background", self.camera)
        return np.asarray(pixels.convert("RGB"), np.float32) / np.float32(255.0)

    def depth_metres(self) -> FloatArray | None:
        """Decode the depth.

        Returns:
            [H, W] float32 metres along the view axis, infinite where there is nothing; None if none
            is stored.

        Raises:
            InvalidSampleError: It is damaged.
        """
        if self.depth is None:
            return None
        return decode_depth(self.depth, f"{self.name}.depth", self.camera)

    def label_rows(self) -> NDArray[np.uint8] | None:
        """Decode the labels.

        Returns:
            [H, W] uint8 what each pixel shows (rows of ``wardrobe.mesh_parts.LABELS``, 0: nothing);
            None if none are stored.

        Raises:
            InvalidSampleError: They are damaged.
        """
        if self.labels is None:
            return None
        return decode_labels(self.labels, f"{self.name}.labels", self.camera)


@dataclass(frozen=True)
class Subject:
    """A person seen from several sides, with the true body, poses and cameras.

    Attributes:
        key: Letters, digits, ``_``, ``-`` and ``/``: the stem of the files in the shard.
        source: ``rendered`` (all views agree exactly) or ``generated`` (they nearly do).
        framing: ``head``, ``half`` or ``full``.
        seed: That the person was generated from.
        betas: [B].
        full_pose: [P, 55, 3] radians: P poses in one space with y up, as in
            :class:`~..types.Pose`; so are the next two.
        transl: [P, 3] metres.
        expression: [P, E].
        views: V of them.
        facts: Whatever else the maker knows (texts, assets), JSON-able; not used by training.
            ``reference`` names the view that was meant as the photo, ``labels`` are the names of
            the rows in label pictures.
    """

    key: str
    source: str
    framing: str
    seed: int
    betas: FloatArray
    full_pose: FloatArray
    transl: FloatArray
    expression: FloatArray
    views: tuple[SubjectView, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def pose(self, view: int) -> Pose:
        """Get the pose in a view, by the view's row."""
        row = self.views[view].pose
        return Pose(self.full_pose[row], self.transl[row], self.expression[row])

    @property
    def reference(self) -> int:
        """Row of the view that was meant as the photo; the first if the facts do not name one."""
        names = [view.name for view in self.views]
        named = self.facts.get("reference")
        return names.index(named) if named in names else 0

    @cached_property
    def identity(self) -> str:
        """Hash of everything that is stored, to recognise the subject."""
        return hashlib.sha256(self.members()[_JSON]).hexdigest()[:20]

    def members(self) -> dict[str, bytes]:
        """Encode the subject as the files of a shard.

        Returns:
            Each file's bytes by what follows the key and a dot in its name.

        Raises:
            LikenessError: A name, kind or picture does not fit the format.
        """
        _check_names(self)
        cameras = [view.camera for view in self.views]
        arrays: dict[str, Any] = {
            "betas": np.asarray(self.betas, np.float32),
            "full_pose": np.asarray(self.full_pose, np.float32),
            "transl": np.asarray(self.transl, np.float32),
            "expression": np.asarray(self.expression, np.float32),
            "viewmats": np.stack([np.asarray(c.viewmat, np.float64) for c in cameras]),
            "Ks": np.stack([np.asarray(c.K, np.float64) for c in cameras]),
            "sizes": np.array([[c.width, c.height] for c in cameras], np.int32),
            "view_pose": np.array([view.pose for view in self.views], np.int32),
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        out = {_BODY: buffer.getvalue()}
        views = []
        for view in self.views:
            picture = f"{view.name}.{picture_format(view.picture)}"
            out[picture] = view.picture
            behind = None
            if view.background is not None:
                behind = f"{view.name}.background.jpg"
                out[behind] = view.background
            said: dict[str, Any] = {
                "name": view.name,
                "kind": view.kind,
                "azimuth": round(float(view.azimuth), 3),
                "held_out": view.held_out,
                "picture": picture,
                "background": behind,
            }
            for what, data in (("depth", view.depth), ("labels", view.labels)):
                if data is not None:
                    said[what] = f"{view.name}.{what}.png"
                    out[said[what]] = data
            views.append(said)
        about = {
            "version": VERSION,
            "source": self.source,
            "framing": self.framing,
            "seed": int(self.seed),
            "views": views,
            "facts": dict(self.facts),
            "crc32": {name: zlib.crc32(data) for name, data in sorted(out.items())},
        }
        out[_JSON] = (json.dumps(about, indent=1, allow_nan=False) + "\n").encode()
        return out

    @staticmethod
    def of_members(
        key: str, members: Mapping[str, bytes], num_betas: int, num_expression: int
    ) -> Subject:
        """Decode the files of :meth:`members`; pictures are decoded only when they are used.

        Args:
            key: Of the subject.
            members: The files.
            num_betas: Of the body that will be posed.
            num_expression: Of the body that will be posed.

        Raises:
            InvalidSampleError: A file is missing or damaged, or does not belong to such a body.
        """
        about = _about(members)
        for name, expected in about["crc32"].items():
            if name not in members:
                raise InvalidSampleError(f"'{name}' is missing")
            if zlib.crc32(members[name]) != expected:
                raise InvalidSampleError(f"'{name}' is damaged (its checksum is another)")
        arrays = _arrays(members, num_betas, num_expression, len(about["views"]))
        views = []
        for k, said in enumerate(about["views"]):
            width, height = (int(side) for side in arrays["sizes"][k])
            stored = {what: said[what] and members[said[what]] for what in _EXTRAS}
            views.append(
                SubjectView(
                    said["name"],
                    int(arrays["view_pose"][k]),
                    said["kind"],
                    float(said["azimuth"]),
                    Camera(arrays["viewmats"][k], arrays["Ks"][k], width, height),
                    said["held_out"],
                    members[said["picture"]],
                    **stored,
                )
            )
        subject = Subject(
            key,
            about["source"],
            about["framing"],
            about["seed"],
            arrays["betas"],
            arrays["full_pose"],
            arrays["transl"],
            arrays["expression"],
            tuple(views),
            about["facts"],
        )
        subject.__dict__["identity"] = hashlib.sha256(members[_JSON]).hexdigest()[:20]
        return subject


def person_key(number: int) -> str:
    """Get the key of a person in a numbered set.

    >>> person_key(123)
    'person_000123'
    """
    return f"{PERSON}{number:06d}"


def _check_names(subject: Subject) -> None:
    names = [view.name for view in subject.views]
    wrong = None
    if not _KEY.fullmatch(subject.key):
        wrong = f"the key '{subject.key}' has other characters than letters, digits, _, - and /"
    elif subject.source not in SOURCES or subject.framing not in FRAMINGS:
        wrong = f"source '{subject.source}' or framing '{subject.framing}' is not known"
    elif not names or len(set(names)) < len(names):
        wrong = "it has no views, or two of one name"
    elif not all(_NAME.fullmatch(name) and name not in ("body", "json") for name in names):
        wrong = f"a view's name has other characters than a-z, 0-9, _ and -: {', '.join(names)}"
    elif not all(view.kind in KINDS for view in subject.views):
        wrong = f"a view's kind is none of {', '.join(KINDS)}"
    if wrong:
        raise LikenessError(
            f"'{subject.key}' cannot be stored: {wrong}.", "Fix the program that made it."
        )


def _about(members: Mapping[str, bytes]) -> dict[str, Any]:
    """The JSON, after all fields that are read of it were checked."""
    if _JSON not in members:
        raise InvalidSampleError("it has no .json")
    try:
        about = parse_json(members[_JSON])
    except ValueError as error:
        raise InvalidSampleError(f"its .json cannot be read ({error})") from error
    if not isinstance(about, dict) or about.get("version") != VERSION:
        said = about.get("version") if isinstance(about, dict) else None
        raise InvalidSampleError(f"its .json is of version {said!r}, not {VERSION}")
    wanted = {
        "source": str,
        "framing": str,
        "seed": int,
        "views": list,
        "crc32": dict,
        "facts": dict,
    }
    _check_fields(about, wanted, "its .json")
    if about["source"] not in SOURCES or about["framing"] not in FRAMINGS or not about["views"]:
        raise InvalidSampleError(
            "its .json names a source or framing that is not known, or no views"
        )
    for view in about["views"]:
        if not isinstance(view, dict):
            raise InvalidSampleError("its .json has a view that is none")
        of_view = {
            "name": str,
            "kind": str,
            "azimuth": (int, float),
            "held_out": bool,
            "picture": str,
        }
        _check_fields(view, of_view, "a view in its .json")
        if not isfinite(view["azimuth"]):
            raise InvalidSampleError(f"the view '{view['name']}' has no finite azimuth")
        if view["kind"] not in KINDS:
            raise InvalidSampleError(f"the view '{view['name']}' is of kind '{view['kind']}'")
        for what in ("picture", *_EXTRAS):
            name = view.setdefault(what, None)
            if name is not None and str(name) not in about["crc32"]:
                raise InvalidSampleError(f"the checksum of '{name}' is missing")
    if _BODY not in about["crc32"]:
        raise InvalidSampleError(f"the checksum of '{_BODY}' is missing")
    return about


def _check_fields(values: dict[str, Any], wanted: Mapping[str, Any], where: str) -> None:
    for name, kind in wanted.items():
        if not isinstance(values.get(name), kind):
            raise InvalidSampleError(f"{where} has no good '{name}' ({values.get(name)!r})")


def _arrays(
    members: Mapping[str, bytes], num_betas: int, num_expression: int, views: int
) -> dict[str, Any]:
    """The arrays of the .npz, after their shapes and values were checked."""
    try:
        found = read_npz(io.BytesIO(members[_BODY]), _ARRAYS)
        arrays = {name: found[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError) as error:
        raise InvalidSampleError(f"its {_BODY} cannot be read ({error})") from error
    for name, axes in _ARRAYS.items():
        if arrays[name].ndim != axes or arrays[name].dtype.kind not in "fiu":
            raise InvalidSampleError(f"{name} is {arrays[name].dtype} {arrays[name].shape}")
        if not np.isfinite(arrays[name]).all():
            raise InvalidSampleError(f"{name} has numbers that are not finite")
    poses = len(arrays["full_pose"])
    wanted = {
        "betas": (num_betas,),
        "full_pose": (poses, NUM_JOINTS, 3),
        "transl": (poses, 3),
        "expression": (poses, num_expression),
        "viewmats": (views, 4, 4),
        "Ks": (views, 3, 3),
        "sizes": (views, 2),
        "view_pose": (views,),
    }
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise InvalidSampleError(f"{name} is {arrays[name].shape}, not {shape}")
    if (arrays["sizes"] <= 0).any() or (arrays["Ks"][:, [0, 1], [0, 1]] <= 0).any():
        raise InvalidSampleError("a camera has no size or no focal length")
    if not ((arrays["view_pose"] >= 0) & (arrays["view_pose"] < poses)).all():
        raise InvalidSampleError(f"a view is of a pose that is none of {poses}")
    return arrays
