"""What the pixels of a head say before they are labelled: face, scalp and beard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....body import Body
from ....core.cameras import project
from ....core.distances import measure_depth
from ....core.face_size import face_size
from ....core.settings import register_settings
from ....core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray, Observation
from ..face.face_parts import BROWS, EYE_RINGS, INNER_LIPS
from ..grids.pixel_grids import erode, fill_polygon
from ..surface.labels import NamesArray
from ..surface.limbs import ARMS, HEAD, LEFT_LEG, RIGHT_LEG
from .labels_parser import HEADWEAR
from .labels_pixels import HeadCues
from .skin_tone import S as SKIN_TONE

_EYE_JOINTS = [23, 24]


@dataclass(frozen=True)
class HeadPixelSettings:
    """The head in the picture."""

    beyond: float = 0.4  # share of a head beyond the frame from which on its rest is left out
    beard_length: float = 0.3  # inter-ocular distances below the chin
    bald: float = 0.5  # squared distance to the skin's tone below which a scalp is bald
    stubble: tuple[float, float] = (1.8, -2.5)
    """The same, wider, and least a*b* over the face's: stubble is greyer."""

    bald_afar: float = 0.2  # the same without a face: the scalp may lie over the forehead
    hairy: float = 0.85  # the parser's probability of hair over a scalp that is not bald then
    between_eyes: float = 0.063  # metres, of a body whose face was not found
    eyes_to_brows: float = 0.028  # metres, the same


S = register_settings("lift.head_pixels", HeadPixelSettings())


@dataclass(frozen=True)
class UnlabelledPixels:
    """What is known of the pixels [H, W] before they are labelled.

    Attributes:
        mask: the person.
        lab: [H, W, 3] L*a*b*.
        tone: [3] L*a*b* of the skin.
        to_skin: squared distance to it.
        part: name of the body's part that is drawn there, empty beside it.
        group: limb.
        match: where the body is drawn, and the limb is its own.
        face: inside the oval of the landmarks.
        unit: pixels of one inter-ocular distance.
    """

    mask: BoolArray
    lab: FloatArray
    tone: FloatArray
    to_skin: FloatArray
    part: NamesArray
    group: IntArray
    match: BoolArray
    face: BoolArray
    unit: float

    @property
    def head(self) -> BoolArray:
        """[H, W] pixels of the head."""
        return np.asarray(self.mask & (self.group == HEAD))


@dataclass(frozen=True)
class FaceOutlines:
    """Where the face is.

    Attributes:
        face: [H, W] inside its oval.
        mouth: [H, W] between the lips.
        features: [H, W] eyes and brows. All three are empty where no face was found; the rest is
            of the body's eyes then.
        brow: row above the brows.
        chin: row, or None.
        unit: pixels between the eyes.
    """

    face: BoolArray
    mouth: BoolArray
    features: BoolArray
    brow: float
    chin: float | None
    unit: float


def find_face_outlines(
    observation: Observation,
    scale: float,
    shape: tuple[int, int],
    body: Body,
    vertices: FloatArray,
    camera: Camera,
) -> FaceOutlines:
    """Find where the face is.

    Args:
        observation: of the photo.
        scale: pixels of the grid for each pixel of the photo.
        shape: height and width of the grid.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
        camera: of the grid.
    """
    if observation.face is None:
        nothing = np.zeros(shape, bool)
        held = body.sum_weights(_EYE_JOINTS)
        held = held if held.any() else body.weights[:, JOINT_INDEX["head"]]
        middle = held @ np.asarray(vertices, np.float64) / held.sum()
        (_, row), depth = project(middle, camera)
        metre = camera.K[1, 1] / max(float(depth), 1e-6)
        return FaceOutlines(
            nothing, nothing, nothing, row - S.eyes_to_brows * metre, None, S.between_eyes * metre
        )
    points = observation.face * scale
    unit = face_size(points)
    rings = (*EYE_RINGS.values(), *BROWS.values())
    return FaceOutlines(
        fill_polygon(points[:468], *shape),
        fill_polygon(points[list(INNER_LIPS)], *shape),
        np.any([fill_polygon(points[list(ring)], *shape) for ring in rings], axis=0),
        float(points[[105, 334], 1].min() - 0.08 * unit),
        float(points[152, 1]),
        unit,
    )


