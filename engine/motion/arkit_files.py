"""Face captures in ARKit's terms: Live Link Face's CSV, and JSON of several apps.

Columns and keys are named as ARKit's 52 actions, in any order and case, and, as Live Link Face has
them, ``HeadYaw``, ``HeadPitch``, ``HeadRoll`` and the same of both eyes in radians. Whether yaw and
pitch count to the left or right, up or down differs between versions of the app and how the phone
was held; the eyes tell, because the actions ``eyeLookUp`` and the like say the same.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..body.names import ARKIT_EXPRESSIONS, LOOK_RADIANS
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.types import FloatArray, LikenessError
from ..files.untrusted import CorruptFileError, parse_json, read_text
from .face_keys import ASSUMED_RATE, KNOWN, Arrays, joints_of_head, pose_of_head

FACE_SUFFIXES = (".csv", ".json")

_REMEDY = (
    "Give Live Link Face's CSV, or JSON with frames of ARKit's blend shapes (docs/face_capture.md)."
)
_MAX_FRAMES = 300_000
_MAX_WEIGHT = 100.0
_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 100.0, 120.0)
_APP_RATE = 60.0  # of Live Link Face
_MOVES = 0.02  # standard deviation of weights that say where an eye looks
_TIMECODE = re.compile(r"(\d+):(\d+):(\d+)[:;](\d+)(\.\d+)?")
_ANGLES = tuple(
    f"{part}{axis}" for part in ("Head", "LeftEye", "RightEye") for axis in ("Yaw", "Pitch", "Roll")
)
_NAMES = {name.lower(): name for name in (*ARKIT_EXPRESSIONS, *_ANGLES)}
_TIME_NAMES = {"timestamp": 1.0, "time": 1.0, "t": 1.0, "seconds": 1.0, "timestamp_ms": 1e-3}
"""Key of a frame's time -> seconds that its unit has."""

_RATE_NAMES = ("fps", "framerate", "frame_rate", "exportfps")
_WEIGHT_NAMES = ("blendshapes", "blend_shapes", "weights", "coefficients", "values", "shapes")
_LIST_NAMES = ("frames", "data", "animation", "samples", "results")


class _Table(NamedTuple):
    """Rows of numbers: names of the columns, [T, n] values, [T] times or None, rate or None.

    Times are seconds, or milliseconds that the file does not name so. ``assumed``: the rate is the
    app's usual one.
    """

    names: list[str]
    values: FloatArray
    times: FloatArray | None
    rate: float | None
    assumed: bool = False


def read_face_capture(path: Path) -> Arrays:
    """Read a face capture under the keys of a motion file.

    Args:
        path: a .csv or .json file.

    Returns:
        ``expression`` with ``expression_names``; the head's turn in ``body_pose``, the eyes' in
        ``leye_pose`` and ``reye_pose``; ``mocap_frame_rate`` where the file tells it, or, with
        ``face_keys.ASSUMED_RATE``, the app's usual one.

    Raises:
        LikenessError: names the file, the row or frame and column, and what to do.
    """
    try:
        text = read_text(path)
        table = _read_csv(text) if path.suffix.lower() == ".csv" else _read_json(text)
        return _to_arrays(_on_even_grid(table))
    except (CorruptFileError, OSError) as error:
        raise LikenessError(
            f"'{path}' cannot be read as a face capture: {error}.", _REMEDY
        ) from error


# Into arrays --------------------------------------------------------------------------------


def _on_even_grid(table: _Table) -> _Table:
    """The table at an even rate; frames that the app dropped are filled in between."""
    times = table.times
    if times is None or len(times) < 2:
        return table
    step = float(np.median(np.diff(times)))
    if table.rate is None and step >= 1.0:  # milliseconds: nobody films a face once a second
        times, step = times / 1000.0, step / 1000.0
    rate = table.rate or 1.0 / max(step, 1e-4)
    if not 1.0 <= rate <= 1000.0:
        raise CorruptFileError(f"its times are {1 / rate:g} s apart")
    count = round(float(times[-1] - times[0]) * rate) + 1
    if count > _MAX_FRAMES:
        raise CorruptFileError(f"its times span {count:,} frames; the limit is {_MAX_FRAMES:,}")
    grid = times[0] + np.arange(count) / rate
    values = np.stack([np.interp(grid, times, column) for column in table.values.T], 1)
    return table._replace(values=values, times=None, rate=rate)


