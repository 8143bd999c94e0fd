"""The low-frequency colours of what the photo does not show: albedo carried over the surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from ...body import Body
from ...core.color import rgb_to_lab
from ...core.settings import register_settings
from ...core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray
from .labels import HAIR, LOWER, SHOES, SKIN, UPPER
from .mesh_diffusion import mesh_edges
from .regions import GROUPS, HEAD, vertex_groups

if TYPE_CHECKING:
    from .photo_view import PhotoView

# Of each class: how far (in edges, squared) seen colours are averaged before they are carried, and
# how strongly unseen ones drift to the class's usual colour.
_SMOOTH = {SKIN: 2.0, HAIR: 25.0, SHOES: 4.0}
_DRIFT = {SKIN: 0.01, HAIR: 0.05}


@dataclass(frozen=True)
class BaseColorSettings:
    """Low-frequency colours carried over the surface."""

    cloth_smooth: float = 12.0  # edges, squared, over which seen cloth is averaged
    cloth_drift: float = 0.03  # pull of unseen cloth to its usual colour, per unit of smoothing
    min_texels: int = 40  # texels of a class that a limb needs to show its colour
    material_gap: float = 12.0  # L*a*b* units between two materials
    candidates: int = 12  # most common colours that are tried
    material_span: float = 10.0  # L*a*b* units that one material spans
    majority: float = 0.4  # share of a material that makes it the usual one
    across: float = 0.02  # share of the flow between two materials
    seam_shade: float = 0.5  # most difference of cloth's log brightness at a seam
    seam_fade: float = 0.05  # its screening: how soon it fades
    fade: float = 0.06  # screening of skin at a seam: faded after four edges
    beard_fade: float = 0.004  # the same under the mouth: after fifteen
    jaw: float = 0.04  # metres over which one fade passes into the other


S = register_settings("lift.colors_base", BaseColorSettings())


@dataclass(frozen=True)
class Texels:
    """What the steps of completion share of N texels.

    Attributes:
        points: [N, 3] metres on the dressed surface, world axes of the photo's camera.
        normals: [N, 3] unit.
        label: [N] index into ``labels.LABELS``.
        known: [N] whether the photo shows the texel squarely.
        color: [N, 3] 0..1, what it shows there.
        corner: [N, 3] vertices of each texel's triangle.
        bary: [N, 3] barycentric coordinates on it.
        rest: [N, 3] metres on the body at rest.
        group: [N] limb, index into ``regions.GROUPS``.
        xy: [N, 2] pixel in the photo's grid.
        shade: [N, 3] light at the normal, a factor on the albedo.
        facing: [N] cosine to the camera.
    """

    points: FloatArray
    normals: FloatArray
    label: IntArray
    known: BoolArray
    color: FloatArray
    corner: IntArray
    bary: FloatArray
    rest: FloatArray
    group: IntArray
    xy: FloatArray
    shade: FloatArray
    facing: FloatArray


def base_colors(t: Texels, trust: FloatArray, body: Body, view: PhotoView) -> FloatArray:
    """Carry the smoothed albedo of each class over the surface, and light it.

    Args:
        t: the texels.
        trust: [N] 0..1 how far a texel's seen colour may be carried.
        body: the person's own.
        view: the photo.

    Returns:
        [N, 3] low-frequency colour of every texel.
    """
    vertex_group = vertex_groups(body)
    albedo = np.clip(t.color / t.shade, 0.0, 1.5)
    out = np.zeros_like(t.color)
    edges = mesh_edges(body.f)
    for label in np.unique(t.label):
        own = np.nonzero(t.label == label)[0]
        mesh = _Patch.of(t, own, edges, len(body.v_template))
        middle, kind = _middles(albedo, trust, own, t.group, int(label), view)
        limb = vertex_group[mesh.vertices]
        # A sleeve of another colour than the vest ends where the arm does.
        i, j = mesh.edges.T
        link = np.where(kind[limb[i]] == kind[limb[j]], 1.0, S.across)
        stiff = _SMOOTH.get(int(label), S.cloth_smooth)
        drift = stiff * _DRIFT.get(int(label), S.cloth_drift)
        solved = mesh.diffuse(albedo[own], trust[own], stiff * link, middle[limb], drift)
        base = solved * t.shade[own]
        if label == SKIN:
            # Where the photo ends its colour fades into the completed one.
            rest = np.clip(t.color[own] - base, -0.6, 0.25)
            weight = 4.0 * t.known[own]
            nothing = np.zeros((len(mesh.vertices), 3))
            fade = S.fade * (S.beard_fade / S.fade) ** _under_mouth(body)[mesh.vertices]
            base = base + mesh.diffuse(rest, weight, np.ones(len(link)), nothing, fade)
        elif label in (UPPER, LOWER):
            # Cloth as well, as far as trusted and in brightness alone: a print is not shading.
            ratio = np.log((t.color[own].mean(1) + 0.05) / (base.mean(1) + 0.05))
            rest = np.repeat(np.clip(ratio, -S.seam_shade, S.seam_shade)[:, None], 3, axis=1)
            nothing = np.zeros((len(mesh.vertices), 3))
            base = base * np.exp(mesh.diffuse(rest, trust[own], 8.0 * link, nothing, S.seam_fade))
        out[own] = base
    return out


def _under_mouth(body: Body) -> FloatArray:
    """[V] 0..1: chin, jaw and throat, where a beard goes on below what the photo shows of it."""
    rest, joints = body.v_template, body.J_template
    neck, head = joints[JOINT_INDEX["neck"]], joints[JOINT_INDEX["head"]]
    lips = body.face_part == body.part_names.index("lips") if "lips" in body.part_names else []
    mouth = rest[body.f[lips]].reshape(-1, 3) if np.any(lips) else head[None]
    # A beard's edge rises towards the ears and is soft everywhere.
    below = np.clip((mouth[:, 1].mean() - rest[:, 1]) / S.jaw + 0.6, 0.0, 1.0)
    throat = np.clip((rest[:, 1] - neck[1]) / S.jaw, 0.0, 1.0)
    before = np.clip((rest[:, 2] - 0.5 * (head[2] + neck[2])) / S.jaw + 0.5, 0.0, 1.0)
    return np.asarray(below * throat * before)


@dataclass(frozen=True)
class _Patch:
    """The part of the mesh that holds the texels of one class.

    Attributes:
        vertices: [n] rows of the body's.
        edges: [E, 2] into these.
        at: [M, 3] corners of the texels.
        bary: [M, 3].
        share: [n] one over the number of texels around each vertex.
    """

    vertices: IntArray
    edges: IntArray
    at: IntArray
    bary: FloatArray
    share: FloatArray

    @staticmethod
    def of(t: Texels, own: IntArray, edges: IntArray, count: int) -> _Patch:
        vertices = np.unique(t.corner[own])
        index = np.full(count, -1)
        index[vertices] = np.arange(len(vertices))
        at, bary = index[t.corner[own]], t.bary[own]
        inner = index[edges[(index[edges] >= 0).all(1)]]
        density = np.bincount(at.ravel(), bary.ravel(), len(vertices))
        return _Patch(vertices, inner, at, bary, 1.0 / np.maximum(density, 1e-6))

    def diffuse(
        self,
        values: FloatArray,
        trust: FloatArray,
        link: FloatArray,
        prior: FloatArray,
        pull: float | FloatArray,
    ) -> FloatArray:
        """[M, 3] values of the texels, smoothed and carried over the patch.

        Args:
            values: [M, 3] of the texels.
            trust: [M] weight of each.
            link: [E] stiffness of the edges.
            prior: [n, 3] of the vertices.
            pull: its weight, one or [n].
        """
        n = len(self.vertices)
        weight = self.bary * trust[:, None]
        total = np.stack(
            [
                np.bincount(self.at.ravel(), (weight * values[:, c, None]).ravel(), n)
                for c in range(values.shape[1])
            ],
            -1,
        )
        known = np.bincount(self.at.ravel(), weight.ravel(), n) * self.share
        i, j = self.edges.T
        A = sparse.coo_matrix((link, (i, j)), (n, n)).tocsr()
        A = A + A.T
        system = sparse.diags(np.asarray(A.sum(1)).ravel() + known + pull) - A
        solved = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(
            total * self.share[:, None] + np.reshape(pull, (-1, 1)) * prior
        )
        return np.asarray(np.einsum("nk,nkc->nc", self.bary, solved[self.at]))


def _middles(
    albedo: FloatArray,
    trust: FloatArray,
    own: IntArray,
    group: IntArray,
    label: int,
    view: PhotoView,
) -> tuple[FloatArray, IntArray]:
    """[limbs, 3] the usual colour of a class on each limb, and [limbs] which share a material."""
    middle = np.zeros((len(GROUPS), 3))
    known = np.zeros(len(GROUPS), bool)
    for g in range(len(GROUPS)):
        if label == HAIR:  # all of one colour, whatever it falls over
            break
        rows = own[(group[own] == g) & (trust[own] > 0.3)]
        known[g] = len(rows) > S.min_texels
        if known[g]:
            middle[g] = _most_common(albedo[rows], trust[rows])
    rows = own[trust[own] > 0.3]
    whole = (
        _most_common(albedo[rows], trust[rows])
        if len(rows) > S.min_texels
        else default_albedo(label, view)
    )
    middle[~known] = whole
    kind = np.arange(len(GROUPS))
    lab = rgb_to_lab(np.clip(middle, 0.0, 1.0))
    for g in range(len(GROUPS)):
        alike = np.linalg.norm((lab[:g] - lab[g]) * [0.5, 1.0, 1.0], axis=1) < S.material_gap
        if alike.any():
            kind[g] = kind[int(alike.argmax())]
    return middle, kind


def _most_common(values: FloatArray, weight: FloatArray) -> FloatArray:
    """[3] the colour that most of values [N, 3] are near to, or their median if there is none.

    A black ring must not turn the back of an orange suit brown, but a print is as much of one
    colour as of the other.
    """
    lab = rgb_to_lab(np.clip(values, 0.0, 1.0)) * [0.5, 1.0, 1.0]
    _, first, which = np.unique(
        np.round(lab / S.material_span), axis=0, return_index=True, return_inverse=True
    )
    common = np.argsort(-np.bincount(which.ravel(), weight), kind="stable")[: S.candidates]
    sets = [np.linalg.norm(lab - lab[k], axis=1) < 1.5 * S.material_span for k in first[common]]
    near = max(sets, key=lambda own: float(weight[own].sum()))
    if weight[near].sum() < S.majority * weight.sum():
        return _median(values, weight)
    return _median(values[near], weight[near])


def _median(values: FloatArray, weight: FloatArray) -> FloatArray:
    """[3] weighted median of each channel of values [N, 3]."""
    out = np.zeros(values.shape[1])
    for c in range(values.shape[1]):
        order = np.argsort(values[:, c])
        mass = np.cumsum(weight[order])
        out[c] = values[order[np.searchsorted(mass, 0.5 * mass[-1])], c]
    return out


def default_albedo(label: int, view: PhotoView) -> FloatArray:
    """Return the colour [3] (0..1) of a class that the photo hardly shows, if it does."""
    regions = view.regions
    if label == SKIN:
        return regions.skin_color
    shown = regions.mask & (regions.label == label)
    if shown.sum() > S.min_texels:
        return _usual(view.colors[shown])
    worn = regions.mask & ~regions.skin & (regions.group != HEAD)
    upper = _usual(view.colors[worn]) if worn.any() else np.array([0.35, 0.36, 0.4])
    if label not in (LOWER, SHOES):
        return upper
    # Unseen trousers: a darker, greyer tone of the upper wear; shoes darker still.
    grey = upper.mean()
    return np.asarray((0.45 if label == LOWER else 0.3) * (0.5 * upper + 0.5 * grey))


def _usual(colors: FloatArray) -> FloatArray:
    """[3] mean of the most frequent kind of colour among [N, 3]: one of two, never a mixture."""
    cell = np.clip((colors * 8.0).astype(int), 0, 7)
    count = np.bincount(cell @ [64, 8, 1], minlength=512).reshape(8, 8, 8).astype(float)
    peak = np.unravel_index(int(ndimage.gaussian_filter(count, 0.7).argmax()), count.shape)
    near = np.abs(colors * 8.0 - 0.5 - np.array(peak)).max(1) < 1.5
    return np.asarray(colors[near if near.any() else slice(None)].mean(0))
