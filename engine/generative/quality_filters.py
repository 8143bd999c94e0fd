"""Requirements of a generated picture (the filter after tracking).

Video and image models fail in known ways: two people, a face turned away, melting hands, a cut,
other clothes after the turn. Each check has a name, and rejections are counted by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.cameras import project
from ..core.types import FRAME_STATES, JOINT_INDEX, FloatArray, Matte, Motion, Observation, Track
from ..imaging.matte_check import BodyMap, measure_loss
from ..imaging.resize import resize
from .view_editing import AZIMUTH

TRACKED = FRAME_STATES.index("tracked")


@dataclass(frozen=True)
class FilterLimits:
    """Limits of pictures and clips.

    They were chosen on our own synthetic people; watch the card's counts when a model changes.

    Attributes:
        tracked: Minimum share of a clip's frames that were tracked.
        face_error: Maximum, in per cent of the distance between the eyes.
        pose_error: Maximum of a frame, in pixels of a 512 picture.
        turned_pose_error: The same of a picture from the side or behind, where the detectors are
            less reliable.
        azimuth: Maximum degrees from the requested direction.
        hand: Minimum confidence of a recognised hand.
        area: Minimum and maximum share of the picture that the person covers.
        soft: Maximum share of the person's area that is semi-transparent.
        beside: Maximum share of the person's area far from the fitted body.
        colours: Maximum mean difference of the persons' colours, 0..1.
    """

    tracked: float = 0.8
    face_error: float = 8.0
    pose_error: float = 14.0
    turned_pose_error: float = 24.0
    azimuth: float = 35.0
    hand: float = 0.4
    area: tuple[float, float] = (0.03, 0.85)
    soft: float = 0.3
    beside: float = 0.3
    colours: float = 0.12


class RejectedSampleError(Exception):
    """A picture or clip is rejected.

    Args:
        reason: One or two words, to be counted.
        detail: With the figures.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def check_motion(motion: Motion, limits: FilterLimits) -> None:
    """Check a whole clip for cuts and lost frames.

    Raises:
        RejectedSampleError: It fails.
    """
    if int(motion.shot.max()) > 0:
        raise RejectedSampleError("cut", f"{int(motion.shot.max()) + 1} shots")
    share = float((motion.frame_state == TRACKED).mean())
    if share < limits.tracked:
        raise RejectedSampleError("lost", f"{100 * share:.0f} % of the frames were followed")


def check_people(observation: Observation) -> None:
    """Check that there is exactly one person.

    Raises:
        RejectedSampleError: It fails.
    """
    if observation.num_people != 1:
        raise RejectedSampleError("people", f"{observation.num_people} were found")


def check_face(observation: Observation) -> None:
    """Check that the face is visible, as it must be in a reference.

    Raises:
        RejectedSampleError: It fails.
    """
    if observation.face is None:
        raise RejectedSampleError("no face", "none was found in the picture")


def check_errors(track: Track, limits: FilterLimits, turned: bool = False) -> None:
    """Check the tracker's own figures.

    Args:
        track: The fitted body.
        limits: Of the check.
        turned: Whether the picture is from the side or behind.

    Raises:
        RejectedSampleError: It fails.
    """
    face, pose = track.face_error, track.pose_error
    if not turned and face is not None and face > limits.face_error:
        raise RejectedSampleError("face error", f"{face:.1f} % of the distance between the eyes")
    most = limits.turned_pose_error if turned else limits.pose_error
    if pose is None or pose > most:
        said = "no body landmark was seen" if pose is None else f"{pose:.1f} px of 512"
        raise RejectedSampleError("pose error", said)


def check_hands(track: Track, joints: FloatArray, limits: FilterLimits) -> None:
    """Check that at least one of the hands in the picture is recognised.

    Args:
        track: The fitted body.
        joints: [55, 3] metres, its joints in world space.
        limits: Of the check.

    Raises:
        RejectedSampleError: It fails.
    """
    rows = [JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]]
    pixels, depth = project(joints[rows], track.camera)
    size = np.array([track.camera.width, track.camera.height])
    inside = (depth > 0) & ((pixels > 0) & (pixels < size)).all(1)
    seen = [track.joint_confidence[JOINT_INDEX[f"{side}_middle1"]] for side in ("left", "right")]
    if inside.any() and max(np.array(seen)[inside]) < limits.hand:
        raise RejectedSampleError(
            "hands", f"none of {int(inside.sum())} in the picture was recognised"
        )