def _to_arrays(table: _Table) -> Arrays:
    columns = dict(zip(table.names, table.values.T, strict=True))
    if not columns.keys() & set(ARKIT_EXPRESSIONS):
        raise CorruptFileError("it has none of ARKit's blend shapes, such as jawOpen")
    count = len(table.values)
    if count > _MAX_FRAMES:
        raise CorruptFileError(f"it has {count:,} frames; the limit is {_MAX_FRAMES:,}")
    zero = np.zeros(count)
    weights = {name: np.clip(columns.get(name, zero), 0, 1) for name in ARKIT_EXPRESSIONS}
    looks = [_look_of_weights(weights, side) for side in ("Left", "Right")]
    given = [
        np.stack([columns[f"{side}Eye{axis}"] for axis in ("Yaw", "Pitch")], 1)
        for side in ("Left", "Right")
        if {f"{side}EyeYaw", f"{side}EyePitch"} <= columns.keys()
    ]
    signs = _find_signs(np.concatenate(looks), np.concatenate(given) if len(given) == 2 else None)
    eyes = [
        _turn(signs[0] * angles[:, 0], signs[1] * angles[:, 1], zero)
        for angles in (given if len(given) == 2 else looks)
    ]
    yaw, pitch, roll = (columns.get(f"Head{axis}", zero) for axis in ("Yaw", "Pitch", "Roll"))
    if len(given) != 2:
        signs = _DEFAULT_SIGNS
    # Yaw and roll are mirrored together, as by a mirrored picture.
    head = _turn(yaw * signs[0], pitch * signs[1], roll * signs[0])
    pose = pose_of_head(head)
    known = joints_of_head()
    arrays: Arrays = {
        "expression": np.stack([weights[name] for name in ARKIT_EXPRESSIONS], 1),
        "expression_names": np.array(ARKIT_EXPRESSIONS, dtype=np.str_),
        "body_pose": pose[:, 1:22].reshape(count, -1),
        "jaw_pose": np.zeros((count, 3)),
        "leye_pose": eyes[0],
        "reye_pose": eyes[1],
        KNOWN: known,
    }
    if table.rate is not None:
        arrays["mocap_frame_rate"] = np.array(float(table.rate))
    if table.assumed:
        arrays[ASSUMED_RATE] = np.array(True)
    return arrays


_DEFAULT_SIGNS = np.array([1.0, -1.0])
"""Of yaw, about y to the person's own left; and of pitch, about x downwards."""


def _look_of_weights(weights: Mapping[str, FloatArray], side: str) -> FloatArray:
    """[T, 2] radians by which an eye looks to the person's own left, and down."""
    outwards = weights[f"eyeLookOut{side}"] - weights[f"eyeLookIn{side}"]
    down = weights[f"eyeLookDown{side}"] - weights[f"eyeLookUp{side}"]
    left = outwards if side == "Left" else -outwards
    look: FloatArray = LOOK_RADIANS * np.stack([left, down], 1)
    return look


def _find_signs(looks: FloatArray, given: FloatArray | None) -> FloatArray:
    """Which signs bring the file's yaw and pitch to where its actions say that the eyes look."""
    if given is None:
        return np.ones(2)
    signs = _DEFAULT_SIGNS.copy()
    for k in range(2):
        a, b = looks[:, k] - looks[:, k].mean(), given[:, k] - given[:, k].mean()
        if a.std() > _MOVES * LOOK_RADIANS and b.std() > 1e-4:
            alike = float(a @ b) / (np.linalg.norm(a) * np.linalg.norm(b))
            if abs(alike) > 0.3:
                signs[k] = np.sign(alike)
    return signs


