"""A recogniser that gets used to a voice: cepstra are moved to where its model expects them.

One affine map for all frames, found by maximum likelihood (constrained MLLR; Gales 1998) under the
models of single sounds, of which any may be spoken: no words need to be known. It takes out the
room, the microphone and much of what is particular about a speaker or a synthetic voice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...core.types import FloatArray, LikenessError
from .cepstra import COEFFICIENTS, make_streams
from .sphinx import import_pocketsphinx

_ROUNDS = 3
_PRIOR_FRAMES = 30.0
"""The map stays what it is as strongly as if so many frames spoke for it."""

_REACH = 2  # a coefficient takes in so many neighbours at each side; all 13 are too many to learn
_SWEEPS = 5
_SHARPNESS = 0.3  # of the choice among sounds; three streams count as one
_LEAST_SHARE = 0.002  # of a state; those below hardly count
_BLOCK = 256  # frames at once, for memory
_LEAST_VARIANCE = 1e-4
_MUTE = 1e-3  # of cepstra; what varies less is silence
_LOG_BASE = 1.0001
_STATES = 3


@dataclass(frozen=True)
class SoundModel:
    """PocketSphinx's models of single sounds: mixtures of 128 normal distributions, three streams.

    Attributes:
        linear: [3, P, 13, 128] mean over variance.
        precision: [3, P, 13, 128] one over variance.
        constant: [3, P, 1, 128] logarithms of densities at 0.
        weight: [3, P, 128, 3] of the distributions in each of a sound's three states.
    """

    linear: FloatArray
    precision: FloatArray
    constant: FloatArray
    weight: FloatArray


def adapt_cepstra(cepstra: FloatArray) -> FloatArray:
    """Return cepstra [T, 13] as PocketSphinx's model expects them."""
    if np.ptp(cepstra) < _MUTE:
        return cepstra
    model = read_sound_model()
    streams = make_streams(cepstra)
    ones = (1.0, 0.0, 0.0)  # what shifts the cepstra does not change their differences
    inputs = [
        np.pad(stream, ((0, 0), (0, 1)), constant_values=one)
        for stream, one in zip(streams, ones, strict=True)
    ]
    mapping = np.eye(COEFFICIENTS, COEFFICIENTS + 1)
    for _ in range(_ROUNDS):
        square, linear = _collect(model, inputs, cepstra @ mapping[:, :-1].T + mapping[:, -1])
        mapping = _solve(mapping, square, linear, len(cepstra))
    return np.asarray(cepstra @ mapping[:, :-1].T + mapping[:, -1])


@cache
def read_sound_model() -> SoundModel:
    """Read the models of single sounds from PocketSphinx's package.

    Raises:
        LikenessError: the package is missing, or contains another model.
    """
    folder = Path(import_pocketsphinx().get_model_path("en-us/en-us"))
    means, variances = (_read_densities(folder / name) for name in ("means", "variances"))
    sounds, streams, densities, _ = means.shape
    codes = np.frombuffer((folder / "sendump").read_bytes(), np.uint8)
    states = int(
        np.frombuffer((folder / "mdef").read_bytes(), "<i4", 1, _mdef_start(folder) + 16)[0]
    )
    codes = codes[-streams * densities * states :].reshape(streams, densities, states)
    codes = codes[:, :, : sounds * _STATES].reshape(streams, densities, sounds, _STATES)
    weight = _LOG_BASE ** (-1024.0 * codes.transpose(0, 2, 1, 3))
    variances = np.maximum(variances, _LEAST_VARIANCE).transpose(1, 0, 3, 2)
    means = means.transpose(1, 0, 3, 2)
    constant = -0.5 * (means**2 / variances + np.log(2 * np.pi * variances)).sum(2, keepdims=True)
    parts = (means / variances, 1 / variances, constant, weight)
    return SoundModel(*(np.ascontiguousarray(part, np.float32) for part in parts))


def _mdef_start(folder: Path) -> int:
    """Where the counts begin in the file of the model's states."""
    return 12 + int(np.frombuffer((folder / "mdef").read_bytes(), "<i4", 1, 8)[0])


