"""A face followed in real time: ARKit's 52 weights, head and eyes, from one look per picture.

The dense landmarks are laid over those of the default body by a turn, a size and a place. Seen
straight, short distances between them (lids, lips, corners of the mouth, brows) are compared with
the person's neutral face, and the expressions that change the default body's distances likewise
are found, none of them negative. The neutral face is taken from the first pictures, and again on
demand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.model import Body
from ..body.names import ARKIT_EXPRESSIONS, LOOK_RADIANS
from ..core.rotations import matrix_to_axis_angle
from ..core.types import FloatArray, LikenessError
from .detectors import Detectors
from .detectors.face_mesh import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS, FaceLandmarks, roi_from_mesh
from .detectors.roi import Roi

NEUTRAL_FRAMES = 8
"""Pictures from which the neutral face is taken."""

LEAST_SCORE = 0.5
"""Of a face; below it the face is lost, and searched for again."""

_FEATURES: tuple[tuple[tuple[int, ...], tuple[int, ...], int], ...] = (
    ((13,), (14,), 1),  # between the lips
    ((82,), (87,), 1),
    ((312,), (317,), 1),
    ((0,), (17,), 1),  # the lips' outer edges
    ((61,), (291,), 0),  # width of the mouth
    ((61,), (0, 17), 1),  # its corners' heights
    ((291,), (0, 17), 1),
    ((61,), (33,), 1),
    ((291,), (263,), 1),
    ((152,), (2,), 1),  # chin to nose
    ((0,), (2,), 1),
    ((17,), (152,), 1),
    ((0, 17), (2,), 0),
    ((152,), (2,), 0),
    ((159, 158, 160), (145, 153, 144), 1),  # between the lids
    ((386, 385, 387), (374, 380, 373), 1),
    ((55,), (133,), 1),  # brows over the eyes: inner, middle, outer
    ((285,), (362,), 1),
    ((105,), (33, 133), 1),
    ((334,), (263, 362), 1),
    ((46,), (33,), 1),
    ((276,), (263,), 1),
)
"""Distances along x or y: from the mean of some points of the mesh to that of others."""

_LIDS = (14, 15)
_LID_WEIGHT = 2.0
_GAINS = {
    "jawOpen": 2.0,
    "jawLeft": 1.0,
    "jawRight": 1.0,
    "mouthSmile": 2.0,
    "mouthFrown": 1.2,
    "mouthPucker": 3.0,
    "mouthFunnel": 3.0,
    "mouthStretch": 1.2,
    "mouthUpperUp": 1.2,
    "mouthLowerDown": 1.2,
    "mouthRollLower": 1.0,
    "mouthRollUpper": 1.0,
    "browInnerUp": 3.0,
    "browOuterUp": 1.5,
    "browDown": 1.5,
    "eyeBlink": 2.6,
    "eyeWide": 1.5,
}
"""Actions that are found, with or without their side -> how much less of them the landmarks show
than there is (rendered avatars against their true weights)."""

_RIDGE = 0.2  # against weights that only explain noise
_STIFF_MM = 3.0  # points that expressions move by less tell where the head is
_DEPTH_WEIGHT = 0.6  # the landmarks' depth is a guess
_EYE_RADIUS = 0.0118  # metres
_LOOK_LIMIT = 0.6
_STILL_SHARE, _FAST_STEP = 0.25, 0.15
"""How much a new value counts that hardly moves, and from which step on it counts wholly."""

_SEARCH_EVERY = 8  # frames between searches for a lost face


@dataclass(frozen=True)
class LiveFace:
    """A face in one picture.

    Attributes:
        weights: [52] 0..1 of ``ARKIT_EXPRESSIONS``.
        head: [3] axis-angle in radians, from the neutral picture; +x is the person's left, y up.
        left_eye: [3] axis-angle in radians, against the head.
        right_eye: likewise.
        calibrating: whether the neutral face is still being taken.
    """

    weights: FloatArray
    head: FloatArray
    left_eye: FloatArray
    right_eye: FloatArray
    calibrating: bool


class FaceSolver:
    """Weights and turns from dense landmarks.

    Args:
        body: with ARKit's expressions and landmarks; its shape is the default one's.
    """

    def __init__(self, body: Body) -> None:
        marks = body.landmarks
        gains = {
            name: gain
            for action, gain in _GAINS.items()
            for name in (action, f"{action}Left", f"{action}Right")
            if name in ARKIT_EXPRESSIONS and name in body.expression_index
        }
        if marks is None or not gains:
            raise LikenessError(
                "The body has no face landmarks, or none of ARKit's expressions.",
                "Use the default body.",
            )
        corners, bary = body.f[marks.face_triangle], marks.face_bary
        columns = [body.expression_index[name] for name in gains]
        self._columns = [ARKIT_EXPRESSIONS.index(name) for name in gains]
        self._gains = np.array(list(gains.values()))
        self._neutral = np.einsum("kc,kcd->kd", bary, body.v_template[corners])
        self._moves = np.einsum("kc,kcde->kde", bary, body.exprdirs[corners][..., columns])
        most = 1e3 * np.linalg.norm(self._moves, axis=1).max(1)
        self._stiff = np.asarray(marks.face_weight, np.float64) / (1 + (most / _STIFF_MM) ** 2)
        self._stiff[468:] = 0.0  # the irises follow the gaze
        changes = np.stack([_measure(self._moves[..., k]) for k in range(len(columns))], 1)
        self._share = np.ones(len(_FEATURES))
        self._share[list(_LIDS)] = _LID_WEIGHT
        changes *= self._share[:, None]
        ridge = _RIDGE * np.trace(changes.T @ changes) / len(columns)
        self._system = np.concatenate([changes, np.sqrt(ridge) * np.eye(len(columns))])
        self._turn_yaws = np.asarray(marks.turn_yaws, np.float64)
        self._turn_shifts = np.asarray(marks.turn_shifts, np.float64)
        self.calibrate()

    def calibrate(self) -> None:
        """Take the neutral face anew from the next pictures."""
        self._seen: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        self._own = np.zeros_like(self._neutral)
        self._straight = np.eye(3)
        self._gaze = np.zeros((2, 2))
        self._last: FloatArray | None = None

    def solve(self, face: FaceLandmarks) -> LiveFace:
        """The face of the next picture.

        Args:
            face: its landmarks.
        """
        # Up and towards the camera, as the body has it.
        points = np.concatenate([face.landmarks, face.z[:, None]], 1) * [1.0, -1.0, -1.0]
        last = np.zeros(len(self._columns)) if self._last is None else self._last[self._columns]
        model = self._neutral + self._own + self._moves @ last
        R, size, shift = _lay_over(model, points, self._stiff)
        bias = self._find_bias(R)
        R, size, shift = _lay_over(model + bias, points, self._stiff)
        rest = ((points - shift) @ R) / size - bias  # in the head's own axes, metres
        gaze = self._look(rest)
        if len(self._seen) < NEUTRAL_FRAMES:
            self._seen.append((rest - self._neutral, R, gaze))
            if len(self._seen) == NEUTRAL_FRAMES:
                offsets, turns, looks = (np.mean(part, 0) for part in zip(*self._seen, strict=True))
                u, _, vt = np.linalg.svd(turns)
                self._own, self._straight, self._gaze = offsets, u @ vt, looks
            zero = np.zeros(3)
            return LiveFace(np.zeros(len(ARKIT_EXPRESSIONS)), zero, zero, zero, True)
        weights = np.zeros(len(ARKIT_EXPRESSIONS))
        weights[self._columns] = self._explain(rest - self._neutral - self._own)
        looks = np.clip(gaze - self._gaze, -_LOOK_LIMIT, _LOOK_LIMIT)
        for side, (left, down) in zip(("Left", "Right"), looks, strict=True):
            outwards = left if side == "Left" else -left
            for name, angle in (
                ("Out", outwards),
                ("In", -outwards),
                ("Down", down),
                ("Up", -down),
            ):
                index = ARKIT_EXPRESSIONS.index(f"eyeLook{name}{side}")
                weights[index] = np.clip(angle / LOOK_RADIANS, 0, 1)
        weights = self._smooth(weights)
        eyes = [np.array([down, left, 0.0]) for left, down in looks]
        head = matrix_to_axis_angle(R @ self._straight.T)
        return LiveFace(weights, head, eyes[0], eyes[1], False)

    def _find_bias(self, R: FloatArray) -> FloatArray:
        """[478, 3] metres by which the network misplaces points of a head turned by R."""
        yaw = np.degrees(np.arctan2(R[0, 2], R[2, 2]))
        yaws, shifts = self._turn_yaws, self._turn_shifts
        if len(yaws) < 2:
            return np.zeros_like(self._neutral)
        at = float(np.interp(-yaw, yaws, np.arange(len(yaws))))
        low = min(int(at), len(yaws) - 2)
        share = at - low
        bias: FloatArray = (1 - share) * shifts[low] + share * shifts[low + 1]
        return bias

    def _explain(self, offsets: FloatArray) -> FloatArray:
        """Weights, none negative, that change the distances as offsets [478, 3] of points do."""
        from scipy.optimize import nnls

        wanted = np.concatenate([self._share * _measure(offsets), np.zeros(len(self._columns))])
        found, _ = nnls(self._system, wanted)
        weights: FloatArray = np.clip(self._gains * found, 0, 1)
        return weights

    def _look(self, rest: FloatArray) -> FloatArray:
        """[2, 2] radians: where the left and the right eye look, to the person's left and down."""
        looks = []
        for corners, first in ((LEFT_EYE_CORNERS, 473), (RIGHT_EYE_CORNERS, 468)):
            away = rest[first] - rest[list(corners)].mean(0)
            angles = np.arcsin(np.clip(away[:2] / _EYE_RADIUS, -0.9, 0.9))
            looks.append([angles[0], -angles[1]])
        return np.array(looks)

    def _smooth(self, weights: FloatArray) -> FloatArray:
        """Still faces are smoothed, fast movements are not."""
        if self._last is None:
            self._last = weights
            return weights
        step = np.abs(weights - self._last)
        share = np.clip(_STILL_SHARE + (1 - _STILL_SHARE) * step / _FAST_STEP, 0, 1)
        self._last = self._last + share * (weights - self._last)
        return self._last


