"""What covers each texel of the body's atlas on a synthetic person, without a picture.

The person is dressed once, in the T-pose. From every texel a ray goes out along the normal, half
the way to the next limb at most; the **outermost** opaque thing that it meets is what an eye sees
of this place, and gives label, colour and offset. Views are those of the body with these offsets
in other poses: nobody is dressed twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..core.cameras import camera_position
from ..core.color import linear_to_srgb
from ..core.geometry import vertex_normals
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray, Pose
from ..dataset.atlas_people import ATLAS_LABELS, ATLAS_SIZE, AtlasPerson
from ..dual_uv.sampling import SurfaceSamples, find_visible_points, sample_surface
from ..render.mesh import rasterize_mesh
from ..wardrobe.dress import PosedBody, pose_body
from ..wardrobe.mesh_parts import LABEL, MeshPart
from . import natural, person_traits, splits, views
from .atlas_rays import RayHits, build_grid, first_entries, first_opaque_hits, hit_colors
from .figure import FIGURE_STEPS, SynthContext, dress_wearer, random_framing
from .person_parts import Figure, Traits, Wearer
from .raster_scene import flatten_figure
from .synth_options import SynthOptions

NONE, SKIN, HAIR, UPPER, LOWER, SHOES, HAT, OUTER = range(len(ATLAS_LABELS))
_VIEW_STEP = 100  # of the random streams; those before it are the figure's


@dataclass(frozen=True)
class AtlasTruthSettings:
    """Truth in the atlas."""

    reach: float = 0.17  # metres from the body within which something belongs to its place
    inside: float = 0.006  # metres under the skin where rays begin: tight cloth may sink in
    own: float = 0.02  # metres of a ray in which the limb that it leaves does not count
    far: float = 0.03  # metres; what is farther must lie nearer to its texel than to others
    nearer: float = 0.55  # share of the distance that the nearest place may be nearer
    solid: float = 0.3  # alpha of strands that cover what is behind
    width: float = 0.004  # metres over which a colour is a mean
    waist: float = 0.22  # metres above the pelvis over which clothes of the legs do not reach
    hip: float = 0.02  # metres under the pelvis below which a chart's middle is a leg's
    piece_area: float = 0.02  # square metres; smaller charts go with the garment's largest
    other_color: float = 0.13  # of 1; charts that differ more are another piece
    over: float = 0.003  # metres by which an outer garment lies outside the one below it
    outer_share: float = 0.3  # of the trunk that an outer garment covers at least
    inner_share: float = 0.01  # of the trunk that the one below it shows at least
    facing: float = 0.3  # least cosine at which a view sees a texel
    views: int = 4
    views_each: int = 2  # of a pose: a natural pose takes longer than all else of a view
    size: int = 384  # pixels along the sides of a view


S = register_settings("synth.atlas_truth", AtlasTruthSettings())


@dataclass(frozen=True)
class AtlasTruthMaker:
    """Makes people over the atlas.

    Attributes:
        options: seed, split, library and texture size count.
        context: what all people share.
        samples: the texels' centres.
        shown: [N] whether a texel can be seen at all.
    """

    options: SynthOptions
    context: SynthContext
    samples: SurfaceSamples
    shown: BoolArray

    @staticmethod
    def open(options: SynthOptions, context: SynthContext) -> AtlasTruthMaker:
        """Prepare the atlas' texels.

        Args:
            options: of the people.
            context: opened with them.
        """
        body = context.dress.body
        samples = sample_surface(body, ATLAS_SIZE)
        part = np.array(body.part_names)[body.face_part[samples.triangle]]
        shown = ~np.isin(part, ["teeth", "tongue", "mouth", "eye", "eye_back", "lash"])
        return AtlasTruthMaker(options, context, samples, shown)

    def make(self, number: int) -> AtlasPerson:
        """Make person ``number``: the body and clothes that pictures of this number show.

        Raises:
            LikenessError: an asset cannot be read.
        """
        seed = splits.split_seed(self.options.seed, self.options.split)

        def rng(step: int) -> np.random.Generator:
            return np.random.default_rng([seed, number, step])

        dress = self.context.dress
        traits = person_traits.stratified_traits(number, seed)
        betas = person_traits.random_betas(rng(FIGURE_STEPS["body"]), traits, self.context.prior)
        rest = Pose.rest(dress.body.num_expression)
        wearer = Wearer(
            dress,
            pose_body(dress, betas, rest),
            traits,
            betas,
            np.asarray(rest.expression),
            self.context.library,
            self.options.texture,
        )
        maps, offset = self.measure(dress_wearer(wearer, rng), wearer.posed)
        seen = self._views(rng, betas, traits, offset)
        facts = {
            "number": number,
            "seed": self.options.seed,
            "split": self.options.split,
            "pieces": maps.pop("pieces"),
            "framings": seen.pop("framings"),
            "size": S.size,
        }
        return AtlasPerson(**maps, **seen, betas=np.asarray(betas, np.float32), facts=facts)

    def measure(self, figure: Figure, posed: PosedBody) -> tuple[dict[str, Any], FloatArray]:
        """Measure what covers the body.

        Args:
            figure: the dressed person, in the T-pose.
            posed: its body.

        Returns:
            ``label``, ``piece``, ``albedo`` and ``offset`` of :class:`AtlasPerson`, and the list
            ``pieces``; [V] metres from the body's vertices to what covers them.
        """
        body, samples = posed.dress.body, self.samples
        parts = [part for part in figure.parts if len(part.f)]
        scene, textures = flatten_figure(replace(figure, parts=tuple(parts)))
        names, piece_of, label_of = name_pieces(parts, posed)
        vertices = np.asarray(posed.vertices, np.float64)
        normals = vertex_normals(vertices, body.f)
        points = np.concatenate([samples.points(vertices, body.f), vertices])
        along = np.concatenate([samples.points(normals, body.f), normals])
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        own = build_grid(vertices, body.f)
        count = len(samples.triangle)
        entry = first_entries(own, vertices, along[count:], S.own, 2 * S.reach)
        reach = np.minimum(np.where(entry > 0, 0.5 * entry, S.reach), S.reach)
        reach = np.concatenate([reach[body.f[samples.triangle]].min(1), reach])
        tree = cKDTree(np.concatenate([vertices, vertices[body.f].mean(1)]))
        grid = build_grid(scene.vertices, scene.f, label_of > 0)
        hits = RayHits(
            np.empty(len(points)), np.empty(len(points), int), np.zeros((len(points), 3))
        )
        todo = np.arange(len(points))
        while len(todo):  # what is nearer to another place is that place's
            ends = points[todo] + reach[todo, None] * along[todo]
            length = reach[todo] + S.inside
            found = first_opaque_hits(grid, scene, textures, ends, -along[todo], length, S.solid)
            hits.distance[todo] = np.where(found.face >= 0, reach[todo] - found.distance, 0.0)
            hits.face[todo], hits.bary[todo] = found.face, found.bary
            todo = todo[(found.face >= 0) & (hits.distance[todo] > S.far)]
            height = hits.distance[todo]
            gap = tree.query(points[todo] + height[:, None] * along[todo])[0]
            todo = todo[gap < S.nearer * height]
            reach[todo] = hits.distance[todo] - 0.004
        face = hits.face[:count]
        hit = (face >= 0) & self.shown
        label = np.where(hit, label_of[np.maximum(face, 0)], NONE)
        piece = np.where(hit, piece_of[np.maximum(face, 0)], 0)
        texels = RayHits(hits.distance[:count], np.where(hit, face, -1), hits.bary[:count])
        color = linear_to_srgb(hit_colors(texels, scene, textures, S.width))
        distance = np.where(hit, texels.distance, 0.0)
        label = _find_outer(label, piece, distance, posed, samples)
        label = _split_suits(label, piece, distance, posed, samples)
        used = [
            int(np.bincount(label[piece == k + 1], minlength=1).argmax()) for k in range(len(names))
        ]
        maps = {
            "label": self._grid(label, np.uint8),
            "piece": self._grid(piece, np.uint8),
            "albedo": self._grid(np.round(255 * np.clip(color, 0, 1)), np.uint8),
            "offset": self._grid(distance, np.float16),
            "pieces": [{"name": name, "label": ATLAS_LABELS[k]} for name, k in zip(names, used)],
        }
        face = hits.face[count:]
        worn = (face >= 0) & (label_of[np.maximum(face, 0)] > SKIN)
        return maps, np.where(worn, np.clip(hits.distance[count:], 0.0, S.reach), 0.0)

    def _grid(self, values: Any, kind: Any) -> Any:
        values = np.asarray(values)
        out = np.zeros((ATLAS_SIZE, ATLAS_SIZE, *values.shape[1:]), kind)
        out[self.samples.row, self.samples.col] = values.astype(kind)
        return out

    def _views(
        self,
        rng: Callable[[int], np.random.Generator],
        betas: FloatArray,
        traits: Traits,
        offset: FloatArray,
    ) -> dict[str, Any]:
        """The views: the first as in a picture of this person, the last ones in another pose."""
        dress, body = self.context.dress, self.context.dress.body
        poses, cameras, framings, facing = [], [], [], []
        for k in range(S.views):
            pose_rng, view_rng, framing_rng = (
                rng(FIGURE_STEPS[name]) if k == 0 else rng(_VIEW_STEP + 3 * k + i)
                for i, name in enumerate(("pose", "views", "framing"))
            )
            if k % S.views_each == 0:
                pose, _ = natural.natural_pose(pose_rng, dress, betas, self.context.motions)
            if k == 0:
                face = natural.random_face(rng(FIGURE_STEPS["face"]), body, traits, pose)
                pose = replace(pose, expression=face)
            vertices = pose_body(dress, betas, pose).vertices
            framing = random_framing(framing_rng, self.options.framing)
            stances = [(pose, vertices)]
            planned = views.plan_views(view_rng, body, betas, stances, framing, 1, S.size)[0]
            shell = vertices + offset[:, None] * vertex_normals(vertices, body.f)
            facing.append(self.facing(np.asarray(shell, np.float64), planned.camera))
            poses.append(pose)
            cameras.append(planned.camera)
            framings.append(framing)
        return {
            "facing": np.stack(facing),
            "full_pose": np.array([pose.full_pose for pose in poses], np.float32),
            "expression": np.array([pose.expression for pose in poses], np.float32),
            "viewmats": np.array([camera.viewmat for camera in cameras], np.float32),
            "Ks": np.array([camera.K for camera in cameras], np.float32),
            "framings": framings,
        }

    def facing(self, shell: FloatArray, camera: Any) -> Any:
        """Return how squarely a camera sees each texel.

        Args:
            shell: [V, 3] the posed body with its offsets, metres.
            camera: the view's.

        Returns:
            [S, S] uint8, 255ths of the cosine, 0 where the texel is not seen.
        """
        body, samples = self.context.dress.body, self.samples
        points = samples.points(shell, body.f)
        normals = samples.points(vertex_normals(shell, body.f), body.f)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        buffer = rasterize_mesh(shell, body.f, camera)
        seen, _ = find_visible_points(points, normals, buffer, camera)
        ray = camera_position(camera) - points
        cosine = (normals * ray).sum(1) / np.linalg.norm(ray, axis=1)
        seen &= self.shown & (cosine > S.facing)
        return self._grid(np.where(seen, np.clip(255 * cosine, 1, 255), 0), np.uint8)


_SKIN = [LABEL[k] for k in ("face", "scalp", "neck", "torso", "arm", "hand", "leg", "foot")]
_FIXED = {"hair": HAIR, "shoes": SHOES, "hat": HAT}


def name_pieces(parts: list[MeshPart], posed: PosedBody) -> tuple[list[str], IntArray, IntArray]:
    """Name the pieces that somebody wears.

    Args:
        parts: the meshes, one after the other.
        posed: the body in them.

    Returns:
        names: of the pieces.
        piece: [F] of each triangle of all parts, from 1; 0 is nobody's.
        label: [F] index into ``ATLAS_LABELS``.
    """
    joints = posed.joints
    pelvis, head = (joints[JOINT_INDEX[name], 1] for name in ("pelvis", "head"))
    names: list[str] = []
    pieces, labels = [], []
    for part in parts:
        label = np.where(np.isin(part.label, _SKIN), SKIN, NONE)
        for name, own in _FIXED.items():
            label[part.label == LABEL[name]] = own
        top = part.vertices[:, 1].max()
        scarf, cloth = part.label == LABEL["scarf"], part.label == LABEL["clothes"]
        label[scarf] = HAT if top > head + 0.08 else UPPER
        piece = np.ones(len(part.f), np.int64)
        if cloth.any():
            chart, middle = _charts(part)
            alone = sum(other.name == part.name for other in parts) == 1
            legs = alone & (middle[chart] < pelvis - S.hip)  # of overalls, not of a long coat
            label[cloth] = np.where(legs | (top < pelvis + S.waist), LOWER, UPPER)[cloth]
            piece += _pieces(part, chart)
        piece = 2 * piece + (label == SHOES)  # an outfit may bring its shoes along
        shown = label > NONE
        for one in np.unique(piece[shown]):
            names.append(part.name)
            piece[shown & (piece == one)] = -len(names)
        pieces.append(np.where(shown, -piece, 0))
        labels.append(label)
    return names, np.concatenate(pieces), np.concatenate(labels)


def _charts(part: MeshPart) -> tuple[IntArray, FloatArray]:
    """[F] which triangles' texture coordinates hang together, and the mean height of each."""
    cell = (np.round(part.uv * 8192).astype(np.int64) + (1 << 17)) & 0x3FFFF
    _, corner = np.unique(cell[..., 0] << 18 | cell[..., 1], return_inverse=True)
    corner = corner.reshape(part.f.shape)
    count = int(corner.max()) + 1
    ends = (corner.ravel(), corner[:, [1, 2, 0]].ravel())
    table = sparse.coo_matrix((np.ones(corner.size), ends), (count, count))
    chart = connected_components(table, directed=False)[1][corner[:, 0]]
    height = part.vertices[part.f][..., 1].mean(1)
    return chart, np.bincount(chart, height) / np.maximum(np.bincount(chart), 1)


