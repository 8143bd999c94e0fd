"""Random samples of the parser: squares of pictures in other colours, with a photo's mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...body import Body
from ...core.distances import find_nearest
from ...core.geometry import vertex_normals
from ...core.settings import register_settings
from ...core.types import BoolArray, Camera, FloatArray, IntArray, LikenessError
from ...dataset.backgrounds import random_background
from ...gaussians.lift.pixels.labels_parser import (
    MIRROR,
    PARSED,
    SIDE,
    Square,
    body_layers,
    head_square,
    person_square,
    stack_inputs,
)
from ...gaussians.lift.surface.atlas_cells import CELL_LABELS
from ...gaussians.lift.surface.labels import NamesArray, standard_rest
from ...imaging.resize import affine_crop
from ...render.mesh import rasterize_mesh
from ..atlas_labels.garments import paint_garment, random_garment
from ..atlas_labels.people import UNKNOWN as UNKNOWN_CELL
from ..atlas_labels.people import CellSample
from ..augment_body import noisy_track
from .people import UNKNOWN, LabelledPicture, picture_paths, read_picture
from .photo_errors import hold_something, recolor_people, spoil_colors, spoil_mask

NONE, HAT = PARSED.index("none"), PARSED.index("hat")
_TO_PARSED = np.array([PARSED.index("upper" if n == "outer" else n) for n in CELL_LABELS])
_TO_CELL = np.array([CELL_LABELS.index(n) if n in CELL_LABELS else UNKNOWN_CELL for n in PARSED])


@dataclass(frozen=True)
class ParserBatchSettings:
    """What a sample is made of."""

    true_body: float = 0.25  # share of samples with the true body
    hats: float = 3.0  # times as often as others that pictures with a hat are taken
    tracks: int = 2  # wrong bodies of each picture
    wrong: tuple[float, float] = (0.5, 1.4)  # of the tracker's errors
    no_body: float = 0.04  # share of samples that get no body
    closer: float = 0.3  # share of the head's squares
    part: float = 0.15  # share of squares of any other part
    painted: float = 0.6  # factor on how often a garment is painted


S = register_settings("training.parser_batches", ParserBatchSettings())


@dataclass(frozen=True)
class PosedPicture:
    """A picture, its true body and wrong ones.

    Attributes:
        picture: with its truth.
        bodies: of each, rest [V, 3], vertices [V, 3] and the camera; the first is true.
        hat: whether it shows one.
    """

    picture: LabelledPicture
    bodies: tuple[tuple[FloatArray, FloatArray, Camera], ...]
    hat: bool


class PictureFolder:
    """The pictures of a folder; it may still grow.

    Args:
        folder: of the pictures.
        body: the default body.
        wrong: number of wrong bodies of each.

    Attributes:
        pictures: read so far.
        rest_normals: [V, 3] of the default body.
    """

    def __init__(self, folder: Path, body: Body, wrong: int) -> None:
        self.folder, self.body, self.wrong = folder, body, wrong
        self.pictures: list[PosedPicture] = []
        self.rest_normals = vertex_normals(standard_rest(body), body.f)
        self._read: set[Path] = set()

    def refresh(self, limit: int | None = None) -> Sequence[PosedPicture]:
        """Read the pictures that are new.

        Args:
            limit: of pictures; None for all.

        Raises:
            LikenessError: There are none, or one cannot be read.
        """
        for path in picture_paths(self.folder)[:limit]:
            if path not in self._read:
                self._read.add(path)
                self.pictures.append(self._pose(read_picture(path)))
        if not self.pictures:
            raise LikenessError(
                f"'{self.folder}' has no labelled pictures.",
                "Make some: likeness train-parser --make-pictures 200.",
            )
        return self.pictures

    def _pose(self, picture: LabelledPicture) -> PosedPicture:
        bodies = []
        for k in range(1 + self.wrong):
            track = picture.track
            if k:
                number = int(picture.name.split("_")[1])
                rng = np.random.default_rng([number, int(picture.name[-1]), k])
                known = bool(rng.random() < 0.5)
                track = noisy_track(self.body, track, rng, float(rng.uniform(*S.wrong)), known)
            own = self.body.personalised(track.betas)
            vertices = own.vertices(track.pose)[0].astype(np.float32)
            rest = standard_rest(own).astype(np.float32)
            bodies.append((rest, vertices, track.camera))
        return PosedPicture(picture, tuple(bodies), bool((picture.label == HAT).any()))


@dataclass(frozen=True)
class ParserSample:
    """What the network gets, and what it is to say.

    Attributes:
        inputs: [CHANNELS, SIDE, SIDE] float32.
        label: [SIDE, SIDE] uint8 rows of ``PARSED``, ``UNKNOWN`` where nothing is asked.
    """

    inputs: FloatArray
    label: IntArray


@dataclass(frozen=True)
class _PixelSurface:
    """Pixels as places of the body, to paint garments on."""

    place: FloatArray
    normal: FloatArray
    part: NamesArray


@dataclass(frozen=True)
class _Cut:
    """A square of a picture: colours [S, S, 3], alpha, labels, pieces [S, S]."""

    rgb: FloatArray
    alpha: FloatArray
    label: IntArray
    piece: IntArray


def cut_square(picture: LabelledPicture, square: Square) -> _Cut:
    """Cut a square out of a picture.

    Args:
        picture: with its truth.
        square: of it.
    """
    alpha = picture.rgba[..., 3:].astype(np.float32) / 255.0
    layers = np.concatenate([picture.rgba[..., :3] * (alpha / 255.0), alpha], -1)
    cut = affine_crop(layers, square.matrix(), SIDE, SIDE)
    size = len(alpha)
    at = (np.arange(SIDE) + 0.5) * square.side / SIDE
    row, col = np.floor(at + square.top).astype(int), np.floor(at + square.left).astype(int)
    inside = ((row >= 0) & (row < size))[:, None] & ((col >= 0) & (col < size))
    index = np.ix_(np.clip(row, 0, size - 1), np.clip(col, 0, size - 1))
    label = np.where(inside, picture.label[index], UNKNOWN)
    alpha = cut[..., 3]
    label = np.where((label == UNKNOWN) & (alpha < 0.03), NONE, label)
    rgb = cut[..., :3] / np.maximum(alpha, 1e-3)[..., None]
    return _Cut(np.clip(rgb, 0, 1), alpha, label, np.where(inside, picture.piece[index], 0))


def random_square(
    posed: PosedPicture, body: Body, mask: BoolArray, rng: np.random.Generator
) -> Square:
    """Draw a square: around the person, around the head, or around any part.

    Args:
        posed: the picture.
        body: the default body.
        mask: [H, W] the person.
        rng: random numbers.
    """
    whole = person_square(mask)
    draw = rng.random()
    _, vertices, camera = posed.bodies[0]
    square = whole
    if draw < S.closer:
        square = head_square(body, vertices, camera) or whole
    elif draw < S.closer + S.part:
        people = np.argwhere(mask)
        row, col = people[rng.integers(len(people))]
        side = whole.side * rng.uniform(0.35, 0.8)
        square = Square(col - 0.5 * side, row - 0.5 * side, side)
    side = square.side * float(np.exp(rng.normal(0, 0.12)))
    x, y = square.left + 0.5 * square.side, square.top + 0.5 * square.side
    x, y = np.array([x, y]) + rng.normal(0, 0.05, 2) * square.side
    return Square(x - 0.5 * side, y - 0.5 * side, side)


def random_sample(
    posed: PosedPicture, folder: PictureFolder, rng: np.random.Generator
) -> ParserSample:
    """Draw a square of a picture, changed as photos are.

    Args:
        posed: the picture.
        folder: that it is in.
        rng: random numbers.
    """
    body, picture = folder.body, posed.picture
    square = random_square(posed, body, picture.rgba[..., 3] > 127, rng)
    cut = cut_square(picture, square)
    rgb, label = recolor_people(cut.rgb, cut.label, cut.piece, rng), cut.label
    garment = random_garment(rng) if rng.random() < S.painted else None
    if garment is not None:
        rgb, label = _paint(rgb, label, cut.alpha, posed, square, folder, garment, rng)
    behind = np.clip(random_background(SIDE, SIDE, rng), 0, 1)
    rgb = behind + cut.alpha[..., None] * (rgb - behind)
    rgb, label = hold_something(rgb, label, rng)
    mask, empty = spoil_mask(cut.alpha, label == NONE, rng)
    label = np.where(mask, np.where(empty, NONE, label), UNKNOWN)
    rgb = spoil_colors(rgb, rng)
    row = 0 if rng.random() < S.true_body else int(rng.integers(len(posed.bodies)))
    rest, vertices, camera = posed.bodies[row]
    layers, part = body_layers(rest, body, vertices, square.camera(camera))
    if rng.random() < S.no_body:
        layers[:], part[:] = 0.0, -1
    inputs = stack_inputs(rgb, mask, layers, part, body)
    if rng.random() < 0.5:
        inputs, label = (MIRROR * inputs)[:, :, ::-1], label[:, ::-1]
    return ParserSample(inputs, label.astype(np.uint8))


def _paint(
    rgb: FloatArray,
    label: IntArray,
    alpha: FloatArray,
    posed: PosedPicture,
    square: Square,
    folder: PictureFolder,
    garment: str,
    rng: np.random.Generator,
) -> tuple[FloatArray, IntArray]:
    """Paint a garment over the person where the true body says that it would be."""
    body = folder.body
    rest, vertices, camera = posed.bodies[0]
    buffer = rasterize_mesh(vertices, body.f, square.camera(camera))
    on = buffer.face >= 0
    own = (alpha > 0.03) & (label != UNKNOWN)
    own &= _TO_CELL[np.minimum(label, len(PARSED) - 1)] != UNKNOWN_CELL
    if not on.any() or not own.any():
        return rgb, label
    row, col, _ = find_nearest(on)
    row, col = row[own], col[own]
    face, bary = buffer.face[row, col], buffer.bary[row, col]
    corners = body.f[face]
    place = np.einsum("nk,nkd->nd", bary, rest[corners])
    normal = np.einsum("nk,nkd->nd", bary, folder.rest_normals[corners])
    surface = _PixelSurface(place, normal, np.array(body.part_names)[body.face_part[face]])
    before, color = label[own], rgb[own]
    sample = CellSample(_TO_CELL[before], color, _TO_CELL[before], color)
    painted = paint_garment(surface, sample, rng, garment)
    changed = (painted.color != color).any(1)
    light = color.mean(1)
    shade = np.ones(len(light))
    for one in np.unique(before):
        here = before == one
        shade[here] = (light[here] + 0.05) / (np.median(light[here]) + 0.05)
    shade = np.clip(shade, 0.4, 1.7) ** rng.uniform(0.4, 1.0)
    rgb, label = rgb.copy(), label.copy()
    shown = np.clip(painted.color * shade[:, None], 0, 1)
    rgb[own] = np.where(changed[:, None], shown, color)
    label[own] = np.where(changed, _TO_PARSED[painted.truth], before)
    return rgb, label


def random_batch(
    folder: PictureFolder, count: int, rng: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    """Draw a batch: inputs [B, CHANNELS, SIDE, SIDE] and labels [B, SIDE, SIDE].

    Args:
        folder: of the pictures, read.
        count: B.
        rng: random numbers.
    """
    often = np.array([S.hats if posed.hat else 1.0 for posed in folder.pictures])
    chosen = rng.choice(len(often), count, p=often / often.sum())
    samples = [random_sample(folder.pictures[k], folder, rng) for k in chosen]
    return np.stack([s.inputs for s in samples]), np.stack([s.label for s in samples])
