"""What a network says of the labels that the photo shows.

``parser.onnx`` reads a square around the person: colours, the mask, and what the tracked body says
of each pixel. The body's layers let a small network that has seen synthetic people only work on
photos. Where the rules (:mod:`.labels_pixels`) see bare skin, it may say otherwise. It needs ONNX
Runtime only, and fits the default body only. Training: ``engine/training/pixel_labels``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....body import Body
from ....core.cameras import project
from ....core.color import rgb_to_lab
from ....core.distances import find_nearest
from ....core.settings import register_settings
from ....core.types import BoolArray, Camera, FloatArray, IntArray, LikenessError
from ....files.cache import get_or_load
from ....files.onnx_session import NotedNetwork
from ....files.weights import WEIGHTS, find_local_weights
from ....imaging.resize import affine_crop
from ....render.mesh import rasterize_mesh
from ..surface.labels import standard_rest

PARSER_ONNX = "parser.onnx"
VERSION = 1
"""Of the file: the meaning of its inputs."""
PARSED = ("none", "skin", "hair", "upper", "lower", "shoes", "hat", "glasses")
"""What the network tells apart; none is what is not the person's, though the matte shows it."""
HEADWEAR = [PARSED.index("hair"), PARSED.index("hat")]
"""What covers a head; the network often takes one for the other."""
SIDE = 192  # pixels of the square
BODY_CHANNELS = 8
COLOUR_CHANNELS = 9
CHANNELS = 4 + BODY_CHANNELS + COLOUR_CHANNELS
_REMEDY = "Get a complete copy of Likeness, or switch the network off."
_HEAD = ("face", "scalp", "ear")


@dataclass(frozen=True)
class ParserSettings:
    """What the network gets to see."""

    margin: float = 0.05  # of the person's longer side, around them
    head: float = 2.4  # side of the head's own square, in the head's longer sides
    closer: float = 1.5  # times that the person's square is larger where the head gets its own
    head_weight: float = 2.0  # of the closer look against the other
    beside: float = 0.06  # metres beside the body at which the trust in its places is 1 / e
    few: int = 12  # fewer pixels have no colour
    chest: tuple[float, float] = (0.12, 0.40)  # standard heights of the chest, metres
    spread: tuple[float, float, float] = (26.0, 9.0, 10.0)  # L*a*b* units that count as one
    most: float = 3.0  # of these units that a colour differs at most


S = register_settings("lift.labels_parser", ParserSettings())


@dataclass(frozen=True)
class Square:
    """A square of a picture, in pixels; it may reach beyond the picture."""

    left: float
    top: float
    side: float

    def matrix(self, scale: float = 1.0) -> FloatArray:
        """Return [2, 3] from the square's pixels (:data:`SIDE`) to those of a picture.

        Args:
            scale: pixels of that picture for each pixel of the square's own.
        """
        step = scale * self.side / SIDE
        return np.array([[step, 0, scale * self.left], [0, step, scale * self.top]])

    def camera(self, camera: Camera) -> Camera:
        """Return the camera of the square.

        Args:
            camera: of the picture.
        """
        K = np.array(camera.K, np.float64)
        K[0, 2] -= self.left
        K[1, 2] -= self.top
        K[:2] *= SIDE / self.side
        return Camera(camera.viewmat, K, SIDE, SIDE)


def person_square(mask: BoolArray) -> Square:
    """Return the square around a person.

    Args:
        mask: [H, W] the person, not empty.
    """
    rows, cols = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    tall, wide = rows[-1] + 1 - rows[0], cols[-1] + 1 - cols[0]
    side = (1.0 + 2.0 * S.margin) * max(tall, wide)
    middle_x, middle_y = cols[0] + 0.5 * wide, rows[0] + 0.5 * tall
    return Square(middle_x - 0.5 * side, middle_y - 0.5 * side, side)


