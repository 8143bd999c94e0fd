"""Pairs for the polishing network: views of lifted avatars, and what the person looks like there.

A synthetic person is lifted from the most frontal view, with the true body, and drawn in the other
views and poses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter

from ...body import Body
from ...core.types import Avatar, BoolArray, FloatArray, IntArray, LikenessError
from ...dataset.shards import SkippedItem, read_subjects, shard_files
from ...dataset.spaces import transform_pose
from ...dataset.subjects import InvalidSampleError, Subject
from ...files.atomic import atomic_write
from ...files.untrusted import read_npz
from ...files.weights import DEFAULT_NETWORK
from ...gaussians.lift.garments.labels_network import load_label_network
from ...gaussians.lift.lift_photo import lift_photo
from ...gaussians.lift.pixels.labels_parser import load_parser
from ...gaussians.polish.planes import PLANES, draw_planes, seen_splats, splat_marks
from ...gaussians.polish.polish_network import LIGHT
from ...gaussians.posing import pose_avatar
from ...network.apply import apply_network, lift_budget, resolve_network
from ..augment import CLEAN
from ..photographs import InvalidReferenceError, Photographs
from ..target_views import TargetViews

MARGIN = 0.04  # of the pictures, around the person
_SIGNED = slice(PLANES.index("depth"), PLANES.index("normal_z") + 1)


@dataclass(frozen=True)
class PolishPair:
    """A view of an avatar and its truth.

    Attributes:
        planes: [S, S, len(PLANES)] uint8 of :func:`.planes.draw_planes`, see :func:`unpack_planes`.
        truth: [S, S, 4] uint8, straight alpha.
        yaw: degrees from the photo's view, 0..180.
        reference: whether it is the photo's own.
    """

    planes: IntArray
    truth: IntArray
    yaw: float
    reference: bool


def pack_planes(planes: FloatArray) -> IntArray:
    """Round planes to 8 bits; those with a sign around the middle.

    Args:
        planes: [..., len(PLANES)] float32.

    Returns:
        [..., len(PLANES)] uint8.
    """
    out = np.array(planes, np.float32)
    out[..., _SIGNED] = 0.5 + 0.5 * out[..., _SIGNED]
    return np.asarray(np.clip(np.round(255.0 * out), 0, 255), np.uint8)


def unpack_planes(packed: IntArray) -> FloatArray:
    """Undo :func:`pack_planes`, up to its rounding.

    Args:
        packed: [..., len(PLANES)] uint8.

    Returns:
        [..., len(PLANES)] float32.
    """
    out = packed.astype(np.float32) / np.float32(255.0)
    out[..., _SIGNED] = 2.0 * out[..., _SIGNED] - 1.0
    out[..., _SIGNED] *= packed[..., 3:4] > 0
    return out


def lit_truth(pair: PolishPair) -> tuple[FloatArray, BoolArray]:
    """Return a truth that is lit as what is drawn, and where both are solid.

    Slow colours are light, which one photo does not tell.

    Args:
        pair: the view.

    Returns:
        wanted: [S, S, 3] float32; only the masked pixels mean anything.
        mask: [S, S].
    """
    drawn, alpha = pair.planes[..., :3] / 255.0, pair.planes[..., 3]
    truth = pair.truth[..., :3] / 255.0
    mask = binary_erosion((alpha > 240) & (pair.truth[..., 3] > 240))
    cover = np.maximum(gaussian_filter(mask.astype(np.float32), LIGHT), 1e-3)[..., None]
    apart = ((drawn - truth) * mask[..., None]).astype(np.float32)
    lit = truth + gaussian_filter(apart, (LIGHT, LIGHT, 0)) / cover
    return lit.astype(np.float32), np.asarray(mask)


def make_pairs(
    data: Path, out: Path, body: Body, size: int, say: Callable[[str], None] = print
) -> int:
    """Make the pairs of all people in shards; those that are there already take no time.

    Args:
        data: folder of shards.
        out: folder of the pairs, a file a person.
        body: the default body.
        size: pixels of the pictures' sides.
        say: called with progress.

    Returns:
        The people made now.

    Raises:
        LikenessError: The shards are missing, or the folder cannot be written.
    """
    skipped: list[SkippedItem] = []
    made = 0
    for shard in shard_files(data, skipped.append):
        for subject in read_subjects(shard, body.num_betas, body.num_expression, skipped.append):
            path = out / f"{subject.key}.npz"
            if path.is_file():
                continue
            try:
                pairs = list(_pairs(subject, body, size))
            except (InvalidReferenceError, InvalidSampleError, LikenessError) as error:
                say(f"{subject.key} is left out: {error}")
                continue
            arrays = {
                "planes": np.stack([p.planes for p in pairs]),
                "truth": np.stack([p.truth for p in pairs]),
                "yaw": np.array([p.yaw for p in pairs]),
                "reference": np.array([p.reference for p in pairs]),
            }
            with atomic_write(path, make_parent=True) as scratch, scratch.open("wb") as file:
                np.savez_compressed(file, **arrays)
            made += 1
            say(f"{subject.key}: {len(pairs)} views")
    return made


def read_pairs(path: Path) -> list[PolishPair]:
    """Read a person's pairs.

    Raises:
        LikenessError: The file cannot be read, or has another form.
    """
    remedy = "Delete it and make the pairs again."
    try:
        a = read_npz(path)
        rows = zip(a["planes"], a["truth"], a["yaw"], a["reference"], strict=True)
        return [PolishPair(p, t, float(y), bool(r)) for p, t, y, r in rows]
    except (OSError, ValueError, KeyError) as error:
        raise LikenessError(f"'{path}' cannot be read ({error}).", remedy) from error


def read_all_pairs(folder: Path) -> Iterator[PolishPair]:
    """Read all pairs of a folder.

    Raises:
        LikenessError: The folder has no pairs, or a file cannot be read.
    """
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise LikenessError(
            f"'{folder}' has no views of lifted people.", "Make some, or give another folder."
        )
    for path in files:
        yield from read_pairs(path)


def frontal_view(subject: Subject) -> int:
    """Row of the most frontal view of the first pose."""
    turned = [abs((v.azimuth + 180.0) % 360.0 - 180.0) for v in subject.views]
    first = [k for k, v in enumerate(subject.views) if v.pose == subject.views[0].pose]
    return min(first, key=lambda k: turned[k])


def _pairs(subject: Subject, body: Body, size: int) -> Iterator[PolishPair]:
    row = frontal_view(subject)
    photo = Photographs(body, CLEAN, True, None).of(subject, row)
    own = body.personalised(photo.track.betas)
    network = resolve_network(DEFAULT_NETWORK, lambda: body)
    assert photo.observation is not None
    lifted = lift_photo(
        photo.matte,
        photo.observation,
        photo.track,
        own,
        labels=load_label_network(),
        parser=load_parser(),
    )
    if network is not None:
        budget = lift_budget(network, len(lifted.gaussians))
        lifted, _ = apply_network(lifted, network, [(photo.matte, photo.track)], budget)
    pose = lifted.pose or photo.track.pose
    avatar = Avatar(lifted.body, lifted.gaussians, pose, photo.track.camera, photo.track.framing)
    marks = splat_marks(avatar.gaussians, seen_splats(avatar))
    truth = TargetViews(body, subject, row, photo.fit)
    start = subject.views[row].azimuth
    for k, view in enumerate(subject.views):
        target = truth.view(k, size, MARGIN)
        there = pose
        if view.pose != subject.views[row].pose:
            there = transform_pose(subject.pose(k), truth.own, photo.fit.motion)
        planes, _ = draw_planes(pose_avatar(avatar, there), marks, target.camera)
        yaw = abs((view.azimuth - start + 180.0) % 360.0 - 180.0)
        rgba = np.round(255.0 * np.clip(target.rgba, 0, 1)).astype(np.uint8)
        yield PolishPair(pack_planes(planes), rgba, yaw, k == row)