def is_head_cut(camera: Camera, body: Body, vertices: FloatArray) -> bool:
    """Return whether the frame cuts the head below the eyes, if no face was found.

    Args:
        camera: of the grid.
        body: the person's own.
        vertices: [V, 3] in the photo's pose, world space, metres.
    """
    head = body.weights[:, JOINT_INDEX["head"]] > 0.5
    above = project(vertices[head], camera)[0][:, 1] < 0
    return bool(head.any()) and float(above.mean()) > S.beyond


def find_head_cues(
    p: UnlabelledPixels,
    drawn: BoolArray,
    observation: Observation,
    scale: float,
    face: FaceOutlines,
) -> tuple[HeadCues, BoolArray]:
    """Find what the face says about the head.

    Args:
        p: the pixels.
        drawn: [H, W] where the body's head is drawn.
        observation: of the photo.
        scale: pixels of the grid for each pixel of the photo.
        face: the outlines of the face.

    Returns:
        The cues, and [H, W] where the body's face or an ear is drawn below the brows.
    """
    height, unit = len(p.mask), p.unit
    chin = face.chin
    if chin is None:
        chin = np.nonzero(drawn)[0].max() if drawn.any() else height
    above_brow = np.broadcast_to(np.mgrid[:height, :1][0] < face.brow, p.mask.shape)
    scalp = np.where(p.part != "", p.part == "scalp", above_brow & ~p.face) & p.head
    # What is dark well inside the oval is a beard, a brow or a shadow; on its edge it is hair.
    oval = p.face & (measure_depth(p.face) > 0.12 * unit) & ~above_brow
    on_face = np.isin(p.part, ["face", "ear"]) & ~above_brow
    beard = _beard(observation, scale, p.face, on_face, unit)
    core = erode(scalp, min(2, int(0.06 * unit)))
    head = HeadCues(
        oval=oval,
        beard=beard,
        above_brow=above_brow,
        skin=(oval & ~beard if oval.any() else on_face) & p.match & (p.to_skin < 5.0),
        scalp=core,
        below_chin=np.mgrid[:height, : p.mask.shape[1]][0] > chin,
        near=p.mask & ~np.isin(p.group, [*ARMS, LEFT_LEG, RIGHT_LEG]),
        unit=unit,
        bald=_is_bald(p.lab[core], p.to_skin[core], p.tone, observation.face is not None),
    )
    return head, on_face


def is_hairy(parsed: FloatArray, scalp: BoolArray) -> bool:
    """Whether the parser sees hair or a hat on a scalp.

    Args:
        parsed: [H, W, K] probabilities, see :data:`.labels_parser.PARSED`.
        scalp: [H, W] its pixels.
    """
    return bool(scalp.any()) and float(np.median(parsed[scalp][:, HEADWEAR].sum(-1))) > S.hairy


def _is_bald(scalp: FloatArray, to_skin: FloatArray, skin: FloatArray, found: bool) -> bool:
    """Whether the pixels of a scalp ([N, 3] L*a*b*, [N] distances) are skin of the tone [3]."""
    if len(scalp) < SKIN_TONE.few_pixels:
        return True
    distance, (_, a, b) = float(np.median(to_skin)), np.median(scalp, axis=0) - skin
    if not found:
        return distance < S.bald_afar
    return distance < S.bald or (distance < S.stubble[0] and min(a, b) > S.stubble[1])


def _beard(
    observation: Observation, scale: float, face: BoolArray, on_face: BoolArray, unit: float
) -> BoolArray:
    """[H, W] where hair would be a beard: below the nose, on the face or hanging from it."""
    if observation.face is None or not face.any():
        return np.zeros_like(face)
    rows, cols = np.mgrid[: face.shape[0], : face.shape[1]]
    points = observation.face[:468] * scale
    nose, chin = points[94, 1], points[152, 1]
    (left, right) = points[[172, 397], 0].min(), points[[172, 397], 0].max()  # the jaw's corners
    hanging = (rows > points[13, 1]) & (rows < chin + S.beard_length * unit)
    hanging &= (cols > left) & (cols < right)
    return np.asarray((face | on_face | hanging) & (rows > nose))
