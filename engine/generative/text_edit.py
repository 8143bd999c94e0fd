"""A portrait changed by text: an image model edits it, and only what the text asks for is kept.

Image models draw the whole picture anew, and what should stay comes back a little different. Where
it differs no more than that, the photo's own pixels stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from ..core.color import rgb_to_lab
from ..core.settings import register_settings
from ..core.types import FloatArray, LikenessError
from ..files.atomic import atomic_write
from ..formats.avatar import load_editable_avatar
from ..imaging.load import load_portrait
from .edit_mask import find_edit_mask
from .fill_editing import is_fill_model, keep_outside, open_fill_model
from .models import FILL, Placement, missing_requirements
from .view_editing import EditOptions, open_editing_model

TEXT_PROMPT = (
    "Change this photograph in one way only: {text}. Everything else stays as it is: who it is, "
    "the pose, the expression, the frame, all other clothes, hair and things, the light and the "
    "background. A sharp, natural photograph."
)
FILE_NAME = "edited.png"


@dataclass(frozen=True)
class TextEditSettings:
    """When a pixel was edited, and not only drawn again; shares of the longer side."""

    redrawn: float = 9.0  # Lab distance that a pixel may have without an edit, least
    over: float = 2.5  # times the usual distance of the picture's pixels from which it is one
    another: float = 20.0  # Lab distance from which on it always is
    smooth: float = 0.004  # over which distances are averaged
    least: float = 0.012  # side of a square that is the smallest edit
    grow: float = 0.008  # around an edit that comes along
    soft: float = 0.003  # over which it passes into the photo


S = register_settings("generative.text_edit", TextEditSettings())


def edit_portrait(
    portrait: Path,
    out: Path,
    text: str,
    source: str,
    placement: Placement,
    options: EditOptions,
    seed: int = 0,
    avatar: Path | None = None,
    part: str | None = None,
) -> dict[str, Any]:
    """Change a portrait by text.

    A model that fills masks (FLUX fill) gets that of a part; any other draws the whole anew.

    Args:
        portrait: the picture.
        out: where the changed one is written, as PNG, in the same size.
        text: what to change, such as ``round gold glasses``.
        source: of the image model, as for :func:`.models.resolve_model`.
        placement: where it runs.
        options: of its sampler.
        seed: of its noise.
        avatar: that was built from the portrait; models that fill masks need it,
        part: and what they may change, of ``core.attributes.NAMES``.

    Returns:
        The text and the model, for the avatar's provenance.

    Raises:
        LikenessError: the text is empty, packages, memory or the model are missing, or the model
            changed nothing.
    """
    if not text.strip():
        raise LikenessError("The text of the edit is empty.", "Say what to change.")
    fills = is_fill_model(source)
    if fills and (avatar is None or part is None):
        raise LikenessError(
            f"The image model '{source}' fills one part of the portrait.",
            "Say which with --part, such as --part hat.",
        )
    photo = load_portrait(portrait).rgb
    stage = FILL.stage if fills else "views"
    missing = missing_requirements([stage], {stage: source}, placement)
    if missing:
        raise LikenessError(f"This cannot start. {' '.join(missing)}", "See docs/attributes.md.")
    picture = Image.fromarray(np.rint(255.0 * np.clip(photo, 0.0, 1.0)).astype(np.uint8))
    before = np.asarray(picture, np.uint8)
    if avatar is not None and part is not None and fills:
        height, width = before.shape[:2]
        mask = find_edit_mask(load_editable_avatar(avatar), height, width, part)
        fill, about = open_fill_model(source, placement, options.steps)
        white = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))
        made = np.asarray(fill(picture, white, text.strip(), seed), np.float64)
        filled = keep_outside(before.astype(np.float64), made, mask)
        kept = keep_edit(before, np.rint(filled).astype(np.uint8))
    else:
        edit, about = open_editing_model(source, placement, options)
        drawn = edit(picture, TEXT_PROMPT.format(text=text.strip()), seed)
        drawn = drawn.convert("RGB").resize(picture.size, Image.Resampling.LANCZOS)
        kept = keep_edit(before, np.asarray(drawn, np.uint8))
    if kept is None:
        raise LikenessError(
            f"The image model changed nothing that can be seen for '{text}'.",
            "Say it in other words, or try another seed.",
        )
    with atomic_write(out) as scratch:
        Image.fromarray(kept).save(scratch, "PNG")
    return {"text": text.strip(), "model": about["model"], "seed": seed}


def keep_edit(photo: NDArray[np.uint8], made: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the photo with what was edited in another picture of it.

    Args:
        photo: [H, W, 3].
        made: [H, W, 3] by an image model, all of it drawn again.

    Returns:
        [H, W, 3], the photo's own pixels beside the edit; None if nothing was edited.
    """
    side = max(photo.shape[:2])
    distance = np.linalg.norm(rgb_to_lab(made / 255.0) - rgb_to_lab(photo / 255.0), axis=-1)
    calm: FloatArray = ndimage.gaussian_filter(distance, S.smooth * side)
    edited = calm > np.clip(S.over * float(np.median(calm)), S.redrawn, S.another)
    labels, count = ndimage.label(edited)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    large = sizes >= max((S.least * side) ** 2, 4.0)
    large[0] = False
    if not large.any():
        return None
    reach = ndimage.distance_transform_edt(~large[labels]) <= S.grow * side
    share = ndimage.gaussian_filter(reach.astype(np.float64), S.soft * side)[..., None]
    out = photo + np.where(share > 0.01, share, 0.0) * (made.astype(np.float64) - photo)
    return np.asarray(np.rint(out), np.uint8)
