"""Renderings compared with the truth: figures of pictures, silhouettes and faces."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...core.types import FloatArray, LikenessError
from ...imaging.resize import fit_size, resize
from ...render import RenderOutput
from ...tracking.detectors import Detectors
from ...tracking.observation import eye_distance
from ...visual.metrics import SSIM_SIZE, ms_ssim, psnr, silhouette_iou, ssim
from .face_identity import FaceModel

GREY = 0.5  # of the backdrop
SIDE = 512  # pixels of the longer side of photos and frames that are compared
MAX_DB = 100.0  # of equal pictures: JSON has no infinity

_SHOWN = 0.5  # alpha from which a pixel counts as the person's
_FACE_SCORE = 0.5
_LPIPS_SIDE = 32  # pixels, as MIN_LPIPS_SIDE, whose module needs torch

FIGURES: dict[str, tuple[str, int, bool]] = {
    "psnr": ("PSNR, dB", 2, True),
    "l1": ("L1", 4, False),
    "ssim": ("SSIM", 4, True),
    "ms_ssim": ("MS-SSIM", 4, True),
    "lpips": ("LPIPS", 4, False),
    "psnr_fg": ("PSNR of the person, dB", 2, True),
    "ssim_fg": ("SSIM of the person", 4, True),
    "ms_ssim_fg": ("MS-SSIM of the person", 4, True),
    "iou": ("silhouette IoU", 4, True),
    "face_found": ("face found", 3, True),
    "landmarks_pct": ("face landmarks, % of the eyes' distance", 2, False),
    "identity": ("identity, cosine", 3, True),
    "identity_turned": ("identity at ±30°, cosine", 3, True),
    "face_error": ("tracker's face error, %", 2, False),
    "pose_error": ("tracker's pose error, px at 512", 2, False),
    "seconds": ("seconds", 2, False),
    "fps": ("pose and draw, frames per second", 1, True),
    "gaussians": ("Gaussians", 0, True),
}
"""Name -> title, digits, and whether more is better."""


class ComparedImage(NamedTuple):
    """A picture to compare.

    Attributes:
        rgb: [H, W, 3] on grey, sRGB 0..1.
        alpha: [H, W] 0..1.
    """

    rgb: FloatArray
    alpha: FloatArray

    @staticmethod
    def of_render(render: RenderOutput) -> ComparedImage:
        """A drawing over :data:`GREY`."""
        return ComparedImage(np.clip(render.rgb, 0.0, 1.0), np.asarray(render.alpha))

    @staticmethod
    def of_cutout(
        straight: FloatArray, alpha: FloatArray, width: int, height: int
    ) -> ComparedImage:
        """A cut-out person, placed on grey at another size.

        Args:
            straight: [H, W, 3] colours, not multiplied by alpha, sRGB 0..1.
            alpha: [H, W] 0..1.
            width: pixels of the result.
            height: pixels of the result.
        """
        small = np.clip(resize(alpha, width, height), 0.0, 1.0)
        solid = resize(straight * alpha[..., None], width, height)
        return ComparedImage(np.clip(solid + GREY * (1.0 - small[..., None]), 0.0, 1.0), small)


def comparison_size(width: int, height: int) -> tuple[int, int]:
    """The size at which pictures of this size are compared, never larger."""
    return fit_size(width, height, SIDE)


@dataclass(frozen=True)
class DetectedFace:
    """A face in a picture.

    Attributes:
        landmarks: [478, 2] pixels.
        vector: [D] of the face network; None without one.
    """

    landmarks: FloatArray
    vector: FloatArray | None


class Comparer:
    """Compares drawings with the truth.

    Args:
        detectors: find faces.
        lpips: a distance between two pictures, or None.
        faces: a network that tells faces apart, or None.
    """

    def __init__(
        self,
        detectors: Detectors,
        lpips: Callable[[FloatArray, FloatArray], float] | None = None,
        faces: FaceModel | None = None,
    ) -> None:
        self._detectors, self._lpips, self._faces = detectors, lpips, faces

    def face(self, sight: ComparedImage) -> DetectedFace | None:
        """The face with the highest score in a picture, if there is one."""
        found = self._detectors.face_landmarks(sight.rgb)
        if found is None or found.score < _FACE_SCORE:
            return None
        model = self._faces
        vector = None if model is None else model.vector(sight.rgb, found.landmarks)
        return DetectedFace(found.landmarks, vector)

    def figures(
        self, drawn: ComparedImage, truth: ComparedImage, true_face: DetectedFace | None = None
    ) -> dict[str, float | None]:
        """All figures of a drawing; None for a figure that cannot be measured.

        Args:
            drawn: the drawing.
            truth: what it should show.
            true_face: the face in the truth; faces are compared where there is one.
        """
        person = (truth.alpha > _SHOWN) | (drawn.alpha > _SHOWN)
        out: dict[str, float | None] = {
            "psnr": _decibels(psnr(drawn.rgb, truth.rgb)),
            "psnr_fg": _decibels(psnr(drawn.rgb, truth.rgb, person)),
            "l1": float(np.abs(drawn.rgb - truth.rgb).mean()),
            "ssim": None,
            "ssim_fg": None,
            "ms_ssim": None,
            "ms_ssim_fg": None,
            "iou": silhouette_iou(drawn.alpha, truth.alpha),
            "lpips": None,
        }
        if min(truth.alpha.shape) >= SSIM_SIZE:
            for name, measure in (("ssim", ssim), ("ms_ssim", ms_ssim)):
                out[name] = measure(drawn.rgb, truth.rgb)
                out[f"{name}_fg"] = _number(measure(drawn.rgb, truth.rgb, person))
        if self._lpips is not None and min(truth.alpha.shape) >= _LPIPS_SIDE:
            out["lpips"] = self._lpips(drawn.rgb, truth.rgb)
        if true_face is not None:
            face = self.face(drawn)
            out["face_found"] = float(face is not None)
            out["landmarks_pct"] = None if face is None else landmark_error(face, true_face)
            out["identity"] = identity_similarity(face, true_face)
        return out


def landmark_error(face: DetectedFace, truth: DetectedFace) -> float:
    """Mean distance of the mesh's 468 points, per cent of the distance between the true eyes."""
    off = np.linalg.norm(face.landmarks[:468] - truth.landmarks[:468], axis=1).mean()
    return 100.0 * float(off) / max(eye_distance(truth.landmarks), 1e-6)


