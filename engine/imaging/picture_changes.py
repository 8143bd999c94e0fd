"""What differs between a photo and an edited copy of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from ..core.color import rgb_to_lab
from ..core.settings import register_settings
from ..core.types import BoolArray, FloatArray, LikenessError, Portrait
from ..files.digests import file_sha256
from .load import load_portrait
from .local_means import measure_contrast
from .resize import fit_size, resize


@dataclass(frozen=True)
class ChangeSettings:
    """Which differences are an edit, and which are compression or resampling."""

    side: int = 1024  # pixels of the longer side at which pictures are compared, at most
    blur: float = 1.0  # pixels, standard deviation: evens out compression
    clear: float = 10.0  # CIE L*a*b* units that are an edit
    faint: float = 4.0  # the same of pixels beside those
    quiet: float = 0.3  # share of the pixels, the least different ones, that tell the noise
    noise: float = 6.0  # times the noise that is none
    most_noise: float = 9.0  # CIE L*a*b* units of that: more differs everywhere
    edge: float = 0.35  # share of the contrast around a pixel that resampling may change
    around: int = 5  # pixels across, of that contrast: chroma is compressed in blocks
    most_edge: float = 15.0  # CIE L*a*b* units of that
    least: int = 10  # pixels of the smallest edit
    aspect: float = 0.01  # share by which the sides' ratio may differ


S = register_settings("imaging.changes", ChangeSettings())


def load_original(path: Path, provenance: Mapping[str, Any]) -> Portrait:
    """Load the portrait from which an avatar was built.

    Args:
        path: of the picture.
        provenance: of the avatar.

    Raises:
        LikenessError: it cannot be read, or is another picture.
    """
    photo = load_portrait(path)
    if file_sha256(path) != provenance.get("sha256"):
        raise LikenessError(
            f"'{path}' is not the portrait from which the avatar was built "
            f"('{provenance.get('source', 'another file')}').",
            "Give that file as it was then; the edited picture comes beside it.",
        )
    return photo


def match_frame(photo: Portrait, edited: Portrait) -> Portrait:
    """Return an edited picture at the size of its photo.

    Args:
        photo: the original.
        edited: the same frame at any size.

    Raises:
        LikenessError: the two have other proportions.
    """
    (w, h), (ew, eh) = photo.original_size, edited.original_size
    if abs(np.log(ew / eh * h / w)) > max(S.aspect, 1.0 / min(ew, eh)):
        raise LikenessError(
            f"'{edited.path}' has {ew} x {eh} pixels, but '{photo.path}' {w} x {h}: the pictures "
            "show different frames.",
            "Keep the whole frame of the portrait when you edit it; another size is fine.",
        )
    height, width = photo.rgb.shape[:2]
    alpha = None if edited.alpha is None else resize(edited.alpha, width, height)
    return replace(edited, rgb=resize(edited.rgb, width, height), alpha=alpha)


def find_changes(photo: Portrait, edited: Portrait) -> BoolArray:
    """Find the pixels [H, W] that were edited.

    Compression, resampling and a slight change of all colours are not edits.

    Args:
        photo: the original.
        edited: at its size (:func:`match_frame`); ``original_size`` tells its own.
    """
    height, width = photo.rgb.shape[:2]
    w, h = fit_size(width, height, min(S.side, max(edited.original_size)))
    before, after = (resize(rgb, w, h) for rgb in _composites(photo, edited))
    lab, other = (
        ndimage.gaussian_filter(rgb_to_lab(rgb), (S.blur, S.blur, 0)) for rgb in (before, after)
    )
    difference = np.linalg.norm(other - lab, axis=2)
    noise = min(S.noise * float(np.quantile(difference, S.quiet)), S.most_noise)
    contrast = np.linalg.norm(measure_contrast(lab, S.around), axis=2)
    allowed = noise + np.minimum(S.edge * contrast, S.most_edge)
    faint, clear = difference > S.faint + allowed, difference > S.clear + allowed
    numbers, _ = ndimage.label(faint, np.ones((3, 3)))
    sure = np.bincount(numbers[clear], minlength=numbers.max() + 1) >= S.least
    sure[0] = False
    changed = ndimage.binary_closing(np.pad(sure[numbers], 2), iterations=2)[2:-2, 2:-2]
    rows = (np.arange(height) * h // height)[:, None]
    return np.asarray(changed[rows, np.arange(width) * w // width])


def _composites(photo: Portrait, edited: Portrait) -> tuple[FloatArray, FloatArray]:
    """Both pictures [H, W, 3] before the same background where they are cut out."""
    if photo.alpha is None and edited.alpha is None:
        return photo.rgb, edited.rgb
    ground = np.full(3, 0.5)
    flat = photo if photo.alpha is None else edited
    if flat.alpha is None:  # one of them was flattened, onto whatever lies outside the other
        cut = edited.alpha if flat is photo else photo.alpha
        outside = np.asarray(cut) < 0.02
        ground = np.median(flat.rgb[outside], axis=0) if outside.any() else ground

    def compose(one: Portrait) -> FloatArray:
        if one.alpha is None:
            return one.rgb
        alpha = one.alpha[..., None]
        return np.asarray(alpha * one.rgb + (1.0 - alpha) * ground)

    return compose(photo), compose(edited)
