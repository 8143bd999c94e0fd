"""How well the avatar shows each photo's own view, for the report of a build."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.cameras import field_of_view
from ..core.types import HELD, Avatar, Matte
from ..gaussians.posing import pose_avatar
from ..imaging.resize import fit_size, resize
from ..render import render_camera
from ..tracking.multiview import camera_azimuth
from ..visual.metrics import psnr, silhouette_iou, ssim

if TYPE_CHECKING:
    from .track import TrackedPortrait

_COMPLETED = 0.1  # difference of alpha, or share of a pixel, from which a pixel is completed
REPORT_SIDE = 512  # pixels of the longer side at which the input view is measured


def input_view_metrics(
    avatar: Avatar, matte: Matte, wanted: Matte | None = None
) -> dict[str, float]:
    """Foreground PSNR, SSIM and silhouette IoU of the photo's own view.

    Measured at 512 pixels on the longer side, on white; the truth is the photo through its matte.
    Where something that the avatar leaves out hides the person, the lift completes the person and
    the photo has no truth: such pixels count as correct, and ``completed`` is their share of the
    person.

    Args:
        avatar: in the pose and with the camera of the photo.
        matte: of the photo, alpha [H, W] and foreground [H, W, 3], 0..1.
        wanted: what the avatar was fitted to; None where that is the matte.

    Returns:
        ``foreground_psnr`` in dB, ``ssim``, ``silhouette_iou`` and ``completed``, rounded.
    """
    height, width = matte.alpha.shape
    w, h = fit_size(width, height, REPORT_SIDE)
    alpha = resize(matte.alpha, w, h)
    solid = resize(matte.foreground * matte.alpha[..., None], w, h)
    truth = solid + (1.0 - alpha)[..., None]
    drawn = render_camera(pose_avatar(avatar), avatar.camera.resized(w, h), np.ones(3))
    unknown = np.zeros((h, w), bool)
    if wanted is not None:
        completed = np.abs(wanted.alpha - matte.alpha) > _COMPLETED
        if wanted.held is not None:
            completed |= wanted.held == HELD.index("removed")
        unknown = resize(completed.astype(np.float32), w, h) > _COMPLETED
        truth = np.where(unknown[..., None], drawn.rgb, truth)
        alpha = np.where(unknown, drawn.alpha, alpha)
    return {
        "foreground_psnr": round(float(psnr(drawn.rgb, truth, (alpha > 0.5) & ~unknown)), 2),
        "ssim": round(float(ssim(drawn.rgb, truth)), 4),
        "silhouette_iou": round(float(silhouette_iou(drawn.alpha, alpha)), 4),
        "completed": round(float(unknown.sum() / max((alpha > 0.5).sum(), 1)), 4),
    }


def extra_view_metrics(
    avatar: Avatar, other: TrackedPortrait, matte: Matte, direction: str
) -> dict[str, Any]:
    """The report's entry for another photo of the person.

    Args:
        avatar: the built avatar.
        other: the photo, and the body fitted to it.
        matte: of that photo.
        direction: the direction that the user gave for it.

    Returns:
        JSON-able; angles in degrees, errors as in ``report.json``.
    """
    track = other.track
    shown = replace(avatar, pose=track.pose, camera=track.camera)
    return {
        "source": str(other.portrait.path),
        "direction": direction,
        "view": track.view,
        "angle": round(camera_azimuth(track.pose)),
        "lens": {"source": other.lens, "fov": round(field_of_view(track.camera), 2)},
        "face_error": round_or_none(track.face_error, 2),
        "pose_error": round_or_none(track.pose_error, 2),
        "input_view": input_view_metrics(shown, matte),
    }


def round_or_none(value: float | None, digits: int) -> float | None:
    """Round a figure for a report; None stays None."""
    return None if value is None else round(float(value), digits)
