"""Parts of a picture filled from a text by FLUX fill (PERSE, eq. 6).

Unlike an editing model it sees a mask: all else of the picture stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from ..core.types import BoolArray, FloatArray, LikenessError
from .models import FILL, Placement, find_model_folder

GUIDANCE = 30.0  # the model's own
LONGEST = 1024  # pixels along the longer side, for which it was trained
MULTIPLE = 16  # pixels by which its pictures' sides can be divided
SOFT = 0.004  # of the longer side, over which what was filled passes into the photo
PIPELINE = "FluxFillPipeline"

Fill = Callable[[Image.Image, Image.Image, str, int], Image.Image]
"""Maps a picture, a mask (white is filled), a text and a seed to a picture of the same size."""


def is_fill_model(source: str) -> bool:
    """Return whether an image model fills masks.

    Args:
        source: as for :func:`.models.resolve_model`.
    """
    if source == FILL.weights:
        return True
    try:
        index = find_model_folder(source, allow_download=False) / FILL.index
        return bool(json.loads(index.read_text("utf-8")).get("_class_name") == PIPELINE)
    except (LikenessError, OSError, ValueError):
        return False  # whoever opens it says what is wrong


def open_fill_model(source: str, placement: Placement, steps: int) -> tuple[Fill, dict[str, Any]]:
    """Load a ``FluxFillPipeline``.

    Args:
        source: as for :func:`.models.resolve_model`.
        placement: where it runs.
        steps: of its sampler.

    Returns:
        The model as :data:`Fill`, and its entry in records.

    Raises:
        LikenessError: it is missing or cannot be loaded; when called, memory is insufficient.
    """
    from .loading import load_fill_pipeline, noise_generator, translate_errors

    pipeline, about = load_fill_pipeline(source, placement)

    def fill(picture: Image.Image, mask: Image.Image, text: str, seed: int) -> Image.Image:
        width, height = fit_sides(*picture.size)
        with translate_errors("filling"):
            made = pipeline(
                prompt=text,
                image=picture.resize((width, height), Image.Resampling.LANCZOS),
                mask_image=mask.resize((width, height), Image.Resampling.NEAREST),
                width=width,
                height=height,
                guidance_scale=GUIDANCE,
                num_inference_steps=steps,
                generator=noise_generator(seed),
            ).images[0]
        result: Image.Image = made.convert("RGB").resize(picture.size, Image.Resampling.LANCZOS)
        return result

    return fill, {**about, "steps": steps, "guidance": GUIDANCE}


def fit_sides(width: int, height: int) -> tuple[int, int]:
    """Return the sides at which a picture is filled.

    >>> fit_sides(3000, 2000), fit_sides(90, 120)
    ((1024, 688), (96, 128))

    Args:
        width: of the picture, pixels.
        height: the same.
    """
    scale = min(1.0, LONGEST / max(width, height))

    def round_up(side: float) -> int:
        return max(int(np.ceil(side / MULTIPLE)), 1) * MULTIPLE

    return round_up(scale * width), round_up(scale * height)


def keep_outside(photo: FloatArray, made: FloatArray, mask: BoolArray) -> FloatArray:
    """Return the photo with what was filled.

    Args:
        photo: [H, W, 3] 0..255.
        made: [H, W, 3] the filled picture.
        mask: [H, W] what was filled.

    Returns:
        [H, W, 3]; the photo's own pixels outside the mask.
    """
    inwards = ndimage.distance_transform_edt(mask) / max(SOFT * max(mask.shape), 1.0)
    share = np.clip(inwards, 0.0, 1.0)[..., None]
    return np.asarray(photo + share * (made - photo))
