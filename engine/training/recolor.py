"""Random colours for a whole sample, sampled anew each time it is read.

A network soon memorises a few hundred people: it then paints the back of a shirt as it remembers it
instead of deriving it from the photo. With light, white balance and saturation changed together in
the input and the truth, no person looks the same twice (ours; the paper has a hundred times as many
people).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.types import FloatArray
from ..network.inputs import BACKDROP
from .augment import ColorJitter
from .samples import TrainingSample

EXPOSURE, BALANCE, CONTRAST, SATURATION = 0.30, 0.12, 0.12, 0.25
"""Standard deviations of logarithms at a strength of 1."""


def draw_color_jitter(rng: np.random.Generator, strength: float) -> ColorJitter:
    """Sample a change of colours; none at a strength of 0."""
    gains = np.exp(strength * (EXPOSURE * rng.normal() + BALANCE * rng.normal(size=3)))
    contrast, saturation = np.exp(strength * rng.normal(0.0, [CONTRAST, SATURATION]))
    r, g, b = (float(v) for v in gains)
    return ColorJitter((r, g, b), float(contrast), float(saturation))


def recolor_sample(sample: TrainingSample, look: ColorJitter) -> TrainingSample:
    """Change the colours of a person: photo, Gaussians, maps and truth alike."""
    given = sample.inputs
    photos = tuple(replace(photo, image=_on_grey(photo.image, look)) for photo in given.photos)
    map_ = np.where(given.color_map[..., 3:] > 0, _colors(given.color_map, look), given.color_map)
    inputs = replace(
        given,
        photos=photos,
        color_map=map_,
        base=replace(given.base, colors=look(given.base.colors)),
    )
    views = tuple(replace(view, rgba=_colors(view.rgba, look)) for view in sample.views)
    seen = None if sample.seen is None else _colors(sample.seen, look)
    return replace(sample, inputs=inputs, views=views, seen=seen)


def _colors(values: FloatArray, look: ColorJitter) -> FloatArray:
    """[..., 4] whose first three are colours."""
    out: FloatArray = np.concatenate([look(values[..., :3]), values[..., 3:]], -1)
    return out.astype(np.float32)


def _on_grey(image: FloatArray, look: ColorJitter) -> FloatArray:
    """[S, S, 3] the encoder's picture, whose backdrop stays unchanged."""
    behind = (np.abs(image - BACKDROP) < 1e-3).all(-1, keepdims=True)
    return np.asarray(np.where(behind, image, look(image)), np.float32)
