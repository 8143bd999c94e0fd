"""Flat Gaussians (surfels) from points and tangents, and their triangles on the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ....body import Body
from ....body.extension import NAPE
from ....core.kernels import kernel
from ....core.rotation_kernels import rotation_quaternions
from ....core.settings import register_settings
from ....core.threads import run_parts
from ....core.types import (
    JOINT_INDEX,
    LAYERS,
    BoolArray,
    BoundGaussians,
    Camera,
    FloatArray,
    Gaussians,
    IntArray,
)
from ...binding import bind_gaussians
from .labels import LOWER, OBJECT, SKIN, UPPER
from .limbs import ARM_CHAINS, ARM_JOINTS, CHEST_JOINTS, HAND_JOINTS, NECK_JOINTS
from .nape import Nape

CORE, SHELL, PHOTO = (LAYERS.index(name) for name in ("core", "shell", "photo"))

ROWS_PER_PART = 64  # of a picture, at least, for a thread

FLATNESS = 0.1
"""Third scale over the smaller of the other two: flat splats look the same as Blender's quads,
as gsplat's ellipsoids and in PLY viewers."""


def surfels_from_tangents(
    points: FloatArray,
    du: FloatArray,
    dv: FloatArray,
    sigma: float,
    colors: FloatArray,
    opacities: FloatArray,
) -> Gaussians:
    """Make Gaussians whose covariance is sigma² (du duᵀ + dv dvᵀ), flattened along du x dv.

    Args:
        points: [N, 3] metres.
        du: [N, 3] metres, the step to the neighbouring splat on the right.
        dv: [N, 3] metres, the step to the one below.
        sigma: standard deviation in units of one step.
        colors: [N, 3] 0..1.
        opacities: [N] 0..1.
    """
    length = np.maximum(np.linalg.norm(du, axis=1, keepdims=True), 1e-9)
    # Without a first step the second one, or any, gives the first axis.
    other = np.where(np.linalg.norm(dv, axis=1, keepdims=True) > 1e-9, dv, [1.0, 0.0, 0.0])
    e1 = np.where(length > 1e-9, du, other)
    e1 = e1 / np.linalg.norm(e1, axis=1, keepdims=True)
    normal = np.cross(du, dv)
    size = np.linalg.norm(normal, axis=1, keepdims=True)
    # Parallel tangents span no plane: any plane through them does.
    spare = np.cross(e1, np.eye(3)[np.abs(e1).argmin(1)])
    normal = np.where(size > 1e-14, normal, spare)
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    e2 = np.cross(normal, e1)
    a = length[:, 0]
    b, c = np.einsum("nd,nd->n", dv, e1), np.einsum("nd,nd->n", dv, e2)
    # Eigenvectors of [[a² + b², bc], [bc, c²]] in closed form.
    p, q, r = a * a + b * b, b * c, c * c
    half, centre = np.hypot((p - r) / 2, q), (p + r) / 2
    angle = 0.5 * np.arctan2(2 * q, p - r)
    s1 = sigma * np.sqrt(np.maximum(centre + half, 1e-16))
    s2 = sigma * np.sqrt(np.maximum(centre - half, 1e-16))
    s2 = np.maximum(s2, 0.2 * s1)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    axis1 = cos * e1 + sin * e2
    R = np.stack([axis1, np.cross(normal, axis1), normal], -1)
    scales = np.stack([s1, s2, FLATNESS * np.minimum(s1, s2)], -1)
    return Gaussians(points, rotation_quaternions(R), scales, opacities, colors)


def surfels_on_plane(
    points: FloatArray,
    normals: FloatArray,
    radius: FloatArray,
    colors: FloatArray,
    opacities: FloatArray,
    way: FloatArray | None = None,
    slender: FloatArray | float = 1.0,
) -> Gaussians:
    """Make round surfels, or long ones of the same area.

    Args:
        points: [N, 3] metres.
        normals: [N, 3] unit.
        radius: [N] metres, the standard deviation.
        colors: [N, 3] 0..1.
        opacities: [N] 0..1.
        way: [N, 3] unit tangents along which they are long; None if they are round.
        slender: [N] or one: square root of length over width.
    """
    e1 = way
    if e1 is None:
        e1 = np.cross(normals, np.eye(3)[np.abs(normals).argmin(1)])
        e1 /= np.linalg.norm(e1, axis=1, keepdims=True)
    e2 = np.cross(normals, e1)
    long, wide = radius * slender, radius / slender
    return surfels_from_tangents(
        points, e1 * long[:, None], e2 * wide[:, None], 1.0, colors, opacities
    )


IN_HAND = 100
"""Added to an arm's group: what its hand holds, on one triangle of the palm or its back."""
IN_SLEEVE = 200
"""Added to an arm's group: its sleeve, on triangles above the wrist."""