def identity_similarity(face: DetectedFace | None, truth: DetectedFace | None) -> float | None:
    """Cosine between the vectors of two faces; None where either has none."""
    if face is None or truth is None or face.vector is None or truth.vector is None:
        return None
    return float(face.vector @ truth.vector)


def difference_image(drawn: FloatArray, truth: FloatArray) -> FloatArray:
    """Three times the absolute difference of two pictures, [H, W, 3] on black.

    Args:
        drawn: [H, W, 3] 0..1.
        truth: [H, W, 3] 0..1.
    """
    return np.asarray(np.clip(3.0 * np.abs(drawn - truth), 0.0, 1.0))


def load_lpips(kind: str) -> tuple[Callable[[FloatArray, FloatArray], float] | None, str, str]:
    """Load LPIPS if available.

    Args:
        kind: ``auto``, ``none``, or a backbone: ``lpips-alex`` or ``lpips-vgg``.

    Returns:
        A function from two pictures [H, W, 3] to their distance, or None; its name; and the reason
        if there is none.

    Raises:
        LikenessError: a requested backbone is missing.
    """
    if kind == "none":
        return None, "", "it was not asked for"
    if importlib.util.find_spec("torch") is None:
        error = LikenessError(
            "LPIPS needs torch, which is not installed.", "Run: pip install torch"
        )
    else:
        from ...training.perceptual import LpipsMetric

        try:
            measure = LpipsMetric(kind)
        except LikenessError as missing:
            error = missing
        else:
            return measure, measure.name, ""
    if kind != "auto":
        raise error
    return None, "", str(error)


def load_face_model(source: str | None) -> tuple[FaceModel | None, str]:
    """Load the face-recognition network if available; the reason if not.

    Args:
        source: a file or a name; None takes the usual one if it is installed.

    Raises:
        LikenessError: the requested one is missing or cannot be used.
    """
    try:
        return (FaceModel() if source is None else FaceModel(source)), ""
    except LikenessError as error:
        if source is not None:
            raise
        return None, str(error)


def _decibels(value: float) -> float | None:
    return None if np.isnan(value) else min(value, MAX_DB)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
