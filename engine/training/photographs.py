"""From a subject's view to a user's photo, and what is known of the person in it.

This part of a reference costs the same whatever the lift's budget: background, detectors, tracker,
matte. It is cached by itself, so that lifts of several sizes share it.

A tracked body stands elsewhere than the true one: one photo determines neither the person's size
nor the lens. So the tracked trunk is aligned with the true one by a similarity (the bust, where the
picture ends below it), and the other views' cameras follow. An avatar is posed by its body, not by
how that stood before the camera, so the trunk's own rotation and size are not errors that a network
must correct; pose, shape and matte are.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from ..body import Body
from ..core.alignment import fit_similarity
from ..core.cameras import field_of_view
from ..core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    BoolArray,
    FloatArray,
    LikenessError,
    Matte,
    Portrait,
    Track,
)
from ..dataset.backgrounds import random_background
from ..dataset.spaces import photo_transform, transform_camera, transform_pose
from ..dataset.subjects import InvalidSampleError, Subject
from ..files.atomic import atomic_write
from ..files.digests import code_sha256
from ..files.weights import asset_path
from ..imaging.matting import foreground_colors
from ..tracking.detectors import Detectors
from ..tracking.observation import observe
from .augment import (
    Augmentation,
    AugmentParams,
    ColorJitter,
    add_clutter,
    add_sensor_noise,
    blur_image,
    degrade_matte,
    draw_params,
    make_pixel_rngs,
)
from .augment_body import noisy_track
from .photograph_files import (
    Photograph,
    ReferenceFit,
    quantize_photograph,
    read_photograph,
    write_photograph,
)

VERSION = "1"
"""Of the files; increase it when their content changes for a reason outside ``_CODE``."""

_CODE = (
    "training/photographs.py",
    "training/photograph_files.py",
    "training/augment.py",
    "training/augment_body.py",
    "dataset/spaces.py",
    "core",
    "tracking",
    "imaging/matting.py",
    "imaging/matte_check.py",
    "imaging/guided.py",
    "imaging/color_model.py",
    "gaussians/lift/occlusion",
    "gaussians/lift/pixels",
)

_TRUNK = ("pelvis", "left_hip", "right_hip", "spine1", "spine2", "spine3")
_BUST = ("neck", "head", "left_collar", "right_collar", "spine3")
_BODY_JOINTS = 22
_MIN_SEEN = 0.5  # confidence of a joint that is held against the truth
_MAX_OFF = 0.20  # metres: mean over the seen joints; the worst of a hundred good fits has 0.12
_MAX_TURNED = 60.0  # degrees of the trunk
_MIN_OVERLAP = 0.85  # of the found matte and the true one; a user would see it in the preview
_SIZES = (0.5, 2.0)  # of the person; a wrong lens stays within this range


class InvalidReferenceError(Exception):
    """Why a view cannot be a reference: nobody is found in it, or the lift rejects it."""


def _fit_of(track: Track, motion: FloatArray, look: ColorJitter, true: bool) -> ReferenceFit:
    body = (track.betas, track.pose, track.camera, track.framing, track.view)
    return ReferenceFit(*body, motion, look, true)


class Photographs:
    """Makes photos of subjects' views.

    Args:
        body: The default body that the shards' betas belong to.
        augmentation: How photos differ from renderings.
        observed: Whether the detectors run on every photo (a lift needs their landmarks).
        cache: Folder of the results, which several processes may share; None caches nothing.
    """

    def __init__(
        self, body: Body, augmentation: Augmentation, observed: bool, cache: Path | None
    ) -> None:
        self.body, self.augmentation, self.observed = body, augmentation, observed
        self.cache = cache

    def drawn(self, subject: Subject, view: int) -> AugmentParams:
        """Get the augmentation parameters of a view.

        A view that is the only one of its pose keeps the true body: another body cannot be carried
        over to the other views.
        """
        pose = subject.views[view].pose
        movable = any(v.pose == pose for k, v in enumerate(subject.views) if k != view)
        name = subject.views[view].name
        return draw_params(self.augmentation, subject.identity, name, movable)

    def name(self, subject: Subject, view: int) -> str:
        """Name everything that a photo depends on."""
        said = json.dumps(asdict(self.drawn(subject, view)), sort_keys=True)
        seed = self.augmentation.seed if not self.drawn(subject, view).clean else 0
        return "/".join(
            [self._made_for, subject.identity, subject.views[view].name, said, str(seed)]
        )

    @cached_property
    def _made_for(self) -> str:
        digest = hashlib.sha256(f"{VERSION}/{code_sha256(_CODE)}/{self.observed}".encode())
        for name in ("v_template", "f", "shapedirs", "weights"):
            digest.update(np.ascontiguousarray(getattr(self.body, name)).tobytes())
        return digest.hexdigest()

    @cached_property
    def _detectors(self) -> Detectors:
        return Detectors(asset_path("pose_landmark").parent)

    def of(self, subject: Subject, view: int) -> Photograph:
        """Make or load the photo of one view.

        Raises:
            InvalidReferenceError: The detectors find nobody, or the tracker lost the person.
        """
        drawn = self.drawn(subject, view)
        if self.cache is None or not (self.observed or drawn.tracked):
            return self._make(subject, view, drawn)
        key = hashlib.sha256(self.name(subject, view).encode()).hexdigest()[:24]
        path = self.cache / "photos" / key[:2] / f"{key}.safetensors"
        note = None
        if path.is_file():
            try:
                return read_photograph(path)
            except (OSError, SafetensorError, KeyError, ValueError) as error:
                note = f"the cached file '{path}' was damaged and is computed anew ({error!r})"
        made = self._make(subject, view, drawn)
        with atomic_write(path, shared=True, make_parent=True) as scratch:
            write_photograph(made, scratch)
        return replace(read_photograph(path), note=note)

    def _make(self, subject: Subject, view: int, drawn: AugmentParams) -> Photograph:
        try:
            made = self._tracked if drawn.tracked else self._known
            return quantize_photograph(made(subject, view, drawn))
        except InvalidSampleError as error:
            raise InvalidReferenceError(str(error)) from error
        except LikenessError as error:
            raise InvalidReferenceError(error.message) from error

    def _known(self, subject: Subject, view: int, drawn: AugmentParams) -> Photograph:
        """With the true matte and body, or with synthetic errors."""
        shown = subject.views[view]
        rgba = shown.rgba()
        random = make_pixel_rngs(self.augmentation.seed, subject.identity, shown.name)
        alpha = np.ascontiguousarray(rgba[..., 3])
        matte = Matte(alpha, np.ascontiguousarray(rgba[..., :3]))
        portrait = None
        if self.observed or not drawn.clean:
            portrait = make_photo(subject, view, rgba, drawn, random)
        if portrait is not None and replace(drawn, noise=0.0, lens_known=True) != AugmentParams():
            alpha = degrade_matte(
                blur_image(alpha[..., None], drawn.lens)[..., 0], drawn.matte, random["matte"]
            )
            matte = Matte(alpha, foreground_colors(portrait.rgb, alpha))
        track, motion = true_track(subject, view, self.body)
        true = not drawn.noise
        if drawn.noise:
            track, motion = self._with_noise(track, motion, drawn, random["body"])
        observation = None
        if self.observed and portrait is not None:
            observation = observe(portrait, self._detectors)
        fit = _fit_of(track, motion, drawn.look, true)
        return Photograph(matte, track, fit, observation)

    def _with_noise(
        self, track: Track, motion: FloatArray, drawn: AugmentParams, rng: np.random.Generator
    ) -> tuple[Track, FloatArray]:
        noisy = noisy_track(self.body, track, rng, drawn.noise, drawn.lens_known)
        _, laid = align_body(self.body, noisy, track)
        return noisy, np.linalg.inv(laid) @ motion

    def _tracked(self, subject: Subject, view: int, drawn: AugmentParams) -> Photograph:
        """With matte and body from our matting and tracker, as in use."""
        # At importing, the pipeline would pull in all that a build needs.
        from ..pipeline.track import track_image, verify_matte

        random = make_pixel_rngs(self.augmentation.seed, subject.identity, subject.views[view].name)
        rgba = subject.views[view].rgba()
        portrait = make_photo(subject, view, rgba, drawn, random)
        truth, motion = true_track(subject, view, self.body)
        fov = field_of_view(truth.camera) if drawn.lens_known else None
        found = track_image(portrait, self.body, self._detectors, fov=fov)
        matte, _ = verify_matte(found, self.body.personalised(found.track.betas), "remove")
        overlap = _overlap(matte.alpha, rgba[..., 3])
        if overlap < _MIN_OVERLAP:
            raise InvalidReferenceError(
                f"the matting failed (it shares {100 * overlap:.0f} % with the truth)"
            )
        error, laid = align_body(self.body, found.track, truth)
        if wrong := error.failure():
            raise InvalidReferenceError(f"the tracker lost the person ({wrong})")
        track = found.track
        fit = _fit_of(track, np.linalg.inv(laid) @ motion, drawn.look, False)
        return Photograph(matte, track, fit, found.observation)


@dataclass(frozen=True)
class Misfit:
    """Difference between an aligned body and the true one.

    Attributes:
        joints: Metres: the mean over the body's visible joints.
        turned: Degrees by which the trunk was rotated.
        size: Factor by which the body was scaled.
    """

    joints: float
    turned: float
    size: float

    def failure(self) -> str | None:
        """Get the reason why this is a failed fit rather than an inaccurate one; None otherwise."""
        if self.joints > _MAX_OFF:
            return f"its joints are {100 * self.joints:.0f} cm off"
        if self.turned > _MAX_TURNED:
            return f"the trunk is turned by {self.turned:.0f} degrees"
        if not _SIZES[0] < self.size < _SIZES[1]:
            return f"the body is {1 / self.size:.2f} times as large"
        return None


def align_body(body: Body, found: Track, truth: Track) -> tuple[Misfit, FloatArray]:
    """Align a body with the true one, both in the photo camera's space.

    Args:
        body: With the shape basis of both.
        found: The body.
        truth: The true one.

    Returns:
        The remaining difference, and [4, 4] from the found body's space to the true one's.
    """
    posed = [body.vertices(t.pose, t.betas) for t in (found, truth)]
    vertices, joints = ([np.asarray(p[k], np.float64) for p in posed] for k in (0, 1))
    rows = _anchors(body, truth.framing)
    size, turn, shift = fit_similarity(vertices[0][rows], vertices[1][rows])
    laid = np.eye(4)
    laid[:3, :3], laid[:3, 3] = size * turn, shift
    seen = np.asarray(found.joint_confidence[:_BODY_JOINTS]) >= _MIN_SEEN
    off = np.linalg.norm(joints[0] @ laid[:3, :3].T + shift - joints[1], axis=1)[:_BODY_JOINTS]
    mean = float(off[seen].mean()) if seen.any() else 0.0
    angle = float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0))))
    return Misfit(mean, angle, size), laid


def _overlap(a: FloatArray, b: FloatArray) -> float:
    """Intersection over union of two mattes."""
    return float(np.minimum(a, b).sum() / max(float(np.maximum(a, b).sum()), 1e-9))


def _anchors(body: Body, framing: str) -> BoolArray:
    """[V] vertices by which bodies are aligned."""
    names = _BUST if framing == "head" else _TRUNK
    out: BoolArray = np.isin(body.weights.argmax(1), [JOINT_INDEX[name] for name in names])
    return out


def true_track(subject: Subject, view: int, body: Body) -> tuple[Track, FloatArray]:
    """Get the true body as a tracker would return it.

    Args:
        subject: The person.
        view: Row of the view that is the photo.
        body: The default body.

    Returns:
        The track, and [4, 4] from the subject's space to the photo camera's.
    """
    shown = subject.views[view]
    motion = photo_transform(shown.camera)
    pose = transform_pose(subject.pose(view), body.personalised(subject.betas), motion)
    track = Track(
        subject.betas,
        pose,
        transform_camera(shown.camera, motion),
        subject.framing,
        np.ones(NUM_JOINTS),
        0.0,
        0.0,
        view=shown.kind,
    )
    return track, motion


def make_photo(
    subject: Subject,
    view: int,
    rgba: FloatArray,
    drawn: AugmentParams,
    random: dict[str, np.random.Generator],
) -> Portrait:
    """Photograph a view before its background, or before a synthetic one.

    Args:
        subject: The person.
        view: Row of the view.
        rgba: [H, W, 4] of the view.
        drawn: The augmentation parameters.
        random: As :func:`.make_pixel_rngs` creates them.

    Raises:
        InvalidSampleError: The background is damaged.
    """
    shown = subject.views[view]
    behind = shown.behind()
    if behind is None:
        rng = make_backdrop_rng(subject, shown.name)
        behind = random_background(shown.camera.height, shown.camera.width, rng)
        if drawn.busy:
            behind = add_clutter(behind, random["behind"])
    alpha = rgba[..., 3:]
    rgb = np.clip(rgba[..., :3] * alpha + behind * (1.0 - alpha), 0.0, 1.0).astype(np.float32)
    if drawn.look != ColorJitter() or drawn.lens != AugmentParams().lens:
        rgb = add_sensor_noise(
            blur_image(drawn.look(rgb), drawn.lens), drawn.lens, random["sensor"]
        )
    size = (shown.camera.width, shown.camera.height)
    return Portrait(rgb, None, Path(f"{subject.key}.{shown.name}"), original_size=size)


def make_backdrop_rng(subject: Subject, view: str) -> np.random.Generator:
    """Create the random generator of a view's background, always the same."""
    seed = zlib.crc32(f"{subject.key}/{view}".encode())
    return np.random.default_rng([subject.seed & 0xFFFFFFFF, seed])