@dataclass(frozen=True)
class SurfelSettings:
    """Steps between neighbouring splats."""

    stretch: float = 3.0  # longest step on a mesh, in widths of a pixel; texels fill in beyond
    max_stretch: float = 5.0  # longest step between neighbouring splats, in widths of a pixel
    jump: float = 15.0  # the same from which on it leads to another surface
    alone: float = 8.0  # steps of its grid to the last neighbour: farther is in mid air
    neighbours: int = 6  # that each point is compared with
    turn: float = 0.005  # radians that they turn it: what stands off it would sway
    still: float = 0.001  # metres that expressions move a triangle that holds what lies over it
    sleeve: float = 0.05  # most weight of the hand's joints on a triangle that holds a sleeve
    bends: float = 0.05  # least weight of an arm's joints, and the trunk's, where both are one
    neck: float = 0.25  # weight of the neck's and the head's joints from which a triangle turns
    collar: float = 0.12  # metres to the trunk within which cloth at the neck is the trunk's


S = register_settings("lift.surfels", SurfelSettings())


class TriangleBinding:
    """Finds the triangle that a free point belongs to: the nearest one of its limb.

    Hair, clothes and the back have no triangle of their own. The head's mimic triangles are left
    out for them, so that a fringe does not blink with the lid below it.

    Attributes:
        body: whose triangles they are.
        vertices: [V, 3] of it in the photo's pose, world space, metres.
        steady: [F] triangles that may hold what lies over them.
        usable: [F] triangles that may hold anything.
        face_group: [F] the limb of each.
        on_arm: [F] those that rise with an arm.
        one_limb: [F] those that do not bend with both an arm and the trunk.
        above_wrist: [F] those that no wrist turns.
        sleeved: groups of the arms whose cloth is a sleeve and no glove.
        handless: groups of the arms whose hands the photo hides.
        on_neck: [F] those that turn with the neck or the head.
        nape: what holds hair beside the neck.
    """

    def __init__(
        self,
        body: Body,
        vertices: FloatArray,
        face_group: IntArray,
        hidden: BoolArray | None = None,
        handless: tuple[int, ...] = (),
        sleeved: tuple[int, ...] = (),
    ) -> None:
        self.body, self.vertices, self.face_group = body, vertices, face_group
        self.handless, self.sleeved = handless, sleeved
        self.usable = np.ones(len(body.f), bool) if hidden is None else ~hidden
        centroids = vertices[body.f].mean(1)
        moves = np.zeros(len(vertices))
        if body.num_expression:
            moves = np.abs(body.exprdirs).max(axis=(1, 2))
        jaw = body.weights[:, JOINT_INDEX["jaw"]][body.f].max(1)
        still = (moves[body.f].max(1) < S.still) & (jaw < 0.02) & (_turns(body) < S.turn)
        outer = ~np.isin(
            body.face_part, [i for i, name in enumerate(body.part_names) if name in INNER_PARTS]
        )
        outer &= self.usable
        self.steady = still & outer
        # Leave out the armpits' folds too: they open when the arm is raised, and would scatter
        # what hangs on them from afar. The texels below close the gap.
        arm = body.sum_weights(ARM_JOINTS)[body.f].mean(1)
        outer &= (arm < 0.15) | (arm > 0.85)
        self.on_arm = arm > 0.1
        self.one_limb = (arm < S.bends) | (arm > 1.0 - S.bends)
        hands = body.sum_weights(HAND_JOINTS)[body.f].max(1)
        self.above_wrist = hands < S.sleeve
        self._trees: dict[int, tuple[cKDTree, IntArray]] = {}
        for g in np.unique(face_group):
            own = face_group == g
            for wanted in (own & still & outer, own & outer, own & self.usable, own):
                rows = np.nonzero(wanted)[0]
                if len(rows) > 0:
                    break
            self._trees[int(g)] = (cKDTree(centroids[rows]), rows)
        for arm, (*_, wrist) in ARM_CHAINS.items():
            steadiest = body.weights[:, wrist][body.f].min(1).argmax(keepdims=True)
            self._trees[IN_HAND + arm] = (cKDTree(centroids[steadiest]), steadiest)
        for arm in {*sleeved, *self.handless}:
            rows = np.nonzero((face_group == arm) & outer & self.above_wrist)[0]
            if len(rows) > 0:
                self._trees[IN_SLEEVE + arm] = (cKDTree(centroids[rows]), rows)
        turning = body.sum_weights(NECK_JOINTS)[body.f].mean(1)
        self.on_neck = turning > S.neck
        chest = body.sum_weights(CHEST_JOINTS)[body.f].mean(1) > 0.5
        rows = np.nonzero(outer & chest & ~self.on_neck)[0]
        self._chest = (cKDTree(centroids[rows]), rows)
        self.nape = Nape(body, vertices)

    def holders(self, group: IntArray, label: IntArray) -> IntArray:
        """Return what holds each point, for :meth:`find`: its limb, a hand or a sleeve.

        Args:
            group: [...] the limb of each point.
            label: [...] index into ``labels.LABELS``.
        """
        sleeve = np.isin(group, self.sleeved) & np.isin(label, (UPPER, LOWER))
        # What shows of a hand that the fit has elsewhere stays where the sleeve ends.
        sleeve |= np.isin(group, self.handless) & (label == SKIN)
        sleeve &= np.isin(group + IN_SLEEVE, list(self._trees))
        return np.asarray(group + IN_SLEEVE * sleeve + IN_HAND * (label == OBJECT))

    def find(self, points: FloatArray, group: IntArray) -> tuple[IntArray, FloatArray]:
        """Find the triangle that each point belongs to.

        Args:
            points: [N, 3] metres, the photo's pose, world space.
            group: [N] as :meth:`holders` returns it.

        Returns:
            triangle: [N] rows of ``body.f``.
            bary: [N, 3] barycentric coordinates on them.
        """
        triangle = np.zeros(len(points), np.int64)
        for g, (tree, rows) in self._trees.items():
            chosen = group == g
            if chosen.any():
                triangle[chosen] = rows[tree.query(points[chosen])[1]]
        orphans = ~np.isin(group, list(self._trees))
        if orphans.any():
            tree, rows = next(iter(self._trees.values()))
            triangle[orphans] = rows[tree.query(points[orphans])[1]]
        corners = self.vertices[self.body.f[triangle]]
        return triangle, closest_barycentric(points, corners)

    def bind_collar(
        self, points: FloatArray, triangle: IntArray, bary: FloatArray
    ) -> tuple[IntArray, FloatArray]:
        """Bind cloth at the neck to the chest, where that is near.

        Collars, lapels and ties stay where they are when the head turns.

        Args:
            points: [N, 3] metres, the photo's pose, world space.
            triangle: [N] rows of ``body.f`` that hold them so far.
            bary: [N, 3] barycentric coordinates on them.

        Returns:
            triangle: [N] rows of ``body.f``.
            bary: [N, 3] barycentric coordinates on them.
        """
        triangle, bary = np.array(triangle), np.array(bary)
        tree, rows = self._chest
        away, nearest = tree.query(points)
        near = away < S.collar
        triangle[near] = rows[nearest[near]]
        corners = self.vertices[self.body.f[triangle[near]]]
        bary[near] = closest_barycentric(points[near], corners)
        return triangle, bary

    def settle(
        self, world: Gaussians, group: IntArray, layer: int, hair: BoolArray
    ) -> BoundGaussians:
        """Bind free Gaussians, all of one layer, to the body.

        Args:
            world: N Gaussians in the photo's pose.
            group: [N] as :meth:`holders` returns it.
            layer: index into ``LAYERS``.
            hair: [N] which of them are hair, or hang from the head like it.
        """
        triangle, bary = self.find(world.means, group)
        triangle[hair], bary[hair] = self.nape.bind_hair(
            world.means[hair], triangle[hair], bary[hair]
        )
        layers = np.full(len(world), layer, np.uint8)
        return bind_gaussians(world, triangle, bary, layers, self.vertices, self.body)