def _turn(yaw: FloatArray, pitch: FloatArray, roll: FloatArray) -> FloatArray:
    """[T, 3] axis-angle of angles about y, then x, then z."""
    matrices = []
    for axis, angle in ((1, yaw), (0, pitch), (2, roll)):
        vectors = np.zeros((len(angle), 3))
        vectors[:, axis] = angle
        matrices.append(axis_angle_to_matrix(vectors))
    turns: FloatArray = matrix_to_axis_angle(matrices[0] @ matrices[1] @ matrices[2])
    return turns


# CSV ----------------------------------------------------------------------------------------


def _read_csv(text: str) -> _Table:
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise CorruptFileError(f"its table is damaged ({error})") from error
    if len(rows) < 2:
        raise CorruptFileError("it has no row below its header")
    header = [cell.strip().lower() for cell in rows[0]]
    columns = {k: _NAMES[name] for k, name in enumerate(header) if name in _NAMES}
    if len(set(columns.values())) != len(columns):
        raise CorruptFileError("a column is there twice")
    # A row that the app was stopped in holds less.
    body = rows[1:-1] if len(rows) > 2 and len(rows[-1]) < len(header) else rows[1:]
    values = np.empty((len(body), len(columns)))
    for r, row in enumerate(body, 2):
        if len(row) < len(header):
            raise CorruptFileError(f"row {r} has {len(row)} columns, not {len(header)}")
        for c, (k, name) in enumerate(columns.items()):
            values[r - 2, c] = _number(row[k], f"row {r}, column {name}")
    times, rate, assumed = _times_of_csv(header, body)
    return _Table(list(columns.values()), values, times, rate, assumed)


