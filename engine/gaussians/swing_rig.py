"""What swings on an avatar: chains in long hair and around a skirt, found from its file.

Each link of a chain is a rigid motion of the world, the identity where nothing swings. It acts on
what the pose has already moved: a vertex that joint j holds by w_j follows the link by w_j s, and
the joint alone by w_j (1 - s). As bones, that is one per link and joint, a child of the joint, so
linear blend skinning with them is all that Blender needs, and the links at rest change nothing.

The share s rises from 0 at the top of a chain, so hair stays on the scalp and a skirt on the hips.
Hair has no mesh of its own: its splats get copies of the triangles that hold them
(:mod:`.swing_binding`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..body import Body
from ..body.extension import NAPE, piece_triangles
from ..body.skinning import skin_vertices
from ..core.settings import register_settings
from ..core.types import (
    JOINT_INDEX,
    NUM_JOINTS,
    PARTS,
    Avatar,
    BoolArray,
    FloatArray,
    IntArray,
    LikenessError,
    Pose,
)
from .posing import pose_avatar
from .swing_binding import SwingBinding, copy_triangles, keep_triangles
from .swing_capsules import BodyCapsules, hair_capsules, skirt_capsules


@dataclass(frozen=True)
class SwingRigSettings:
    """Chains of hair and skirts."""

    chin: float = 0.06  # metres from the jaw's joint down to the chin
    over_chin: float = 0.05  # metres above the chin at which hair begins to swing
    least_hair: float = 0.03  # metres below the chin that long hair reaches, at least
    least_share: float = 0.01  # of the long hair in a sector that gets a chain
    hair_chains: int = 8  # sectors around the neck
    skirt_chains: int = 8  # around the hips
    hair_link: float = 0.11  # metres, length of a link, about
    skirt_link: float = 0.2  # metres
    max_links: int = 3  # in a chain
    least_skirt: float = 0.12  # metres of a skirt that swings
    waist: float = 0.15  # of the skirt's height that does not swing
    fade: float = 0.75  # of the first link, over which the share rises
    near: int = 60  # splats or vertices that make a node
    hair_bend: float = 0.55  # radians that a link of hair turns at most
    skirt_bend: float = 0.5  # radians that a link of a skirt turns at most
    hair_pull: float = 0.3  # strength by which hair is drawn after its neighbours
    skirt_pull: float = 1.5  # strength by which cloth is drawn after its neighbours
    skirt_reach: float = 0.012  # metres, half the thickness of cloth
    cell: float = 0.012  # metres of the cells by which hair hangs together
    farthest: float = 1.5  # metres from the hair's middle beyond which a splat is a stray
    cell_share: float = 0.6  # of the median number of splats in a cell that counts
    island: float = 0.003  # share of the hair in what is not hair if it hangs apart, at least
    bins: int = 48  # directions around the neck that hair is sorted into
    steps: int = 32  # per link, heights that hair is sorted into
    least_weight: float = 0.01  # of a link and a joint in what holds a vertex, at most, to count


S = register_settings("swing.rig", SwingRigSettings())


@dataclass(frozen=True)
class SwingGroup:
    """Chains of one kind.

    Attributes:
        name: ``hair`` or ``skirt``.
        azimuth: [C] radians around the upright axis, from the front to the left, ascending.
        nodes: [C, N, 3] metres at rest; the first is the anchor.
        held: [C, N, 55] what holds them, rows add up to one.
        members: [C, N, m] vertices of the body whose mean a node is; m = 0 where it is skinned.
        reach: [C, N] metres that hair or cloth extends around a node.
        capsules: of the body, which the nodes stay out of.
        max_bend: radians that a link turns at most.
        pull: strength by which a chain is drawn after its neighbours.
    """

    name: str
    azimuth: FloatArray
    nodes: FloatArray
    held: FloatArray
    members: IntArray
    reach: FloatArray
    capsules: BodyCapsules
    max_bend: float
    pull: float

    @property
    def links(self) -> int:
        """Number of links, of all chains."""
        return len(self.nodes) * (self.nodes.shape[1] - 1)

    @cached_property
    def coupling(self) -> FloatArray:
        """[C, C] weights of the neighbours that a chain is drawn after."""
        count = len(self.azimuth)
        gap = np.abs(np.angle(np.exp(1j * (self.azimuth[:, None] - self.azimuth[None]))))
        around = S.hair_chains if self.name == "hair" else S.skirt_chains
        near = (gap < 3.0 * np.pi / around) & ~np.eye(count, dtype=bool)
        rows = near.sum(1, keepdims=True)
        return np.asarray(near / np.maximum(rows, 1))


@dataclass(frozen=True)
class SwingRig:
    """The chains of an avatar and what they move.

    Attributes:
        body: of the avatar, with copies of the triangles that hold loose hair.
        groups: hair, skirt; links are numbered through them, chain by chain from the top.
        link: [K] number of the link of each bone.
        joint: [K] the joint that the bone follows.
        rows: [R] vertices that swing.
        weights: [R, 55 + K] skinning weights of the joints and the bones; rows add up to one.
        drawn: the pose whose hair and skirt hang as they were drawn.
    """

    body: Body
    groups: tuple[SwingGroup, ...]
    link: IntArray
    joint: IntArray
    rows: IntArray
    weights: FloatArray
    drawn: Pose

    @property
    def links(self) -> int:
        """Number of links."""
        return sum(group.links for group in self.groups)

    def ends(self) -> list[tuple[str, FloatArray, FloatArray]]:
        """Name, upper and lower end ([3] metres at rest) of each link."""
        return [
            (f"{group.name} {chain + 1}.{k + 1}", nodes[k], nodes[k + 1])
            for group in self.groups
            for chain, nodes in enumerate(group.nodes)
            for k in range(len(nodes) - 1)
        ]

    def vertices(self, pose: Pose, turn: FloatArray, move: FloatArray) -> FloatArray:
        """Pose the body with its links in motion.

        Args:
            pose: of the body.
            turn: [L, 3, 3] rotations of the links, world space.
            move: [L, 3] metres; link l moves a posed point x to ``turn[l] @ x + move[l]``.

        Returns:
            [V, 3] metres, world space.
        """
        v, _, R, t = self.body.rest_and_transforms(pose)
        out = skin_vertices(v, self.body.weights, R, t - pose.transl) + pose.transl
        bones = turn[self.link] @ R[self.joint]
        moves = np.einsum("kab,kb->ka", turn[self.link], t[self.joint]) + move[self.link]
        both = np.concatenate([R, bones]), np.concatenate([t, moves])
        out[self.rows] = skin_vertices(v[self.rows], self.weights, *both)
        return out


def make_swing_rig(avatar: Avatar) -> tuple[Avatar, SwingRig, SwingBinding]:
    """Find what swings on an avatar.

    Args:
        avatar: the avatar; neither its file nor its look change.

    Returns:
        The avatar, whose loose hair is bound to triangles of its own; its rig; the new binding.

    Raises:
        LikenessError: It has neither long hair nor a skirt.
    """
    rest = pose_avatar(avatar, Pose.rest(avatar.body.num_expression))
    means = np.asarray(rest.means, np.float64)
    hair = _find_hair(avatar, means)
    groups, binding, shares = [], keep_triangles(avatar.body), []
    if hair is not None:
        group, rows, share, place = hair
        avatar, binding, share = copy_triangles(avatar, rows, place, share)
        groups.append(group)
        shares.append((binding.vertices, share))
    skirt = _find_skirt(avatar.body)
    if skirt is not None:
        groups.append(skirt[0])
        shares.append(skirt[1:])
    if not groups:
        raise LikenessError(
            "This avatar has neither long hair nor a skirt that could swing.",
            "Choose an avatar with hair below the chin, or in a skirt, dress or long coat.",
        )
    rig = _bind_links(avatar, groups, shares)
    return avatar, rig, binding


def _bind_links(
    avatar: Avatar, groups: list[SwingGroup], shares: list[tuple[IntArray, FloatArray]]
) -> SwingRig:
    body, total = avatar.body, sum(group.links for group in groups)
    link_share = np.zeros((len(body.v_template), total))
    first = 0
    for group, (vertices, share) in zip(groups, shares, strict=True):
        link_share[vertices, first : first + group.links] = share
        first += group.links
    rows = np.flatnonzero(link_share.sum(1) > 0.0)
    link_share, held = link_share[rows], body.weights[rows].astype(np.float64)
    most = np.array([(held * link_share[:, [k]]).max(0) for k in range(total)])
    link, joint = np.nonzero(most > S.least_weight)
    swung = held[:, joint] * link_share[:, link]
    still = held - swung @ np.eye(NUM_JOINTS)[joint]
    weights = np.concatenate([np.maximum(still, 0.0), swung], 1)
    weights /= weights.sum(1, keepdims=True)
    return SwingRig(body, tuple(groups), link, joint, rows, weights, avatar.pose)


# Along and around --------------------------------------------------------------------------------


def _around(azimuth: FloatArray, centers: FloatArray, spacing: float) -> FloatArray:
    """Shares [n, C] of chains in what is at an azimuth; rows add up to one."""
    gap = np.abs(np.angle(np.exp(1j * (azimuth[:, None] - centers[None]))))
    near = np.clip(1.0 - gap / spacing, 0.0, 1.0)
    near = near * near * (3.0 - 2.0 * near)
    alone = near.sum(1) < 0.5  # beyond the last chain
    closest = np.eye(len(centers))[gap.argmin(1)]
    near[alone] += (0.5 - near[alone].sum(1, keepdims=True)) * closest[alone]
    return np.asarray(near / near.sum(1, keepdims=True))


def _along(place: FloatArray, links: int) -> FloatArray:
    """Shares [n, links] of links at a place along the chain, in links from its top."""
    middle = np.arange(links) + 0.5
    near = np.clip(1.0 - np.abs(np.clip(place, 0.5, links - 0.5)[:, None] - middle), 0.0, 1.0)
    near = near * near * (3.0 - 2.0 * near)
    rise = np.clip(place / S.fade, 0.0, 1.0)
    rise = rise * rise * (3.0 - 2.0 * rise)
    return np.asarray(rise[:, None] * near / near.sum(1, keepdims=True))


def _link_shares(around: FloatArray, along: FloatArray) -> FloatArray:
    """[n, C * links] shares of the links, chain by chain."""
    both: FloatArray = np.einsum("nc,nk->nck", around, along)
    return both.reshape(len(around), -1)


def _count_links(length: float, link: float) -> int:
    return int(np.clip(round(length / link), 1, S.max_links))


# Hair --------------------------------------------------------------------------------------------


def _find_hair(
    avatar: Avatar, means: FloatArray
) -> tuple[SwingGroup, IntArray, FloatArray, IntArray] | None:
    """The chains of long hair; the splats that swing, their links' shares and their sort [n]."""
    body, bound = avatar.body, avatar.gaussians
    joints = np.asarray(body.J_template, np.float64)
    chin = joints[JOINT_INDEX["jaw"], 1] - S.chin
    hair = _is_hair(avatar)
    top = chin + S.over_chin
    rows = np.flatnonzero(_hangs_from_scalp(means, hair, top) & (means[:, 1] < top))
    if len(rows) < S.near or np.quantile(means[rows, 1], 0.02) > chin - S.least_hair:
        return None
    points = means[rows]
    azimuth = _azimuth(points, joints[JOINT_INDEX["neck"]])
    spacing = 2.0 * np.pi / S.hair_chains
    sectors = (np.arange(S.hair_chains) + 0.5) * spacing - np.pi
    sector = np.floor((azimuth + np.pi) / spacing).astype(int) % S.hair_chains
    ends, kept = [], []
    for k in range(S.hair_chains):
        own = points[sector == k, 1]
        if len(own) < max(S.near, S.least_share * len(rows)):
            continue
        if (end := float(np.quantile(own, 0.03))) < chin - 0.5 * S.least_hair:
            kept.append(k)
            ends.append(end)
    if not kept:
        return None
    links = _count_links(top - min(ends), S.hair_link)
    holds = np.einsum("nk,nkj->nj", bound.bary[rows], body.weights[body.f[bound.triangle[rows]]])
    nodes = np.zeros((len(kept), links + 1, 3))
    held, reach = np.zeros((*nodes.shape[:2], NUM_JOINTS)), np.zeros(nodes.shape[:2])
    for c, (k, end) in enumerate(zip(kept, ends, strict=True)):
        own = np.flatnonzero(sector == k)
        for n, height in enumerate(np.linspace(top, end, links + 1)):
            near = own[np.argsort(np.abs(points[own, 1] - height))[: S.near]]
            nodes[c, n] = [*points[near].mean(0)[[0]], height, *points[near].mean(0)[[2]]]
            held[c, n] = holds[near].mean(0)
            apart = np.linalg.norm((points[near] - nodes[c, n])[:, [0, 2]], axis=1)
            reach[c, n] = min(0.5 * float(np.median(apart)), 0.02)
    held /= held.sum(-1, keepdims=True)
    around = _around(azimuth, sectors[kept], spacing)
    bottom = around @ np.array(ends)
    place = np.clip((top - points[:, 1]) / (top - bottom), 0.0, 1.0) * links
    # Splats of one triangle, direction and height move together, so that they can share a copy.
    turn = np.floor((azimuth + np.pi) / (2.0 * np.pi) * S.bins).astype(int) % S.bins
    height = np.round(place * S.steps).astype(int)
    middle = (turn + 0.5) / S.bins * 2.0 * np.pi - np.pi
    share = _link_shares(_around(middle, sectors[kept], spacing), _along(height / S.steps, links))
    group = SwingGroup(
        "hair",
        sectors[kept],
        nodes,
        held,
        np.zeros((*nodes.shape[:2], 0), int),
        reach,
        hair_capsules(body),
        S.hair_bend,
        S.hair_pull,
    )
    swings = height > 0
    sort = turn * (S.steps * S.max_links + 1) + height
    return group, rows[swings], share[swings], sort[swings]