def head_square(body: Body, vertices: FloatArray, camera: Camera) -> Square | None:
    """Return a square around the head and what it wears; None where the camera does not see it.

    Args:
        body: the person's own.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
        camera: of the picture.
    """
    rows = body.part_vertices(*_HEAD)
    if len(rows) == 0:
        return None
    xy, z = project(vertices[rows], camera)
    if (z <= 0).any():
        return None
    low, high = xy.min(0), xy.max(0)
    side = S.head * float((high - low).max())
    left, top = 0.5 * (low + high) - 0.5 * side
    if left > camera.width or top > camera.height or left + side < 0 or top + side < 0:
        return None
    return Square(float(left), float(top), side)


def body_layers(
    rest: FloatArray, body: Body, vertices: FloatArray, camera: Camera
) -> tuple[FloatArray, IntArray]:
    """Compute what the body says of each pixel.

    Args:
        rest: [V, 3] of :func:`..surface.labels.standard_rest`.
        body: the person's own.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
        camera: of the square.

    Returns:
        layers: [BODY_CHANNELS, H, W] float32: place at rest of the nearest pixel of the body
            (metres), whether the body is drawn here, trust in that place, and the normal in the
            camera's space. Zero where the picture shows nothing of the body.
        part: [H, W] index into ``body.part_names``, -1 beside the body.
    """
    buffer = rasterize_mesh(vertices, body.f, camera)
    on = buffer.face >= 0
    out = np.zeros((BODY_CHANNELS, *on.shape), np.float32)
    part = np.where(on, body.face_part[buffer.face], -1)
    if not on.any():
        return out, part
    corners = rest[body.f[buffer.face[on]]]
    out[:3, on] = np.einsum("nk,nkd->dn", buffer.bary[on], corners)
    out[3] = on
    row, col, away = find_nearest(on)
    metres = away * buffer.depth[row, col] / camera.K[0, 0]
    out[4] = np.exp(-metres / S.beside)
    a, b, c = (np.asarray(vertices)[body.f[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a) @ camera.viewmat[:3, :3].T
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    out[5:, on] = normal[buffer.face[on]].T
    out[:3] = out[:3, row, col]
    return out, part


def stack_inputs(
    rgb: FloatArray, mask: BoolArray, layers: FloatArray, part: IntArray, body: Body
) -> FloatArray:
    """Return the network's input [CHANNELS, H, W] float32.

    The last channels are differences to the colours of the face, the scalp and the chest: whatever
    the light, bare arms look like the face.

    Args:
        rgb: [H, W, 3] sRGB 0..1; ignored outside the mask.
        mask: [H, W] the person.
        layers: [BODY_CHANNELS, H, W] of :func:`body_layers`.
        part: [H, W] of the same.
        body: the person's own.
    """
    out = np.zeros((CHANNELS, *mask.shape), np.float32)
    out[:3] = (np.moveaxis(rgb, -1, 0) - 0.5) * mask
    out[3] = mask
    out[4 : 4 + BODY_CHANNELS] = layers
    face, scalp, trunk = (
        mask & (part == body.part_names.index(name)) for name in ("face", "scalp", "torso")
    )
    chest = trunk & (layers[1] > S.chest[0]) & (layers[1] < S.chest[1])
    lab = rgb_to_lab(rgb[mask])
    at = 4 + BODY_CHANNELS
    for own in (face, scalp, chest):
        if own.sum() >= S.few:
            apart = (lab - np.median(lab[own[mask]], axis=0)) / S.spread
            out[at : at + 3, mask] = np.clip(apart / S.most, -1.0, 1.0).T
        at += 3
    return out


MIRROR = np.ones((CHANNELS, 1, 1), np.float32)
"""Factors of the input's channels in a mirror: x of the place and of the normal change sign."""
MIRROR[[4, 9]] = -1.0


class ParserRuntime(NotedNetwork):
    """A parser, ready to use: ``parser.onnx``."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        super().__init__(path, threads, VERSION, _REMEDY)

    def fits(self, body: Body) -> bool:
        """Return whether it was trained on this body, in whatever shape.

        Args:
            body: that is fitted to photos.
        """
        return self.note.get("body") == body_digest(body)

    def run(self, inputs: FloatArray) -> FloatArray:
        """Return probabilities [SIDE, SIDE, len(PARSED)] for an input, the mean over its mirror.

        Args:
            inputs: [CHANNELS, SIDE, SIDE] of :func:`stack_inputs`.

        Raises:
            LikenessError: The network's output is not finite.
        """
        total = np.zeros((SIDE, SIDE, len(PARSED)))
        for flip in (False, True):
            given = np.ascontiguousarray((MIRROR * inputs)[:, :, ::-1]) if flip else inputs
            (out,) = self.session.run(["logits"], {"picture": given[None]})
            logits = np.moveaxis(np.asarray(out, np.float64)[0], 0, -1)
            if not np.isfinite(logits).all():
                raise LikenessError(f"'{self.path}' does not give numbers.", _REMEDY)
            likely = np.exp(logits - logits.max(-1, keepdims=True))
            likely /= likely.sum(-1, keepdims=True)
            total += likely[:, ::-1] if flip else likely
        return 0.5 * total

    def parse(
        self, photo: FloatArray, mask: BoolArray, camera: Camera, body: Body, vertices: FloatArray
    ) -> FloatArray:
        """Say what each pixel of a grid shows.

        Args:
            photo: [.., .., 3] sRGB 0..1 foreground colours, at its own size.
            mask: [H, W] the person, not empty.
            camera: of the grid.
            body: the person's own.
            vertices: [V, 3] of the body in the photo's pose, world space, metres.

        Returns:
            [H, W, len(PARSED)] 0..1; rows add up to one.

        Raises:
            LikenessError: The network's output is not finite.
        """
        height, width = mask.shape
        scale = photo.shape[1] / width
        rest = standard_rest(body)
        looks = [(person_square(mask), 1.0)]
        head = head_square(body, vertices, camera)
        if head is not None and looks[0][0].side > S.closer * head.side:
            looks.append((head, S.head_weight))
        total = np.zeros((height, width, len(PARSED)))
        weights = np.zeros((height, width, 1))
        for square, weight in looks:
            rgb = affine_crop(photo, square.matrix(scale), SIDE, SIDE, edge=True)
            seen = affine_crop(mask.astype(np.float32), square.matrix(), SIDE, SIDE) > 0.5
            layers, part = body_layers(rest, body, vertices, square.camera(camera))
            said = self.run(stack_inputs(rgb, seen, layers, part, body))
            # Towards the edge of a square less is seen of what goes on there.
            edge = np.minimum(np.arange(SIDE) + 1, SIDE - np.arange(SIDE)) / (0.15 * SIDE)
            fade = np.minimum.outer(np.minimum(edge, 1.0), np.minimum(edge, 1.0))[..., None]
            step = SIDE / square.side
            back = np.array([[step, 0, -step * square.left], [0, step, -step * square.top]])
            laid = affine_crop(
                np.concatenate([said * fade, fade], -1).astype(np.float32), back, width, height
            )
            total += weight * laid[..., :-1]
            weights += weight * laid[..., -1:]
        known = weights > 1e-3
        return np.where(known, total / np.maximum(weights, 1e-3), 1.0 / len(PARSED))


def body_digest(body: Body) -> str:
    """Return the SHA-256 of a body's triangles and parts; they must be those of the training."""
    names = "\n".join(body.part_names).encode()
    rows = np.column_stack([body.f, body.face_part]).astype("<i4")
    return hashlib.sha256(names + rows.tobytes()).hexdigest()


def load_parser() -> ParserRuntime | None:
    """Load the parser of this computer; None where it has none.

    Raises:
        LikenessError: It is damaged, or of another version.
    """
    path = find_local_weights(WEIGHTS["parser"])
    return None if path is None else get_or_load("parser", path, lambda: ParserRuntime(path))
