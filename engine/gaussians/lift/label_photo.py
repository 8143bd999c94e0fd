"""Labels the photo, and corrects by its labels where the fitted arms and hands are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body import Body
from ...core.distances import find_nearest
from ...core.settings import register_settings
from ...core.types import (
    BoolArray,
    Camera,
    FloatArray,
    IntArray,
    LikenessError,
    Matte,
    Observation,
    Track,
)
from ...imaging.resize import resize_rgba
from ...render.mesh import rasterize_mesh
from .accessories.glasses import remove_glasses
from .grids.pixel_grids import erode, fit_grid
from .occlusion.arm_order import order_arms
from .occlusion.held_marks import mark_held_objects, mark_removed
from .occlusion.hidden_forearms import find_rims, hidden_forearm_distance, near_hidden_forearms
from .occlusion.hidden_hands import find_unreached_skin, reach_shown_hands, tuck_hidden_hands
from .pixels.arm_rims import find_arm_rims
from .pixels.labels_parser import ParserRuntime
from .pixels.regions import Regions, find_regions
from .pixels.sleeve_slivers import find_sleeve_slivers
from .shape.ear_places import Ears, find_ears, move_ears
from .surface.limbs import HEAD

REGION_PIXELS = 40_000
"""Pixels of the person on the grid that labels and depths are found on."""


@dataclass(frozen=True)
class LabelPhotoSettings:
    """Photos that are refused."""

    min_overlap: float = 0.1  # share of the person that the fitted body must cover


S = register_settings("lift.label_photo", LabelPhotoSettings())


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo whose pixels are labelled.

    Attributes:
        matte: with a clean rim, without glasses.
        portrait: the same with glasses.
        frame: [H, W] 0..1 how much of each pixel of the portrait was a frame of glasses, or None.
        regions: on the grid.
        camera: of the grid.
        colors: [H, W, 3] sRGB 0..1, on the grid.
        alpha: [H, W] 0..1, on the grid.
        near_hidden: [H, W] pixels beside forearms that something outside the matte hides, and of
            a head that the frame cuts.
    """

    matte: Matte
    portrait: Matte
    frame: FloatArray | None
    regions: Regions
    camera: Camera
    colors: FloatArray
    alpha: FloatArray
    near_hidden: BoolArray

    def without(self, gone: BoolArray) -> LabelledPhoto:
        """Return the photo with more pixels marked as removed.

        Args:
            gone: [H, W] on the grid.
        """
        matte, portrait = mark_removed(self.matte, gone), mark_removed(self.portrait, gone)
        regions = mark_held_objects(self.regions, matte.held)
        return replace(self, matte=matte, portrait=portrait, regions=regions)


def label_photo(
    matte: Matte,
    observation: Observation,
    track: Track,
    body: Body,
    vertices: FloatArray,
    region_pixels: int = REGION_PIXELS,
    parser: ParserRuntime | None = None,
    known: IntArray | None = None,
) -> LabelledPhoto:
    """Label the photo's pixels, and remove glasses.

    Args:
        matte: of the portrait.
        observation: of the portrait.
        track: of the portrait.
        body: the person's own.
        vertices: [V, 3] of the body in the photo's pose, world space, metres.
        region_pixels: of the person, on the grid.
        parser: as for :func:`.lift_photo.lift_photo`.
        known: [.., ..] labels of the portrait on any grid, NONE where they are to be found.

    Raises:
        LikenessError: the matte shows no person, or it misses the tracked body.
    """
    matte = clean_rim(matte)
    size = fit_grid(matte.alpha, region_pixels)
    if size is None:
        raise LikenessError(
            "The person could not be separated from the background.",
            "Use a photo where the person stands out, or one with an alpha channel.",
        )
    camera = track.camera.resized(*size)
    colors, alpha = resize_rgba(matte.foreground, matte.alpha, *size)
    regions = find_regions(
        colors,
        alpha > 0.5,
        camera,
        vertices,
        body,
        observation,
        size[0] / matte.alpha.shape[1],
        matte.foreground,
        parser,
        known,
    )
    if (regions.mask & (regions.body.face >= 0)).sum() < S.min_overlap * regions.mask.sum():
        raise LikenessError(
            "The fitted body lies beside the person in the photo.",
            "Use a photo that shows the person larger, upright and from the front.",
        )
    distance = hidden_forearm_distance(regions, body, camera)
    matte = mark_removed(matte, find_rims(regions, colors, distance))
    regions = mark_held_objects(regions, matte.held)
    without, frame = remove_glasses(matte, regions.glasses)
    if frame is not None:
        colors, alpha = resize_rgba(without.foreground, without.alpha, *size)
    near_hidden = near_hidden_forearms(distance)
    return LabelledPhoto(without, matte, frame, regions, camera, colors, alpha, near_hidden)