def _pieces(part: MeshPart, chart: IntArray) -> IntArray:
    """[F] 0 for the piece of the largest chart, 1 for large charts of another mean colour."""
    corners = part.vertices[part.f]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    area = 0.5 * np.bincount(chart, area)
    picture = part.material.color
    at = part.uv.mean(1) % 1.0
    row, col = (at[:, ::-1] * picture.shape[:2]).astype(int).T
    seen = picture[row, col, :3] / 255.0
    count = np.maximum(np.bincount(chart), 1)
    color = np.stack([np.bincount(chart, c) / count for c in seen.T], 1)
    far = np.linalg.norm(color - color[area.argmax()], axis=1) > S.other_color
    return np.asarray(((area > S.piece_area) & far)[chart], np.int64)


def _find_outer(
    label: IntArray,
    piece: IntArray,
    distance: FloatArray,
    posed: PosedBody,
    samples: SurfaceSamples,
) -> IntArray:
    """Labels with the outer one of two upper garments that both show on the trunk."""
    body = posed.dress.body
    trunk = body.face_part[samples.triangle] == body.part_names.index("torso")
    upper = np.unique(piece[trunk & (label == UPPER)])
    share = {int(k): float((piece[trunk] == k).mean()) for k in upper}
    shows = [
        (float(np.median(distance[trunk & (piece == k)])), k)
        for k in share
        if share[k] > S.inner_share
    ]
    if len(shows) < 2:
        return label
    (below, _), (above, outer) = min(shows), max(shows)
    if above < below + S.over or share[outer] < S.outer_share:
        return label
    return np.where((piece == outer) & (label == UPPER), OUTER, label)


def _split_suits(
    label: IntArray,
    piece: IntArray,
    distance: FloatArray,
    posed: PosedBody,
    samples: SurfaceSamples,
) -> IntArray:
    """Labels with overalls cut at the waist; a dress, which bridges the legs, stays whole."""
    if (label == LOWER).any():
        return label
    body, joints = posed.dress.body, posed.joints
    points = samples.points(posed.vertices, body.f)
    normals = samples.points(vertex_normals(posed.vertices, body.f), body.f)
    leg = body.face_part[samples.triangle] == body.part_names.index("leg")
    inner = leg & (normals[:, 0] * np.sign(points[:, 0]) < -0.7)
    for suit in np.unique(piece[leg & np.isin(label, (UPPER, OUTER))]):
        worn = inner & (piece == suit)
        if worn.sum() > 0.3 * inner.sum() and np.median(distance[worn]) < 0.025:
            low = points[:, 1] < joints[JOINT_INDEX["pelvis"], 1] + S.hip
            central = np.abs(points[:, 0]) < 0.4  # not the hands
            label = np.where((piece == suit) & low & central, LOWER, label)
    return label
