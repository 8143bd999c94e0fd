"""Pictures of synthetic people with the true label of every pixel.

The rasteriser's own part labels do not tell upper from lower wear; these name each garment as the
truth over the atlas does (:mod:`...synth.atlas_truth`).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from ...core.types import NUM_JOINTS, Camera, IntArray, LikenessError, Pose, Track
from ...dataset.atlas_people import ATLAS_LABELS
from ...dataset.spaces import photo_transform, transform_camera, transform_pose
from ...dataset.subjects import PERSON, person_key
from ...files.atomic import atomic_write
from ...files.untrusted import read_npz
from ...gaussians.lift.pixels.labels_parser import PARSED
from ...gaussians.lift.surface.labels import standard_rest
from ...synth import raster, splits, views
from ...synth.atlas_truth import name_pieces
from ...synth.figure import SynthContext, SynthSubject, make_subject, open_context, random_framing
from ...synth.subject import RasterStudio, RenderStudio
from ...synth.synth_options import SynthOptions
from ...wardrobe.mesh_parts import LABEL, MeshPart

UNKNOWN = 255  # label of a pixel that no class fits: jewellery, or nobody's
VIEWS, SIZE = 4, 448  # pictures of a person, and pixels along their sides
_VIEW_STEP = 200  # of the random streams; those before it are the figure's and the atlas'
_BARE = [LABEL[name] for name in ("eye", "mouth", "brow")]
_DRESS = 0.03  # metres from the inner thighs beyond which a garment bridges the legs


@dataclass(frozen=True)
class LabelledPicture:
    """A picture of a person with its truth.

    Attributes:
        name: of the file.
        rgba: [S, S, 4] uint8, straight alpha.
        label: [S, S] uint8 rows of ``PARSED``, ``UNKNOWN``.
        piece: [S, S] uint8 number of the garment, 0 for none.
        track: the true body, as a tracker would give it.
    """

    name: str
    rgba: IntArray
    label: IntArray
    piece: IntArray
    track: Track


def triangle_labels(made: SynthSubject) -> tuple[IntArray, IntArray]:
    """Return the label and the piece of each triangle of a figure's parts, empty ones left out.

    Args:
        made: the person.

    Returns:
        label: [F] rows of ``PARSED``, ``UNKNOWN``.
        piece: [F] from 1, 0 for none.
    """
    parts = [part for part in made.figure.parts if len(part.f)]
    posed = made.figure.posed
    assert posed is not None
    _, piece, atlas = name_pieces(parts, posed)
    rows = [PARSED.index(n) if n in PARSED else UNKNOWN for n in ATLAS_LABELS]
    label = np.array(rows)[atlas]
    own = np.concatenate([part.label for part in parts])
    label[np.isin(own, _BARE)] = PARSED.index("skin")
    label[own == LABEL["glasses"]] = PARSED.index("glasses")
    if not (label == PARSED.index("lower")).any():
        _split_suits(label, piece, parts, made)
    return label.astype(np.uint8), np.minimum(piece, 254).astype(np.uint8)


def _split_suits(
    label: IntArray, piece: IntArray, parts: list[MeshPart], made: SynthSubject
) -> None:
    """Cut overalls at the hip; a dress, which bridges the legs, stays whole."""
    posed = made.figure.posed
    assert posed is not None
    body = posed.dress.body
    rest = standard_rest(body)
    part = np.zeros(len(rest), np.int64)
    part[body.f[:, 0]] = body.face_part
    inner = (part == body.part_names.index("leg")) & (rest[:, 1] > -0.5) & (rest[:, 1] < -0.2)
    inner &= np.abs(rest[:, 0]) < 0.07
    middles = np.concatenate([p.vertices[p.f].mean(1) for p in parts])
    vertices = np.asarray(posed.vertices, np.float64)
    nearest = cKDTree(vertices).query(middles)[1]
    low = (rest[nearest, 1] < 0.02) & (np.abs(rest[nearest, 0]) < 0.4)
    for suit in np.unique(piece[label == PARSED.index("upper")]):
        own = (piece == suit) & (label == PARSED.index("upper"))
        gap = cKDTree(middles[own]).query(vertices[inner])[0]
        if np.median(gap) < _DRESS:
            label[own & low] = PARSED.index("lower")


def draw_pictures(
    number: int,
    options: SynthOptions,
    context: SynthContext,
    studio: RasterStudio,
    count: int = VIEWS,
    renderer: RenderStudio | None = None,
) -> list[dict[str, Any]]:
    """Draw a person from some sides: as photographed, framed otherwise, and from aside.

    Args:
        number: of the person.
        options: of the people.
        context: opened with them.
        studio: draws the labels.
        count: of pictures.
        renderer: draws the colours; None: ``studio`` does.

    Returns:
        Of each picture, the arrays of its file.
    """
    made = make_subject(number, options, context)
    seed = splits.split_seed(options.seed, options.split)
    body = context.dress.body
    posed = made.figure.posed
    assert posed is not None
    planned = [(made.framing, made.views[0])]
    for k in range(1, count):
        rng = np.random.default_rng([seed, number, _VIEW_STEP + k])
        framing = random_framing(rng, "mix")
        found = views.plan_views(
            rng,
            body,
            made.betas,
            [(made.pose, posed.vertices)],
            framing,
            1 if k < VIEWS - 1 else 6,
            options.size,
        )
        planned.append((framing, found[0 if k < VIEWS - 1 else int(rng.choice([1, 5]))]))
    label, piece = triangle_labels(made)
    studio.stage(made.figure, made.lighting)
    if renderer is not None:
        renderer.stage(made.figure, made.lighting)
    scene = studio.prepared.scene
    out = []
    for framing, view in planned:
        camera = view.camera
        rgba = (renderer or studio).draw(camera)
        truth = []
        for rows in (label, piece):
            # Row 0 is nothing at all in a picture of labels.
            shifted = np.asarray(rows + 1, np.uint8)
            named = replace(studio.prepared, scene=scene._replace(label=shifted))
            truth.append(raster.render_truth(named, camera)[1] - np.uint8(1))
        motion = photo_transform(camera)
        pose = transform_pose(made.pose, body.personalised(made.betas), motion)
        seen = transform_camera(camera, motion)
        out.append(
            {
                "rgba": np.round(255 * rgba).astype(np.uint8),
                "label": truth[0],
                "piece": np.where(truth[1] == UNKNOWN, 0, truth[1]),
                "betas": np.asarray(made.betas, np.float32),
                "full_pose": np.asarray(pose.full_pose, np.float32),
                "transl": np.asarray(pose.transl, np.float32),
                "expression": np.asarray(pose.expression, np.float32),
                "viewmat": np.asarray(seen.viewmat, np.float64),
                "K": np.asarray(seen.K, np.float64),
                "framing": np.frombuffer(framing.encode(), np.uint8),
                "kind": np.frombuffer(view.kind.encode(), np.uint8),
            }
        )
    return out


def make_people(
    folder: Path,
    count: int,
    options: SynthOptions,
    say: Callable[[str], None] = print,
    renderer: RenderStudio | None = None,
) -> int:
    """Draw people into a folder; those that are there already stay.

    Args:
        folder: of the pictures.
        count: people.
        options: seed, split and library of the people count.
        say: called with progress.
        renderer: draws the colours; None: our own rasteriser.

    Returns:
        The number of pictures in the folder.

    Raises:
        LikenessError: The library cannot be used, or the folder cannot be written.
    """
    options = replace(options, size=SIZE, texture_size=SIZE, views=1, engine="raster")
    context = open_context(options, lambda asset, why: None)
    studio = RasterStudio(context.surroundings.read)
    for number in range(count):
        paths = [folder / f"{person_key(number)}_{k}.npz" for k in range(VIEWS)]
        if paths[-1].is_file():
            continue
        drawn = draw_pictures(number, options, context, studio, renderer=renderer)
        for path, arrays in zip(paths, drawn, strict=True):
            with atomic_write(path, make_parent=True) as scratch:
                np.savez_compressed(scratch, **arrays)
        say(f"  {person_key(number)}")
    return len(picture_paths(folder))


def picture_paths(folder: Path) -> list[Path]:
    """Return the pictures of a folder and of those in it."""
    return sorted(folder.rglob(f"{PERSON}*_[0-9].npz"))


def read_picture(path: Path) -> LabelledPicture:
    """Read a picture.

    Raises:
        LikenessError: It is missing or damaged.
    """
    try:
        arrays = read_npz(io.BytesIO(path.read_bytes()))
        rgba = arrays["rgba"]
        size = rgba.shape[0]
        pose = Pose(
            *(
                np.asarray(arrays[name], np.float64)
                for name in ("full_pose", "transl", "expression")
            )
        )
        track = Track(
            arrays["betas"],
            pose,
            Camera(arrays["viewmat"], arrays["K"], size, size),
            arrays["framing"].tobytes().decode(),
            np.ones(NUM_JOINTS),
            0.0,
            0.0,
            view=arrays["kind"].tobytes().decode(),
        )
        return LabelledPicture(path.stem, rgba, arrays["label"], arrays["piece"], track)
    except (OSError, ValueError, KeyError) as error:
        raise LikenessError(
            f"'{path}' cannot be read as a labelled picture ({error}).", "Remove the file."
        ) from error
