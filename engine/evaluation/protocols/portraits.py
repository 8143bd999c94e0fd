"""Photos: the avatar in the photo's own view, and turned, where there is no truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...core.cameras import orbit
from ...core.types import Camera, FloatArray, Gaussians, LikenessError
from ...dataset.groups import INPUT
from ...gaussians.posing import pose_avatar
from ...imaging.load import load_portrait
from ...visual.view_cameras import orbit_centre
from .compare import (
    ComparedImage,
    DetectedFace,
    comparison_size,
    difference_image,
    identity_similarity,
)
from .context import AvatarContext
from .crossview import build_metrics
from .items import REFERENCE, TRUTH, Figures, MeasuredView, MeasureFailure
from .observed_photos import observe_photo

PHOTO = "photo"
"""The only kind of view: it counts in the means, unlike the input views of other protocols."""

TURNED = (-60, 60, 180)
"""Degrees of the pictures around the avatar, for the eye; 0 is the photo's."""

RECOGNISED = (-30, 30)
"""Degrees from which a face-recognition network compares the avatar with the person."""


def measure_photo(path: Path, context: AvatarContext) -> None:
    """Build one photo's avatars, and compare their input view with the photo.

    Args:
        path: the photo.
        context: gets the item, or the reason why there is none.
    """
    try:
        portrait = load_portrait(path)
        shot = observe_photo(portrait, context.body, context.detectors, context.open_for(path.stem))
        made = context.methods.make(shot)
    except LikenessError as error:
        context.refuse(MeasureFailure(INPUT, path.name, str(error)))
        return
    size = comparison_size(shot.track.camera.width, shot.track.camera.height)
    camera = shot.track.camera.resized(*size)
    truth = ComparedImage.of_cutout(shot.matte.foreground, shot.matte.alpha, *size)
    face = context.comparer.face(truth)
    figures: dict[str, Figures] = {}
    pictures: dict[str, FloatArray] = {REFERENCE: shot.portrait.rgb, TRUTH: truth.rgb}
    for method, one in made.items():
        gaussians = pose_avatar(one.avatar)
        ours = context.methods.draw(gaussians, camera)
        figures[method] = {
            **context.comparer.figures(ours, truth, face),
            "face_error": shot.track.face_error,
            "pose_error": shot.track.pose_error,
            **build_metrics(one),
        }
        pictures[method] = ours.rgb
        pictures[f"{method} difference"] = difference_image(ours.rgb, truth.rgb)
        centre = orbit_centre(gaussians, camera)
        if face is not None and face.vector is not None:
            figures[method]["identity_turned"] = _recognised(
                face, context, gaussians, camera, centre
            )
        for yaw in TURNED:
            turned = context.methods.draw(gaussians, orbit(camera, centre, yaw))
            pictures[f"{method} at {yaw}°"] = turned.rgb
    context.give(
        MeasuredView(
            INPUT,
            path.name,
            path.name,
            PHOTO,
            True,
            {"framing": shot.track.framing, "view": shot.track.view},
            {"framing": shot.track.framing},
            figures,
            pictures,
        )
    )


def _recognised(
    face: DetectedFace,
    context: AvatarContext,
    gaussians: Gaussians,
    camera: Camera,
    centre: FloatArray,
) -> float | None:
    """Mean similarity of the avatar's face, turned, to the photo's; None where no face is found."""
    found = []
    for yaw in RECOGNISED:
        turned = context.comparer.face(context.methods.draw(gaussians, orbit(camera, centre, yaw)))
        alike = identity_similarity(turned, face)
        if alike is not None:
            found.append(alike)
    return float(np.mean(found)) if found else None
