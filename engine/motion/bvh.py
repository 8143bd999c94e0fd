"""BVH files: a hierarchy of joints with offsets and channels, then one line of numbers a frame.

Channels may come in any order and at any joint. A joint's rotation channels are turns about its
own axes in the order in which they stand, the first one outermost; position channels stand in for
its offset.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..core.rotations import axis_angle_to_matrix
from ..core.types import FloatArray, LikenessError
from ..files.untrusted import require_file
from .skeleton import Skeleton, SkeletonMotion, forward_kinematics

MAX_BYTES = 1 << 30
MAX_ROTATIONS = 20_000_000
"""Joints times frames: ten minutes of 300 joints at 120 frames a second."""

MAX_VALUE = 1e8  # any unit of length, and degrees; larger values cannot be drawn

_REMEDY = "Export it again as BVH."
_AXES = {"X": 0, "Y": 1, "Z": 2}


@dataclass
class _Joint:
    name: str
    parent: int
    offset: list[float] | None = None
    channels: list[tuple[str, int]] = field(default_factory=list)  # ("position", axis), ...


class _Lines:
    """The words of a file line by line; reports where a fault is."""

    def __init__(self, text: str, path: Path) -> None:
        self.path = path
        self._lines = text.splitlines()
        self.number = 0  # of the line read last, from 1

    def next(self) -> list[str]:
        while self.number < len(self._lines):
            self.number += 1
            words = self._lines[self.number - 1].split()
            if words:
                return words
        raise self.fault("the file ends too early")

    def rest(self) -> list[str]:
        return self._lines[self.number :]

    def fault(self, what: str) -> LikenessError:
        return LikenessError(f"'{self.path}', line {self.number}: {what}.", _REMEDY)

    def numbers(self, words: list[str], count: int, what: str) -> list[float]:
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if len(values) != count or not np.isfinite(values).all():
            raise self.fault(f"{what} needs {count} numbers, not '{' '.join(words)[:60]}'")
        return values


def read_bvh(path: Path) -> SkeletonMotion:
    """Read a skeleton and its motion, in the file's axes and units.

    End sites count as bones, named ``<parent>.end``, so that the last bones have a direction.

    Args:
        path: the BVH file.

    Raises:
        LikenessError: names the file, the line and what is wrong with it.
    """
    path = Path(path)
    lines = _Lines(_text(path), path)
    if [word.upper() for word in lines.next()] != ["HIERARCHY"]:
        raise LikenessError(
            f"'{path}' is not a BVH file: it does not begin with HIERARCHY.", _REMEDY
        )
    joints = _hierarchy(lines)
    frames, rate = _header(lines)
    width = sum(len(joint.channels) for joint in joints)
    if frames * len(joints) > MAX_ROTATIONS:
        raise LikenessError(
            f"'{path}' has {frames} frames of {len(joints)} joints.", "Cut it into shorter clips."
        )
    return _moved(joints, _values(lines, frames, width), rate)


def _text(path: Path) -> str:
    size = require_file(path, "Choose a BVH file.")
    try:
        if size > MAX_BYTES:
            raise LikenessError(f"'{path}' is larger than 1 GiB.", "Cut it into shorter clips.")
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise LikenessError(f"'{path}' cannot be read ({error.strerror}).", _REMEDY) from error


def _hierarchy(lines: _Lines) -> list[_Joint]:
    """Joints up to the line MOTION, parents before children."""
    joints: list[_Joint] = []
    open_joints: list[int] = []
    pending: int | None = None  # a joint whose brace is still to come
    while True:
        word, *rest = lines.next()
        key = word.upper()
        if key == "MOTION" and not open_joints and joints and pending is None:
            return joints
        if key in ("ROOT", "JOINT", "END") and pending is None:
            if (key == "ROOT") != (not open_joints):
                raise lines.fault(f"{word} is in the wrong place")
            parent = open_joints[-1] if open_joints else -1
            name = f"{joints[parent].name}.end" if key == "END" else " ".join(rest).rstrip("{")
            if not name.strip():
                raise lines.fault("the joint has no name")
            joints.append(_Joint(name.strip(), parent))
            pending = len(joints) - 1
            if not rest or not rest[-1].endswith("{"):
                continue
            key = "{"
        if key == "{" and pending is not None:
            open_joints.append(pending)
            pending = None
        elif key == "}" and open_joints:
            if joints[open_joints.pop()].offset is None:
                raise lines.fault("a joint ends without OFFSET")
        elif key == "OFFSET" and open_joints and pending is None:
            joints[open_joints[-1]].offset = lines.numbers(rest, 3, "OFFSET")
        elif key == "CHANNELS" and open_joints and pending is None:
            joints[open_joints[-1]].channels = _channels(lines, rest)
        else:
            raise lines.fault(f"'{word}' is not expected here")


def _channels(lines: _Lines, words: list[str]) -> list[tuple[str, int]]:
    if not words or not words[0].isdigit() or int(words[0]) != len(words) - 1:
        raise lines.fault("CHANNELS needs a number and that many names")
    channels = []
    for word in words[1:]:
        axis, kind = _AXES.get(word[:1].upper()), word[1:].lower()
        if axis is None or kind not in ("position", "rotation"):
            raise lines.fault(f"'{word}' is not a channel")
        channels.append((kind, axis))
    if len(set(channels)) < len(channels):
        raise lines.fault("a channel is listed twice")
    return channels


def _header(lines: _Lines) -> tuple[int, float]:
    """Number of frames, frames a second."""
    words = lines.next()
    if words[0].rstrip(":").upper() != "FRAMES" or not words[-1].isdigit():
        raise lines.fault("'Frames: <number>' is expected here")
    frames = int(words[-1])
    if frames < 1:
        raise lines.fault("the file has no frames")
    words = lines.next()
    if " ".join(words[:2]).rstrip(":").upper() != "FRAME TIME":
        raise lines.fault("'Frame Time: <seconds>' is expected here")
    (seconds,) = lines.numbers(words[2:], 1, "Frame Time")
    if not 1e-4 < seconds < 100:
        raise lines.fault(f"frames cannot last {seconds:g} seconds")
    # files round the time of a frame: 0.008333 means 120 a second
    rate = 1 / seconds
    return frames, float(round(rate)) if abs(rate - round(rate)) < 0.005 * rate else rate


def _values(lines: _Lines, frames: int, width: int) -> FloatArray:
    """[frames, width] numbers; frames may be broken into lines anywhere."""
    rest = lines.rest()
    try:
        values = np.array(" ".join(rest).split(), np.float64)
    except ValueError:
        values = np.full(1, np.nan)
    if len(values) == frames * width and np.isfinite(values).all():
        if values.size and np.abs(values).max() > MAX_VALUE:
            raise lines.fault(f"a value exceeds {MAX_VALUE:,.0f}")
        return values.reshape(frames, width)
    found = 0
    for line in rest:  # find the faulty line
        lines.number += 1
        words = line.split()
        if words:
            lines.numbers(words, width, f"frame {found + 1}")
            found += 1
        if found > frames:
            raise lines.fault(f"the file has more frames than the {frames} in its header")
    raise lines.fault(f"the file has {found} frames, its header says {frames}")


def _moved(joints: list[_Joint], values: FloatArray, rate: float) -> SkeletonMotion:
    parents = tuple(joint.parent for joint in joints)
    offsets = np.array([joint.offset for joint in joints])
    moving = np.repeat(offsets[None], len(values), 0)
    local = np.tile(np.eye(3), (len(values), len(joints), 1, 1))
    column = 0
    for j, joint in enumerate(joints):
        for kind, axis in joint.channels:
            if kind == "position":
                moving[:, j, axis] = values[:, column]
            else:
                turn = np.radians(values[:, column, None]) * np.eye(3)[axis]
                local[:, j] = local[:, j] @ axis_angle_to_matrix(turn)
            column += 1
    R, heads = forward_kinematics(moving, parents, local)
    _, rest = forward_kinematics(offsets, parents, local[:1] * 0 + np.eye(3))
    skeleton = Skeleton(
        tuple(joint.name for joint in joints),
        parents,
        rest[0],
        np.tile(np.eye(3), (len(joints), 1, 1)),
    )
    return SkeletonMotion(skeleton, R, heads, rate)