def _is_hair(avatar: Avatar) -> BoolArray:
    """[N] which splats are hair; in files without parts, those that the nape holds."""
    part = avatar.gaussians.part
    if part.any():
        return np.asarray(part == PARTS.index("hair"))
    return np.asarray(piece_triangles(avatar.body, NAPE)[avatar.gaussians.triangle])


def _hangs_from_scalp(means: FloatArray, hair: BoolArray, top: float) -> BoolArray:
    """[N] which hair is one with hair above a height: not a dark strap that passes for hair.

    Thin wisps are as what is nearest.
    """
    rows = np.flatnonzero(hair)
    out = np.zeros(len(hair), bool)
    if not len(rows):
        return out
    # Strays would make the grid huge.
    rows = rows[np.abs(means[rows] - np.median(means[rows], axis=0)).max(1) < S.farthest]
    if not len(rows):
        return out
    cell = np.floor((means[rows] - means[rows].min(0)) / S.cell).astype(int)
    grid = np.zeros(cell.max(0) + 1, np.int32)
    np.add.at(grid, tuple(cell.T), 1)
    dense = grid >= max(1.0, S.cell_share * float(np.median(grid[grid > 0])))
    own = ndimage.label(dense)[0][tuple(cell.T)]
    scalp = np.isin(own, np.unique(own[means[rows, 1] >= top])) & (own > 0)
    island = (np.bincount(own)[own] > S.island * len(rows)) & (own > 0) & ~scalp
    known = np.flatnonzero(scalp | island)
    if len(known):
        nearest = cKDTree(means[rows[known]]).query(means[rows])[1]
        out[rows] = scalp[known[nearest]]
    return out


