"""PocketSphinx and its English model; its decoders hear adapted cepstra here, not samples."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ...core.types import FloatArray, LikenessError
from .cepstra import make_cepstra, measure_spectra

_FRAME_SECONDS = 0.01
_ONSET_SECONDS = 0.005
"""A sound begins this much after the frame that says so: a frame looks at 25 ms."""

_PEAK = 20_000.0  # of 16-bit samples
_LEAST_PEAK = 1e-4  # of 1; what is quieter is mute
_FEATURES = {
    "lowerf": "130",
    "upperf": "6800",
    "nfilt": "25",
    "transform": "dct",
    "lifter": "22",
    "feat": "1s_c_d_dd",
    "svspec": "0-12/13-25/26-38",
    "agc": "none",
    "cmn": "none",
    "varnorm": "no",
    "model": "ptm",
}
"""The model's own settings but for the mean, which the adaptation sets."""


def find_recognizer() -> str | None:
    """Why PocketSphinx cannot be used; None where it can."""
    try:
        import_pocketsphinx()
    except LikenessError as error:
        return str(error)
    return None


def import_pocketsphinx() -> Any:
    """Return the package PocketSphinx.

    Raises:
        LikenessError: it is not installed.
    """
    try:
        import pocketsphinx
    except ImportError as error:
        raise LikenessError(
            "Recognising speech needs the package 'pocketsphinx', which is not installed.",
            "Restart Blender. Elsewhere, install the package 'pocketsphinx'.",
        ) from error
    return pocketsphinx


def open_decoder(**settings: Any) -> Any:
    """Open a decoder of PocketSphinx's English model for :func:`decode_cepstra`.

    Args:
        settings: PocketSphinx's own.
    """
    package = import_pocketsphinx()
    # The model's file of settings outweighs what a decoder is given, another file does not.
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "feat.params"
        path.write_text("".join(f"-{k} {v}\n" for k, v in _FEATURES.items()), encoding="ascii")
        return package.Decoder(
            hmm=package.get_model_path("en-us/en-us"),
            featparams=str(path),
            loglevel="FATAL",
            **settings,
        )


def measure_cepstra(samples: FloatArray, floor: float, warp: float = 1.0) -> FloatArray:
    """Return :func:`.cepstra.make_cepstra` of samples [N] in -1..1, at one loudness."""
    peak = float(np.abs(samples).max(initial=0.0))
    scale = _PEAK / peak if peak > _LEAST_PEAK else 0.0
    return make_cepstra(measure_spectra(np.asarray(samples, np.float64) * scale), floor, warp)


def decode_cepstra(decoder: Any, cepstra: FloatArray) -> None:
    """Let a decoder hear cepstra [T, 13] as one utterance."""
    decoder.start_utt()
    decoder.process_cep(np.ascontiguousarray(cepstra, "<f4").tobytes(), full_utt=True)
    decoder.end_utt()


def segment_times(segment: Any, seconds: float) -> tuple[float, float]:
    """Return start and end of a decoder's segment in seconds.

    Args:
        segment: of the decoder.
        seconds: duration of what it heard.
    """
    start = segment.start_frame * _FRAME_SECONDS + _ONSET_SECONDS
    return start, min((segment.end_frame + 1) * _FRAME_SECONDS + _ONSET_SECONDS, seconds)