class FaceFollower:
    """Finds the face of a picture near where the last one had it, and solves it.

    Args:
        body: as for :class:`FaceSolver`.
        detectors: finds faces and landmarks.
    """

    def __init__(self, body: Body, detectors: Detectors) -> None:
        self.solver = FaceSolver(body)
        self._detectors = detectors
        self._roi: Roi | None = None
        self._waited = _SEARCH_EVERY

    def follow(self, rgb: FloatArray) -> LiveFace | None:
        """The face of the next picture; None where there is none.

        Args:
            rgb: [H, W, 3] in 0..1.
        """
        if self._roi is None:
            self._waited += 1
            if self._waited < _SEARCH_EVERY:
                return None
            self._waited = 0
            found = self._detectors.face_landmarks(rgb)
        else:
            found = self._detectors.follow_face(rgb, self._roi, 1, 1)
        if found is None or found.score < LEAST_SCORE:
            self._roi = None
            return None
        self._roi = roi_from_mesh(found.landmarks)
        return self.solver.solve(found)


def _measure(points: FloatArray) -> FloatArray:
    """[F] the distances of points [478, 3]."""
    return np.array(
        [points[list(a), x].mean() - points[list(b), x].mean() for a, b, x in _FEATURES]
    )


def _lay_over(
    model: FloatArray, points: FloatArray, weight: FloatArray
) -> tuple[FloatArray, float, FloatArray]:
    """The turn R [3, 3], the size and the shift [3] that bring model points nearest to others.

    Args:
        model: [K, 3] metres.
        points: [K, 3] pixels, whose depth counts less.
        weight: [K].
    """
    share = weight / weight.sum()
    a, b = model - share @ model, points - share @ points
    depth = np.array([1.0, 1.0, _DEPTH_WEIGHT])
    R = np.eye(3)
    for _ in range(3):  # the weight of the depth is the camera's, so the turn is found in steps
        target = b * depth + (1 - depth) * (a @ R.T) * _scale(a @ R.T, b, share)
        u, _, vt = np.linalg.svd((target * share[:, None]).T @ a)
        R = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    size = _scale(a @ R.T, b, share)
    return R, size, share @ points - size * R @ (share @ model)


def _scale(a: FloatArray, b: FloatArray, share: FloatArray) -> float:
    """The size of ``b`` over ``a`` [K, 3], in the picture."""
    return float((share @ (a[:, :2] * b[:, :2])).sum() / (share @ (a[:, :2] ** 2)).sum())
