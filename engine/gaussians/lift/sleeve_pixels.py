"""Which pixels beside a forearm are its sleeve's.

A sleeve is wider than the arm in it, and in front of a trunk in the same cloth only its own edge
tells where it ends. Beyond the fitted arm its pixels would count as the trunk's, and stay there
when the arm is raised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...body import Body
from ...core.settings import register_settings
from ...core.types import BoolArray, Camera, FloatArray, IntArray
from ...render.mesh import MeshBuffer
from .labels import LOWER, SKIN, UPPER
from .pixel_cuts import cut_along_edges
from .pixel_grids import dilate, nearest_known


@dataclass(frozen=True)
class SleevePixelSettings:
    """Which pixels beside a forearm are its sleeve's."""

    widest: float = 0.12  # metres beyond the bare arm up to which its sleeve is looked for
    usual: tuple[float, float] = (0.012, 0.07)  # metres: least and most usual width of one
    prior: float = 50.0  # cost per metre of a pixel's distance from the usual width
    calm: float = 0.7  # pixels over which colours are smoothed
    few: int = 6  # pixels of an outline: fewer tell no width
    ring: float = 0.02  # metres along an arm that are bare or covered together
    bare: float = 0.5  # share of skin in such a ring from which on the arm is bare there


S = register_settings("lift.sleeve_pixels", SleevePixelSettings())


@dataclass(frozen=True)
class Forearm:
    """A forearm of the fitted body in the picture.

    Attributes:
        group: index of its arm in ``regions.GROUPS``.
        drawn: [H, W] where the bare arm is drawn alone.
        near: [H, W] pixels whose nearest pixel of it is the forearm's.
        beyond: [H, W] metres to that pixel.
        below: [H, W] 0..1 how far straight below that pixel they lie.
        depth: [H, W] metres along the view axis, of that pixel.
    """

    group: int
    drawn: BoolArray
    near: BoolArray
    beyond: FloatArray
    below: FloatArray
    depth: FloatArray

    @staticmethod
    def of(
        group: int,
        elbow: int,
        wrist: int,
        buffer: MeshBuffer,
        f: IntArray,
        body: Body,
        camera: Camera,
    ) -> Forearm:
        """Find a forearm in the picture.

        Args:
            group: of its arm.
            elbow: joint.
            wrist: joint.
            buffer: of the arm alone, which must show in the picture.
            f: [F, 3] the arm's triangles, which that was drawn of.
            body: the person's own.
            camera: of the grid.
        """
        drawn = buffer.face >= 0
        row, col, away = nearest_known(drawn)
        own = body.weights[:, elbow][f].mean(1) > 0.5
        own &= body.weights[:, wrist][f].mean(1) < 0.5
        depth = buffer.depth[row, col]
        below = (np.arange(len(drawn))[:, None] - row) / np.maximum(away, 1.0)
        return Forearm(
            group,
            drawn,
            own[buffer.face[row, col]],
            away * depth / camera.K[0, 0],
            np.clip(below, 0.0, 1.0),
            depth,
        )


def settle_sleeve_pixels(
    group: IntArray,
    label: IntArray,
    lab: FloatArray,
    forearms: list[Forearm],
    behind: dict[int, MeshBuffer],
) -> IntArray:
    """Assign the pixels beside forearms that show their sleeves to the arms.

    Args:
        group: [H, W] limb of each pixel, -1 outside the person.
        label: [H, W] index into ``labels.LABELS``.
        lab: [H, W, 3] L*a*b* of the photo.
        forearms: those that the picture shows.
        behind: z-buffers of the limbs in front of which a sleeve may hang, each drawn alone.

    Returns:
        [H, W] limb of each pixel.
    """
    out = group.copy()
    calm = ndimage.gaussian_filter(lab, (S.calm, S.calm, 0.0))
    cloth = np.isin(label, (UPPER, LOWER))
    rest = np.min([np.where(b.face >= 0, b.depth, np.inf) for b in behind.values()], axis=0)
    for arm in forearms:
        own = out == arm.group
        if not (own & arm.drawn).any():
            continue
        row, col, _ = nearest_known(own & arm.drawn)
        free = own & cloth & arm.near & dilate(group < 0, 1) & (arm.below > 0.5)
        least = most = S.usual[0]
        if free.sum() >= S.few:  # how far it hangs in front of the background
            most = float(np.clip(np.median(arm.beyond[free]), *S.usual))
        width = least + (most - least) * arm.below  # sleeves hang
        may = np.isin(out, list(behind)) & cloth & cloth[row, col] & arm.near
        may &= (arm.beyond < S.widest) & (arm.depth < rest)
        if may.any():
            cost = S.prior * (arm.beyond - width)
            out[cut_along_edges(may, own, group >= 0, calm, cost)] = arm.group
    return out


def release_other_cloth(
    group: IntArray, label: IntArray, along: FloatArray, arms: tuple[int, ...]
) -> IntArray:
    """Assign cloth beside bare arms and hands to the limb whose cloth it continues.

    Args:
        group: [H, W] limb of each pixel, -1 outside the person.
        label: [H, W] index into ``labels.LABELS``.
        along: [H, W] metres from the middle of the body at rest: along the arms.
        arms: their numbers in ``group``.

    Returns:
        [H, W] limb of each pixel.
    """
    out = group.copy()
    cloth, skin = np.isin(label, (UPPER, LOWER)), label == SKIN
    ring = (np.abs(along) / S.ring).astype(int)
    count = int(ring.max()) + 1
    for arm in arms:
        others = cloth & (group >= 0) & (group != arm)
        own = (group == arm) & (cloth | skin)
        total = np.bincount(ring[own], minlength=count)
        bare = np.bincount(ring[own & skin], minlength=count) > S.bare * total
        patches, _ = ndimage.label(own & cloth & bare[ring], np.ones((3, 3)))
        touching = np.unique(patches[dilate(others, 1) & (patches > 0)])
        if len(touching):
            row, col, _ = nearest_known(others)
            out = np.where(np.isin(patches, touching), group[row, col], out)
    return out
