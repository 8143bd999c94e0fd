"""Files of whole-body keypoints: COCO-WholeBody's 133 (DWPose, RTMW, RTMPose) and Sapiens' 308.

Read are ``keypoints`` [N, K, 2] in pixels of the photo, or [N, K, 3] with the confidence, and
``keypoint_scores`` (or ``scores``) [N, K]: what MMPose's inferencer, rtmlib and Sapiens' demos
return and write, including their ``instance_info``.
"""

from __future__ import annotations

import numpy as np

from ...core.types import Camera, FloatArray, LikenessError, Observation
from .convert import pixel_scale
from .dump import HELP, Dump
from .estimate import NUM_HAND, NUM_POSE, KeypointEstimate
from .keypoints import from_goliath, person_box

SIGN = "keypoints"
WHOLE_BODY, GOLIATH, MHR70 = 133, 308, 70
WHOLE_BODY_POSE: dict[int, int] = {
    int(ours): int(theirs)
    for ours, theirs in (
        pair.split(":")
        for pair in """
        0:0 2:1 5:2 7:3 8:4 11:5 12:6 13:7 14:8 15:9 16:10 17:108 18:129 19:96 20:117 21:93 22:114
        23:11 24:12 25:13 26:14 27:15 28:16 29:19 30:22 31:17 32:20
        """.split()
    )
}
"""For our body landmarks (MediaPipe's numbers) COCO-WholeBody's point that means the same."""

LEFT_HAND, RIGHT_HAND = 91, 112
"""Where the hands begin; their 21 points have our order."""


def from_whole_body(points: FloatArray, confidence: FloatArray, source: str) -> KeypointEstimate:
    """COCO-WholeBody's keypoints in our numbering.

    Args:
        points: [133, 2] pixels.
        confidence: [133] 0..1.
        source: name of the estimator.
    """
    pose, trust = np.zeros((NUM_POSE, 2)), np.zeros(NUM_POSE)
    for ours, theirs in WHOLE_BODY_POSE.items():
        pose[ours], trust[ours] = points[theirs], confidence[theirs]
    hands = {
        side: (points[first : first + NUM_HAND], confidence[first : first + NUM_HAND])
        for side, first in (("left", LEFT_HAND), ("right", RIGHT_HAND))
    }
    return KeypointEstimate(source, pose, trust, hands)


def name_keypoints(points: FloatArray, confidence: FloatArray, path: object) -> KeypointEstimate:
    """Keypoints in our numbering, whichever of the known numberings they have.

    Args:
        points: [K, 2] pixels.
        confidence: [K] 0..1.
        path: of the file or model, for messages.

    Raises:
        LikenessError: K is not the number of points of a known numbering.
    """
    if len(points) == WHOLE_BODY:
        return from_whole_body(points, confidence, "133 keypoints")
    if len(points) in (GOLIATH, MHR70):
        return from_goliath(points, confidence, f"{len(points)} keypoints")
    raise LikenessError(
        f"'{path}' has {len(points)} keypoints, which is not a known set.",
        f"Known are {WHOLE_BODY} (COCO-WholeBody), {GOLIATH} (Sapiens) and {MHR70} (MHR) points.",
    )


def keypoints_of(
    dump: Dump, camera: Camera, image_size: tuple[int, int] | None, observation: Observation
) -> KeypointEstimate:
    """The observed person's keypoints.

    Args:
        dump: see the module.
        camera: the photo's.
        image_size: (width, height) of the picture that the detector saw; None for the camera's.
        observation: the person in the photo, in pixels of ``camera``.

    Returns:
        Those of the person whose box overlaps the observed one's most.

    Raises:
        LikenessError: names the file and what is wrong with it.
    """
    dump.require("a keypoint detector", (SIGN,))
    shape = dump.arrays[SIGN].shape
    if len(shape) < 2 or shape[-1] not in (2, 3):
        raise LikenessError(
            f"{SIGN} in '{dump.path}' is {' x '.join(map(str, shape))}, not people x points x 2 "
            "or 3.",
            HELP,
        )
    count = shape[-2]
    rows = dump.rows(SIGN, count * shape[-1]).reshape(-1, count, shape[-1])
    points = pixel_scale(dump, camera, image_size) * rows[..., :2]
    scores = next((key for key in ("keypoint_scores", "scores") if key in dump), None)
    if shape[-1] == 3:
        confidence = rows[..., 2]
    elif scores is None:
        raise LikenessError(f"'{dump.path}' has no keypoint_scores.", HELP)
    else:
        confidence = dump.rows(scores, count)
    if len(confidence) != len(points):
        raise LikenessError(
            f"{scores} in '{dump.path}' has {len(confidence)} people, {SIGN} {len(points)}.", HELP
        )
    confidence = np.clip(confidence, 0.0, 1.0)
    person = _nearest(points, confidence, person_box(observation))
    return name_keypoints(points[person], confidence[person], dump.path)


def _nearest(points: FloatArray, confidence: FloatArray, box: FloatArray | None) -> int:
    """Index of the person [N] whose sure points fill the box [4] best."""
    if box is None or len(points) == 1:
        return 0
    overlap = []
    for place, sure in zip(points, confidence > 0.3, strict=True):
        if not sure.any():
            overlap.append(0.0)
            continue
        low, high = place[sure].min(0), place[sure].max(0)
        both = np.prod(np.clip(np.minimum(high, box[2:]) - np.maximum(low, box[:2]), 0, None))
        either = np.prod(high - low) + np.prod(box[2:] - box[:2]) - both
        overlap.append(float(both / max(either, 1e-9)))
    return int(np.argmax(overlap))