@dataclass(frozen=True)
class PosedPhoto:
    """A labelled photo with the pose that it shows.

    Attributes:
        found: the photo, without skin that the body cannot reach, slivers of sleeves, background
            along arms, and heads that the frame cuts.
        labels: [H, W] of its pixels, with all of those.
        track: of the portrait, its hidden hands out of sight.
        body: the person's own, with the photo's ears.
        ears: how its ears differ from the fitted ones.
        vertices: [V, 3] of the body in this pose, world space, metres.
    """

    found: LabelledPhoto
    labels: IntArray
    track: Track
    body: Body
    ears: Ears
    vertices: FloatArray


def label_and_pose(
    matte: Matte,
    observation: Observation,
    track: Track,
    body: Body,
    region_pixels: int,
    parser: ParserRuntime | None = None,
    known: IntArray | None = None,
    reorder_arms: bool = True,
    ears: Ears | None = None,
) -> PosedPhoto:
    """Label the photo, and correct the pose of arms and hands, and the ears, by its labels.

    Args:
        matte: of the portrait.
        observation: of the portrait.
        track: of the portrait.
        body: the person's own.
        region_pixels: of the person, on the grid.
        parser: as for :func:`.lift_photo.lift_photo`.
        known: [.., ..] labels, as for :func:`label_photo`.
        reorder_arms: whether arms may move before or behind others, as the photo shows them.
        ears: as for :func:`.lift_photo.lift_photo`.

    Raises:
        LikenessError: as for :func:`label_photo`.
    """

    def label(track: Track) -> LabelledPhoto:
        vertices, _ = body.vertices(track.pose)
        return label_photo(matte, observation, track, body, vertices, region_pixels, parser, known)

    found = label(track)
    for correct in (order_arms, reach_shown_hands) if reorder_arms else (reach_shown_hands,):
        pose = correct(found.regions, found.camera, body, track.pose)
        if pose is not track.pose:
            track = replace(track, pose=pose)
            found = label(track)
    labels = found.regions.label
    unreached = find_unreached_skin(found.regions, found.camera, body)
    slivers = find_sleeve_slivers(found.regions, found.camera)
    rims = find_arm_rims(found.regions, found.colors, found.camera)
    found = found.without(unreached | slivers | rims)
    if found.regions.head_cut:
        drawn = found.regions.limb[HEAD].face >= 0
        shown = found.regions.mask & (found.regions.group == HEAD)
        found = replace(found.without(shown), near_hidden=found.near_hidden | drawn)
    pose = tuck_hidden_hands(found.regions, found.camera, body, track.pose)
    if ears is None:
        ears = find_ears(found.regions, found.camera, body, pose)
    if ears.differ:
        body = move_ears(body, ears)
        redrawn = rasterize_mesh(body.vertices(track.pose)[0], body.f, found.camera)
        found = replace(found, regions=replace(found.regions, body=redrawn))
    vertices, _ = body.vertices(pose)
    return PosedPhoto(found, labels, replace(track, pose=pose), body, ears, vertices)


def clean_rim(matte: Matte) -> Matte:
    """Return the matte with its soft rim in the colours of solid pixels nearby.

    A half-transparent pixel's own colour is the least certain of all, and from the side a rim
    splat shows as a line.
    """
    solid = erode(matte.alpha > 0.97, max(1, round(min(matte.alpha.shape) / 500)))
    if not solid.any():
        return matte
    rows, cols, _ = find_nearest(solid)
    trust = np.clip((matte.alpha - 0.5) / 0.5, 0.0, 1.0)[..., None] ** 2
    near = matte.foreground[rows, cols]
    return replace(matte, foreground=trust * matte.foreground + (1.0 - trust) * near)