def has_near_neighbours(points: FloatArray, step: FloatArray) -> BoolArray:
    """Find the points of a picture's grid that also have neighbours in space.

    Where one limb ends in front of another, a pixel's depth may belong to neither.

    Args:
        points: [N, 3] metres.
        step: [N] metres that one step of the grid spans at each.

    Returns:
        [N] whether each has neighbours.
    """
    if len(points) <= S.neighbours:
        return np.ones(len(points), bool)
    reach = S.alone * step
    # Most have them among those before and after them: a tree is slow.
    near = np.zeros(len(points), int)
    for k in range(1, (S.neighbours + 1) // 2 + 1):
        away = np.linalg.norm(points[k:] - points[:-k], axis=1)
        near[k:] += away < reach[k:]
        near[:-k] += away < reach[:-k]
    out = near >= S.neighbours
    if not out.all():
        away, _ = cKDTree(points).query(points[~out], k=[S.neighbours + 1])
        out[~out] = away[:, 0] < reach[~out]
    return out


def _turns(body: Body) -> FloatArray:
    """[F] radians that an expression turns each triangle, at most."""
    turn = np.zeros(len(body.f))
    if not body.num_expression:
        return turn
    for a, b in ((0, 1), (1, 2), (2, 0)):
        first, last = body.f[:, a], body.f[:, b]
        edge = np.linalg.norm(body.v_template[last] - body.v_template[first], axis=1)
        moved = np.linalg.norm(body.exprdirs[last] - body.exprdirs[first], axis=1).max(1)
        turn = np.maximum(turn, moved / np.maximum(edge, 1e-9))
    return turn


INNER_PARTS = ("eye", "eye_back", "mouth", "teeth", "tongue", "lash", NAPE)
"""Parts of the body that nothing worn can be attached to."""


def closest_barycentric(points: FloatArray, corners: FloatArray) -> FloatArray:
    """Drop points onto triangles.

    Args:
        points: [N, 3] in any frame and unit.
        corners: [N, 3, 3] the corners of each point's triangle, in the same.

    Returns:
        [N, 3] barycentric coordinates, clamped to the triangle.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
    d20, d21 = (ap * ab).sum(1), (ap * ac).sum(1)
    denominator = np.maximum(d00 * d11 - d01 * d01, 1e-18)
    v = (d11 * d20 - d01 * d21) / denominator
    w = (d00 * d21 - d01 * d20) / denominator
    bary = np.clip(np.stack([1 - v - w, v, w], -1), 0.0, None)
    return np.asarray(bary / np.maximum(bary.sum(1, keepdims=True), 1e-12))


def pixel_centres(camera: Camera) -> FloatArray:
    """Return x and y [H, W, 2] of every pixel's centre."""
    xs, ys = np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5
    return np.stack(np.meshgrid(xs, ys), -1)


def tangent_plane_steps(
    points: FloatArray, normals: FloatArray, size: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Compute how far a point of a plane moves for one pixel right and down, at most stretched.

    Args:
        points: [..., 3] metres in the photo's camera space (world axes, camera at the origin).
        normals: [..., 3] unit, in the same axes.
        size: [...] metres that a pixel spans there.

    Returns:
        Two steps [..., 3] in metres.
    """
    ray = points / np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), 1e-9)
    facing = np.minimum(np.einsum("...d,...d->...", normals, ray), -1.0 / S.stretch)[..., None]
    steps = []
    for axis in (np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])):
        # Slide the step along the ray until it lies in the plane: (axis + k ray) . n = 0.
        slide = -np.einsum("...d,d->...", normals, axis)[..., None] / facing
        steps.append(size[..., None] * (axis + np.clip(slide, -S.stretch, S.stretch) * ray))
    return steps[0], steps[1]


def grid_tangents(
    points: FloatArray, valid: BoolArray, label: IntArray, pixel_size: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Compute the steps to the right and downward neighbours of a grid of points.

    Args:
        points: [H, W, 3] metres.
        valid: [H, W] points that count.
        label: [H, W]; no step crosses two labels.
        pixel_size: [H, W] metres that a pixel spans there; a step longer than ``max_stretch`` of
            them is cut to that length, one longer than ``jump`` leads to another surface.

    Returns:
        du: [H, W, 3] mean of the steps to the left and right, else one pixel facing the camera.
        dv: [H, W, 3] the same up and down.
    """
    height, width = valid.shape
    out = np.empty((2, height, width, 3))
    grid = points, valid, np.asarray(label, np.int64), np.asarray(pixel_size, np.float64)
    run_parts(_fill_tangents, height, *grid, S.max_stretch, S.jump, out, least=ROWS_PER_PART)
    return out[0], out[1]


@kernel()
def _fill_tangents(  # type: ignore[no-untyped-def]
    first, beyond, points, valid, label, size, stretch, jump, out
):
    """Fill ``out`` [2, H, W, 3] for a range of rows."""
    height, width = valid.shape
    step, total = np.empty(3), np.empty(3)
    for y in range(first, beyond):
        for x in range(width):
            for down in range(2):
                count, total[:] = 0, 0.0
                for back in range(2):  # on to the next point, then from the last one
                    i, j = (y - back, x) if down else (y, x - back)
                    k, n = (i + 1, j) if down else (i, j + 1)
                    if min(i, j) < 0 or k >= height or n >= width:
                        continue
                    if not (valid[i, j] and valid[k, n]) or label[i, j] != label[k, n]:
                        continue
                    for axis in range(3):
                        step[axis] = points[k, n, axis] - points[i, j, axis]
                    length = np.sqrt(step[0] * step[0] + step[1] * step[1] + step[2] * step[2])
                    wide = min(size[i, j], size[k, n])
                    if length < jump * wide:
                        count += 1
                        total += step * min(1.0, stretch * wide / max(length, 1e-12))
                for axis in range(3):
                    out[down, y, x, axis] = total[axis] / max(count, 1)
                if count == 0:
                    out[down, y, x, down] = -size[y, x] if down else size[y, x]