def _azimuth(points: FloatArray, center: FloatArray) -> FloatArray:
    """[n] radians around the upright axis through a point, from the front to the left."""
    off = points - center
    return np.asarray(np.arctan2(off[:, 0], off[:, 2]))


# Skirt -------------------------------------------------------------------------------------------


def _find_skirt(body: Body) -> tuple[SwingGroup, IntArray, FloatArray] | None:
    """The chains of a skirt, its vertices, and their links' shares."""
    rows = np.unique(body.f[piece_triangles(body, "skirt")])
    if not len(rows):
        return None
    points = np.asarray(body.v_template[rows], np.float64)
    hips = np.asarray(body.J_template, np.float64)[
        [JOINT_INDEX["left_hip"], JOINT_INDEX["right_hip"]]
    ].mean(0)
    center = np.array([points[:, 0].mean(), 0.0, points[:, 2].mean()])
    azimuth = _azimuth(points, center)
    spacing = 2.0 * np.pi / S.skirt_chains
    sectors = np.arange(S.skirt_chains) * spacing - np.pi
    gap = np.abs(np.angle(np.exp(1j * (azimuth[:, None] - sectors[None]))))
    ends = np.array([points[gap[:, c] < 0.5 * spacing, 1].min() for c in range(S.skirt_chains)])
    top = points[:, 1].max() - S.waist * float(points[:, 1].max() - ends.mean())
    top = min(top, float(hips[1]) + 0.05)
    if top - ends.max() < S.least_skirt:
        return None
    links = _count_links(top - float(ends.mean()), S.skirt_link)
    shape = (S.skirt_chains, links + 1)
    count = min(S.near // 4, len(rows))
    members = np.zeros((*shape, count), int)
    for c, end in enumerate(ends):
        for n, height in enumerate(np.linspace(top, end, links + 1)):
            far = np.hypot(points[:, 1] - height, gap[:, c] * 0.2)
            members[c, n] = np.argsort(far, kind="stable")[:count]
    held = body.weights[rows].astype(np.float64)
    around = _around(azimuth, sectors, spacing)
    place = np.clip((top - points[:, 1]) / (top - around @ ends), 0.0, 1.0) * links
    share = _link_shares(around, _along(place, links))
    group = SwingGroup(
        "skirt",
        sectors,
        points[members].mean(2),
        held[members].mean(2),
        rows[members],
        np.full(shape, S.skirt_reach),
        skirt_capsules(body),
        S.skirt_bend,
        S.skirt_pull,
    )
    return group, rows, share