def _times_of_csv(
    header: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[FloatArray | None, float | None, bool]:
    """[T] times and the frame rate, where the table has them; whether the rate is assumed."""
    if "timecode" in header:
        k = header.index("timecode")
        return _read_timecodes([row[k] for row in rows])
    for name, unit in _TIME_NAMES.items():
        if name in header:
            k = header.index(name)
            times = [
                unit * _number(row[k], f"row {r}, column {name}", 1e12)
                for r, row in enumerate(rows, 2)
            ]
            return _increasing(np.array(times), "row", 2), None, False
    return None, None, False


def _read_timecodes(codes: Sequence[str]) -> tuple[FloatArray, float, bool]:
    """[T] seconds of HH:MM:SS:FF.sss, and the frame rate that their frames count to.

    Within one second that is unknown: then it is the app's usual one, and the third value is true.
    """
    parts = np.empty((len(codes), 2))
    for r, code in enumerate(codes, 2):
        found = _TIMECODE.fullmatch(code.strip())
        if found is None or len(code) > 40:
            raise CorruptFileError(f"row {r}, column Timecode: '{code[:40]}' is not a timecode")
        hours, minutes, seconds, frame = (int(found[k]) for k in range(1, 5))
        parts[r - 2] = (hours * 60 + minutes) * 60 + seconds, frame + float(found[5] or 0)
    most = float(np.floor(parts[:, 1].max())) + 1
    whole = bool((parts[:, 0] != parts[0, 0]).any())  # a second's last frame was seen
    rate = next((rate for rate in _RATES if rate >= most), None) if whole else _APP_RATE
    if rate is None or most > (rate or 0):
        raise CorruptFileError(f"column Timecode counts to {most:g} frames a second")
    times = parts[:, 0] + parts[:, 1] / rate
    times = times + 86_400.0 * np.cumsum(np.diff(times, prepend=times[0]) < -43_200)  # midnight
    return _increasing(times, "row", 2), rate, not whole


def _increasing(times: FloatArray, what: str, first: int) -> FloatArray:
    back = np.flatnonzero(np.diff(times) < 0)
    if len(back):
        raise CorruptFileError(f"{what} {int(back[0]) + 1 + first} is earlier than the one before")
    return times


# JSON ---------------------------------------------------------------------------------------


def _read_json(text: str) -> _Table:
    data = parse_json(text)
    top = _lower_keys(data) if isinstance(data, dict) else {}
    rate = next((_rate(top[name]) for name in _RATE_NAMES if name in top), None)
    if "facsnames" in top and "weightmat" in top:  # Audio2Face
        return _of_rows(top["facsnames"], top["weightmat"], rate)
    frames = data if isinstance(data, list) else None
    for name in _LIST_NAMES:
        if frames is None and isinstance(top.get(name), list):
            frames = top[name]
    if not frames:
        raise CorruptFileError("it has no list of frames")
    names = next((top[key] for key in ("names", "blendshapenames", "keys") if key in top), None)
    rows: list[dict[str, float]] = []
    times: list[float] = []
    for k, frame in enumerate(frames, 1):
        row, seconds = _read_frame(frame, names, f"frame {k}")
        rows.append(row)
        times += [] if seconds is None else [seconds]
    found = [name for name in _NAMES.values() if any(name in row for row in rows)]
    values = np.array([[row.get(name, 0.0) for name in found] for row in rows])
    timed = len(times) == len(rows) and len(rows) > 1
    clock = _increasing(np.array(times), "frame", 1) if timed else None
    return _Table(found, values.reshape(len(rows), len(found)), clock, rate)


def _of_rows(names: Any, rows: Any, rate: float | None) -> _Table:
    if not isinstance(names, list) or not isinstance(rows, list) or not rows:
        raise CorruptFileError("its names or weights are not lists")
    table = [_read_frame(row, names, f"frame {k}")[0] for k, row in enumerate(rows, 1)]
    found = [name for name in _NAMES.values() if name in table[0]]
    values = np.array([[row[name] for name in found] for row in table])
    return _Table(found, values.reshape(len(rows), len(found)), None, rate)


def _read_frame(frame: Any, names: Any, place: str) -> tuple[dict[str, float], float | None]:
    """A frame's weights and angles by name, and its time in seconds."""
    seconds = None
    weights = frame
    keys = _lower_keys(frame) if isinstance(frame, dict) else {}
    for name, unit in _TIME_NAMES.items():
        if seconds is None and name in keys and not isinstance(keys[name], dict | list | str):
            seconds = unit * _number(keys[name], f"{place}, {name}", 1e14)
    for name in _WEIGHT_NAMES:
        if name in keys:
            weights = keys[name]
            break
    if isinstance(weights, list) and weights and isinstance(weights[0], dict):
        weights = _named_list(weights, place)
    elif isinstance(weights, list):
        if not isinstance(names, list) or len(names) != len(weights):
            raise CorruptFileError(f"{place} has {len(weights)} weights without as many names")
        weights = dict(zip(map(str, names), weights, strict=True))
    if not isinstance(weights, dict):
        raise CorruptFileError(f"{place} is not a frame with weights")
    row = {
        _NAMES[key.lower()]: _number(value, f"{place}, {key}")
        for part in (frame if isinstance(frame, dict) else {}, weights)
        for key, value in part.items()
        if str(key).lower() in _NAMES
    }
    return row, seconds


def _named_list(weights: Sequence[Any], place: str) -> dict[str, Any]:
    """Weights as a list of names with their values, as MediaPipe writes them."""
    out: dict[str, Any] = {}
    for entry in weights:
        keys = _lower_keys(entry) if isinstance(entry, dict) else {}
        name = next((keys[k] for k in ("categoryname", "name", "key") if k in keys), None)
        value = next((keys[k] for k in ("score", "weight", "value") if k in keys), None)
        if not isinstance(name, str):
            raise CorruptFileError(f"{place} has a weight without a name")
        out[name] = value
    return out


def _lower_keys(data: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in data.items()}


def _rate(value: Any) -> float:
    rate = _number(value, "its frame rate", 1e6)
    if not 1 <= rate <= 1000:
        raise CorruptFileError(f"its frame rate is {rate:g}")
    return rate


def _number(value: Any, place: str, most: float = _MAX_WEIGHT) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise CorruptFileError(f"{place}: '{str(value)[:40]}' is not a number")
    if abs(number) > most:
        raise CorruptFileError(f"{place}: {number:g} is out of range")
    return number