def _read_densities(path: Path) -> FloatArray:
    """[P, 3, 128, 13] means or variances."""
    content = path.read_bytes()
    start = content.index(b"endhdr\n") + 11  # a mark of the byte order follows the text
    shape = np.frombuffer(content, "<i4", 7, start)
    sounds, streams, densities = (int(n) for n in shape[:3])
    if streams != 3 or tuple(shape[3:6]) != (COEFFICIENTS,) * 3:
        raise LikenessError(
            f"'{path}' is not the acoustic model that PocketSphinx 5 contains.",
            "Install the package 'pocketsphinx' again.",
        )
    values = np.frombuffer(content, "<f4", int(shape[6]), start + 28)
    return values.reshape(sounds, streams, densities, COEFFICIENTS).astype(np.float64)


def _collect(
    model: SoundModel, inputs: list[FloatArray], adapted: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """What the likelihood of a map depends on.

    Args:
        model: the sounds.
        inputs: three times [T, 14], what the map is applied to.
        adapted: [T, 13] by the map so far.

    Returns:
        For each row of the map its square [13, 14, 14] and linear [13, 14] part.
    """
    size = COEFFICIENTS + 1
    square, linear = np.zeros((COEFFICIENTS, size, size)), np.zeros((COEFFICIENTS, size))
    streams = [stream.astype(np.float32) for stream in make_streams(adapted)]
    for first in range(0, len(adapted), _BLOCK):
        rows = slice(first, first + _BLOCK)
        expected = _expect(model, [stream[rows] for stream in streams])
        for (precision, pull), x in zip(expected, inputs, strict=True):
            x = x[rows]
            linear += pull.T @ x
            square += np.einsum("ti,ta,tb->iab", precision, x, x, optimize=True)
    return square, linear


def _expect(model: SoundModel, streams: list[FloatArray]) -> list[tuple[FloatArray, FloatArray]]:
    """Expected precision [T, 13] and precision times mean [T, 13] of frames, of each stream."""
    shares, total = [], np.float32(0.0)
    for k, x in enumerate(streams):
        density = model.constant[k] + x @ model.linear[k] - 0.5 * (x * x) @ model.precision[k]
        most = density.max(2, keepdims=True)
        np.exp(density - most, out=density)
        mixed = density @ model.weight[k] + np.float32(1e-30)
        shares.append((density, mixed))
        total = total + np.log(mixed) + most  # [P, T, 3]
    state = np.exp(_SHARPNESS * (total - total.max((0, 2), keepdims=True)))
    state /= state.sum((0, 2), keepdims=True)
    state[state < _LEAST_SHARE] = 0.0
    sounds = np.flatnonzero(state.any((1, 2)))
    out = []
    for k, (density, mixed) in enumerate(shares):
        each = (state[sounds] / mixed[sounds]) @ model.weight[k][sounds].transpose(0, 2, 1)
        each *= density[sounds]
        out.append(
            tuple(
                (each @ part[k][sounds].transpose(0, 2, 1)).sum(0)
                for part in (model.precision, model.linear)
            )
        )
    return out


def _solve(mapping: FloatArray, square: FloatArray, linear: FloatArray, frames: int) -> FloatArray:
    """The likeliest map [13, 14], row by row, beginning from another."""
    mapping = mapping.copy()
    steps = np.arange(COEFFICIENTS)
    weight = 3.0 * frames  # each of the three streams is stretched by the map
    for _ in range(_SWEEPS):
        for i in steps:
            prior = np.diag(square[i].diagonal() * _PRIOR_FRAMES / frames)
            cofactors = np.linalg.inv(mapping[:, :-1])[:, i] * np.linalg.det(mapping[:, :-1])
            free = np.append(np.flatnonzero(np.abs(steps - i) <= _REACH), COEFFICIENTS)
            inverse = np.linalg.inv((square[i] + prior)[np.ix_(free, free)])
            pull = (linear[i] + prior[i])[free]
            p = np.append(cofactors, 0.0)[free]
            # The row is inverse (pull + a p), where a solves a quadratic equation; of its two
            # roots the one that keeps the determinant's sign.
            pp, pk = p @ inverse @ p, p @ inverse @ pull
            root = np.sqrt(pk * pk + 4 * pp * weight)
            sign = np.sign(p @ mapping[i, free])
            mapping[i, free] = inverse @ (pull + (sign * root - pk) / (2 * pp) * p)
    return mapping