def check_matte(
    matte: Matte, seen: BodyMap | None, whole: BodyMap | None, limits: FilterLimits
) -> None:
    """Check that the matte holds the body, has an edge, and not much else.

    Args:
        matte: Of the picture.
        seen: The visible parts of the fitted body.
        whole: All its parts; clothes and hair surround invisible ones too.
        limits: Of the check.

    Raises:
        RejectedSampleError: It fails.
    """
    alpha = matte.alpha
    solid = alpha > 0.5
    low, high = limits.area
    if not low <= solid.mean() <= high:
        raise RejectedSampleError(
            "matte", f"the person covers {100 * solid.mean():.0f} % of the picture"
        )
    soft = float(((alpha > 0.1) & (alpha < 0.9)).sum() / solid.sum())
    if soft > limits.soft:
        raise RejectedSampleError("matte", f"{100 * soft:.0f} % of it is half transparent")
    if seen is None or whole is None:
        raise RejectedSampleError("matte", "the fitted body is not in the picture")
    lost = measure_loss(alpha, seen)
    if lost.too_much:
        raise RejectedSampleError("matte", f"{100 * lost.share:.0f} % of the body is left out")
    height, width = whole.inside.shape
    small = resize(np.asarray(alpha, np.float32), width, height, "area") > 0.5
    beside = float((small & (whole.inside < -10 * whole.shrink)).sum() / max(1, small.sum()))
    if beside > limits.beside:
        raise RejectedSampleError("matte", f"{100 * beside:.0f} % of it is far from the body")


def check_azimuth(side: str, azimuth: float, limits: FilterLimits) -> None:
    """Check that a turned picture shows the requested side.

    Args:
        side: The requested one.
        azimuth: Degrees, of the fitted body.
        limits: Of the check.

    Raises:
        RejectedSampleError: It fails.
    """
    away = abs((azimuth - AZIMUTH[side] + 180.0) % 360.0 - 180.0)
    if away > limits.azimuth:
        raise RejectedSampleError(
            "azimuth", f"{azimuth:.0f} degrees instead of {AZIMUTH[side]:.0f}"
        )


def check_colours(rgba: FloatArray, reference: FloatArray, limits: FilterLimits) -> None:
    """Check that both pictures show the same clothes and hair: that their colours are similar.

    Args:
        rgba: [H, W, 4] in 0..1, a cut-out.
        reference: [H, W, 4] in 0..1, the reference's.
        limits: Of the check.

    Raises:
        RejectedSampleError: It fails.
    """
    away = colour_distance(rgba, reference)
    if away > limits.colours:
        raise RejectedSampleError("colours", f"they differ by {away:.2f}")


def colour_distance(a: FloatArray, b: FloatArray) -> float:
    """Compute the distance of two pictures' colours, wherever they are in the pictures.

    It is the mean difference of the quantiles of brightness and of two colour differences.

    Args:
        a: [H, W, 4] in 0..1, a cut-out.
        b: [H, W, 4] in 0..1, the other.

    Returns:
        A distance in 0..1; 1 where a picture is empty.
    """
    if min((a[..., 3] > 0.5).sum(), (b[..., 3] > 0.5).sum()) < 64:
        return 1.0
    return float(np.abs(_quantiles(a) - _quantiles(b)).mean())


def _quantiles(rgba: FloatArray) -> FloatArray:
    r, g, b = np.moveaxis(rgba[rgba[..., 3] > 0.5][:, :3], -1, 0)
    light = 0.299 * r + 0.587 * g + 0.114 * b
    # Half the weight for brightness: the side of a face may lie in shade.
    axes = np.stack([0.5 * light, r - light, b - light])
    return np.asarray(np.quantile(axes, np.linspace(0.05, 0.95, 19), axis=1))
