"""The default body laid onto another body of 55 joints: which point of one is which of the other.

First its shape basis follows the other's joints, then its bones turn and move onto them, at last
its skin is drawn to the nearest skin that faces the same way, by steps that neighbours share less
and less (Amberg et al. 2007). Eyeballs are laid over each other by centre and radius; teeth and
tongue follow the mouth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from ..body.atlas import surface_points
from ..body.model import Body
from ..body.skinning import skin_vertices
from ..core.alignment import fit_similarity
from ..core.geometry import vertex_normals
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, NUM_JOINTS, BoolArray, FloatArray, IntArray, LikenessError
from .closest import nearest_facing

UNCHANGED = "Give the model's own file, in metres and unchanged (docs/bodies.md)."

OUTER_PARTS = tuple("face scalp ear neck torso arm hand leg foot lips eyelid".split())
HEAD_PARTS = tuple("face scalp ear neck lips eyelid".split())
EYES = (JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"])

# The detector's numbers of the 51 landmarks of a face (iBUG 18 to 68: brows, nose, eyes, lips)
# that SMPL-X's files place on their own mesh.
IBUG_LANDMARKS = (
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)


@dataclass(frozen=True)
class RegistrationSettings:
    """How freely the default body follows another."""

    betas: float = 0.003  # metres per standard deviation: what the joints' fit trades for shape
    scale: tuple[float, float] = (0.6, 1.6)  # of a bone
    shape_noise: float = 0.0003  # metres of a skin point, against one standard deviation
    shape_reach: tuple[float, ...] = (0.1, 0.08, 0.06, 0.05, 0.04, 0.03, 0.03, 0.03)  # metres
    stiffness: tuple[float, ...] = (30, 10, 5, 2, 1, 0.5, 0.25, 0.12, 0.06, 0.06)  # of each step
    reach: tuple[float, ...] = (0.1, 0.06, 0.04, 0.03, 0.02, 0.02, 0.015, 0.012, 0.01, 0.01)
    """Metres within which a step looks for the other skin."""
    facing: float = 0.5  # cosine between two skins that may be the same
    landmarks: float = 20.0  # weight of a landmark of the face; a vertex has 1
    max_error: float = 0.01  # metres, median: more is another kind of body


_Anchor = tuple[IntArray, FloatArray, FloatArray]
"""Corners [K, 3] of triangles, points on them [K, 3] (barycentric), where they belong [K, 3]."""

S = register_settings("bake.registration", RegistrationSettings())


@dataclass(frozen=True)
class Registration:
    """The default body on another one's surface.

    Attributes:
        vertices: [V, 3] the default body's vertices, metres, in the other's rest pose.
        turns: [55, 3, 3] what takes an offset from a joint of the default body to one from the
            other's joint: rotation times scale.
        error: [n] metres from the skin's vertices to the other skin.
    """

    vertices: FloatArray
    turns: FloatArray
    error: FloatArray


def part_faces(body: Body, parts: Sequence[str]) -> IntArray:
    """Return the triangles of a body's parts.

    Args:
        body: The body.
        parts: Names of parts.

    Returns:
        [n] rows of ``body.f``.
    """
    rows = [k for k, name in enumerate(body.part_names) if name in parts]
    return np.flatnonzero(np.isin(body.face_part, rows))


def eye_faces(body: Body, eye: int) -> IntArray:
    """Return the triangles of an eyeball: those that an eye's joint holds alone.

    Args:
        body: Any body of 55 joints.
        eye: The joint.

    Returns:
        [n] rows of ``body.f``.
    """
    return np.flatnonzero((body.weights[:, eye] > 0.5)[body.f].all(1))


def skin_faces(body: Body) -> IntArray:
    """Return the triangles [n] of any body that belong to no eyeball."""
    return np.setdiff1d(np.arange(len(body.f)), np.concatenate([eye_faces(body, e) for e in EYES]))


def register_body(
    default: Body,
    target: Body,
    anchors: tuple[IntArray, FloatArray] | None = None,
    parts: Sequence[str] = OUTER_PARTS,
    open_rim: IntArray | None = None,
) -> Registration:
    """Lay the default body onto another one, both in their rest poses.

    Args:
        default: With parts and landmarks.
        target: Any body of 55 joints with eyeballs; its betas stay zero.
        anchors: Numbers [K] of the default body's face landmarks, and where they lie on the
            target, [K, 3] metres.
        parts: The default body's parts that the target has.
        open_rim: Vertices [n] of the target where its surface is cut off; nothing is drawn there.

    Raises:
        LikenessError: The two do not match.
    """
    if not all(len(eye_faces(target, eye)) for eye in EYES):
        raise LikenessError(
            "it has no eyeballs: no triangle is held by an eye's joint alone", UNCHANGED
        )
    size, ours = (float(np.ptp(body.J_template, axis=0).max()) for body in (target, default))
    if not 0.5 < size / ours < 2.0:
        raise LikenessError(f"its joints span {size:.4g} m, a person's {ours:.1f} m", UNCHANGED)
    cut = np.zeros(len(target.v_template), bool)
    cut[[] if open_rim is None else open_rim] = True
    jaw = JOINT_INDEX["jaw"]
    lips = np.unique(default.f[part_faces(default, ("lips",))])
    theirs = _Skin(
        target,
        skin_faces(target),
        cut[target.f].any(1),
        target.weights[target.f, jaw].mean(1),
        (lips, default.weights[lips, jaw]),
    )
    outer = np.unique(default.f[part_faces(default, parts)])
    bones, anchor = _OnBones(default, target), None
    if anchors is not None:
        marks = default.landmarks
        assert marks is not None
        rows, there = anchors
        anchor = (default.f[marks.face_triangle[rows]], marks.face_bary[rows], there)
    bones.fit_shape(theirs, outer, anchor)
    skin, error = _on_skin(default, bones.place(), theirs, outer, anchor)
    if not len(error) or np.median(error) > S.max_error:
        middle = 1000 * float(np.median(error)) if len(error) else np.inf
        raise LikenessError(
            f"the default body cannot be laid onto it: they stay {middle:.0f} mm apart", UNCHANGED
        )
    for eye in EYES:
        own = np.unique(default.f[eye_faces(default, eye)])
        ball = np.unique(target.f[eye_faces(target, eye)])
        skin[own] = _ball_on_ball(default.v_template[own], target.v_template[ball])
    head = np.unique(default.f[part_faces(default, ("face", "ear", "lips", "eyelid"))])
    scale, R, _ = fit_similarity(default.v_template[head].astype(np.float64), skin[head])
    turns = bones.turns.copy()
    turns[[*_HEAD, *EYES]] = scale * R
    return Registration(_with_inner_pieces(default, skin), turns, error)


def _ball_on_ball(points: FloatArray, target: FloatArray) -> FloatArray:
    """[n, 3] points moved so that their bounding box has the target's middle and size."""
    low, high, low_t, high_t = points.min(0), points.max(0), target.min(0), target.max(0)
    scale = (high_t - low_t).max() / (high - low).max()
    out: FloatArray = (points - (low + high) / 2) * scale + (low_t + high_t) / 2
    return out


@dataclass(frozen=True)
class _Skin:
    """The target's skin.

    Attributes:
        body: The target.
        faces: [n] rows of its ``f``.
        cut: [F] which of them lie where it is cut off.
        jaw: [F] 0..1 how far they go with the jaw.
        lips: Vertices [m] of the default body's lips, and how far they go with the jaw.
    """

    body: Body
    faces: IntArray
    cut: BoolArray
    jaw: FloatArray
    lips: tuple[IntArray, FloatArray]

    def nearest(
        self, moved: FloatArray, outer: IntArray, f: IntArray, reach: float
    ) -> tuple[IntArray, FloatArray]:
        """Those of the vertices ``outer`` that lie near it, and where on it, [n, 3]."""
        v, normals = self.body.v_template.astype(np.float64), vertex_normals(moved, f)[outer]
        triangle, bary = nearest_facing(moved[outer], normals, v, self.body.f, self.faces, S.facing)
        lips, jaw = self.lips
        own = np.searchsorted(outer, lips)
        for side in (False, True):  # each lip among the triangles of its own side of the mouth
            rows = own[(jaw > 0.5) == side]
            faces = self.faces[(self.jaw[self.faces] > 0.5) == side]
            triangle[rows], bary[rows] = nearest_facing(
                moved[outer[rows]], normals[rows], v, self.body.f, faces, S.facing
            )
        goal = surface_points(v, self.body.f, triangle, bary)
        near = (triangle >= 0) & ~self.cut[triangle]
        near &= np.linalg.norm(goal - moved[outer], axis=1) < reach
        return outer[near], goal[near]


def nearest_points(
    points: FloatArray, normals: FloatArray, vertices: FloatArray, f: IntArray, faces: IntArray
) -> tuple[IntArray, FloatArray]:
    """Find the nearest points of a mesh that face the same way, or any where none does.

    Args:
        points: [N, 3] metres.
        normals: [N, 3] unit vectors.
        vertices: [V, 3] metres.
        f: [F, 3] triangles.
        faces: [n] rows of ``f`` to search.

    Returns:
        triangle: [N] rows of ``f``.
        bary: [N, 3] barycentric coordinates.
    """
    triangle, bary = nearest_facing(points, normals, vertices, f, faces, 0.0)
    lost = triangle < 0
    if lost.any():
        triangle[lost], bary[lost] = nearest_facing(
            points[lost], normals[lost], vertices, f, faces, -1.0
        )
    return triangle, bary


# Joints -------------------------------------------------------------------------------------

UPRIGHT = {
    JOINT_INDEX[name]
    for name in (
        *("pelvis", "spine1", "spine2", "spine3", "neck", "head", "jaw"),
        *(f"{s}_{n}" for s in ("left", "right") for n in ("collar", "ankle", "foot")),
    )
} | set(EYES)
_HEAD = (JOINT_INDEX["head"], JOINT_INDEX["jaw"])
"""Joints whose frames the rest poses of both bodies share: rigs place their ends differently."""

_END = {
    JOINT_INDEX[f"{side}_{joint}"]: JOINT_INDEX[f"{side}_{end}"]
    for side in ("left", "right")
    for joint, end in (
        ("hip", "knee"),
        ("knee", "ankle"),
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
        ("wrist", "middle1"),
        *(
            (f"{finger}{k}", f"{finger}{k + 1}")
            for finger in ("thumb", "index", "middle", "ring", "pinky")
            for k in (1, 2)
        ),
    )
}


class _OnBones:
    """The default body of any shape with the target's joints.

    Attributes:
        turns: [55, 3, 3] rotation times scale of each bone.
    """

    def __init__(self, default: Body, target: Body) -> None:
        self.default, self.target = default, target
        self.betas = self._from_joints()
        joints = default.shaped(self.betas)[1]
        self.turns = np.tile(np.eye(3), (NUM_JOINTS, 1, 1))
        for j, parent in enumerate(default.parents):
            if j in _END:
                ours = joints[_END[j]] - joints[j]
                theirs = target.J_template[_END[j]] - target.J_template[j]
                ratio = np.linalg.norm(theirs) / max(float(np.linalg.norm(ours)), 1e-6)
                self.turns[j] = np.clip(ratio, *S.scale) * shortest_turn(ours, theirs)
            elif j not in UPRIGHT and parent >= 0:
                self.turns[j] = self.turns[parent]

    def _from_joints(self) -> FloatArray:
        """[S] betas whose joints lie as the target's, wherever both stand."""
        default, count = self.default, self.default.num_body_betas
        basis = default.J_shapedirs[:, :, :count]
        basis = (basis - basis.mean(0)).reshape(-1, count)
        away = self.target.J_template - default.J_template
        square = basis.T @ basis + S.betas**2 * np.eye(count)
        out = np.zeros(default.num_betas)
        out[:count] = np.linalg.solve(square, basis.T @ (away - away.mean(0)).ravel())
        return np.clip(out, -3, 3)

    def _pins(self, joints: FloatArray) -> FloatArray:
        """[55, ...] points of the body that stay where the target has them.

        Head and jaw go by the middle of the eyes: every rig puts their joints elsewhere.
        """
        out = np.array(joints)
        out[list(_HEAD)] = joints[list(EYES)].mean(0)
        return out

    def place(self) -> FloatArray:
        """[V, 3] metres."""
        vertices, joints = self.default.shaped(self.betas)
        goal = self._pins(self.target.J_template)
        shift = goal - np.einsum("jab,jb->ja", self.turns, self._pins(joints))
        return skin_vertices(vertices, self.default.weights, self.turns, shift)

    def directions(self, rows: IntArray) -> FloatArray:
        """[n, 3, S] how the vertices ``rows`` move with the betas."""
        weights = self.default.weights[rows].astype(np.float64)
        turn = np.einsum("nj,jab->nab", weights, self.turns)
        joints = np.einsum("jab,jbs->jas", self.turns, self._pins(self.default.J_shapedirs))
        out: FloatArray = np.einsum("nab,nbs->nas", turn, self.default.shapedirs[rows])
        return out - np.tensordot(weights, joints, 1)

    def fit_shape(self, skin: _Skin, outer: IntArray, anchor: _Anchor | None) -> None:
        """Let the betas follow the target's skin, along which ours may slide."""
        default, basis = self.default, self.directions(outer)
        if anchor is not None:
            corners, bary, there = anchor
            marks = self.directions(corners.ravel()).reshape(*corners.shape, 3, -1)
            marks = np.einsum("kc,kcxs->kxs", bary, marks).reshape(-1, default.num_betas)
        for reach in S.shape_reach:
            moved = self.place()
            normals = vertex_normals(moved, default.f)
            found, goal = skin.nearest(moved, outer, default.f, reach)
            at = np.searchsorted(outer, found)
            rows = np.einsum("nx,nxs->ns", normals[found], basis[at])
            away = np.einsum("nx,nx->n", normals[found], goal - moved[found])
            square = rows.T @ rows + S.shape_noise**2 * len(rows) * np.eye(default.num_betas)
            wanted = rows.T @ away - S.shape_noise**2 * len(rows) * self.betas
            if anchor is not None:
                here = np.einsum("kc,kcx->kx", bary, moved[corners])
                square += S.landmarks * (marks.T @ marks)
                wanted += S.landmarks * (marks.T @ (there - here).ravel())
            self.betas = np.clip(self.betas + np.linalg.solve(square, wanted), -4, 4)


def bone_end(joint: int) -> int | None:
    """Return the joint in which a limb's bone ends; None for trunk, ends and eyes."""
    return _END.get(joint)


def shortest_turn(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the smallest rotation between two directions.

    Args:
        a: [3] any length.
        b: [3] where it goes.

    Returns:
        [3, 3].
    """
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    v, c = np.cross(a, b), float(a @ b)
    K = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    out: FloatArray = np.eye(3) + K + K @ K / max(1.0 + c, 1e-6)
    return out


# Skin ---------------------------------------------------------------------------------------


def _on_skin(
    default: Body, start: FloatArray, skin: _Skin, outer: IntArray, anchor: _Anchor | None
) -> tuple[FloatArray, FloatArray]:
    """The skin drawn onto the target's, with what hangs together with it (mouth, sockets).

    Returns:
        vertices: [V, 3] metres.
        error: [n] metres from the outer skin's vertices to the target.
    """
    f, V = default.f, len(start)
    edges = np.unique(np.sort(f[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0)
    ones = np.ones(len(edges))
    rows = np.arange(len(edges))
    difference = sparse.csr_array(
        (np.r_[ones, -ones], (np.r_[rows, rows], edges.T.ravel())), shape=(len(edges), V)
    )
    # Edges share a step the more, the shorter they are: faces have small triangles, legs large.
    length = np.linalg.norm(start[edges[:, 0]] - start[edges[:, 1]], axis=1)
    weight = np.median(length) / np.maximum(length, 0.1 * np.median(length))
    smooth = (difference.T @ sparse.diags_array(weight) @ difference).tocsc()
    pull, wanted = sparse.csc_array((V, V)), np.zeros((V, 3))
    if anchor is not None:
        corners, bary, there = anchor
        K = len(there)
        A = sparse.csr_array(
            (bary.ravel(), (np.repeat(np.arange(K), 3), corners.ravel())), shape=(K, V)
        )
        pull, wanted = S.landmarks * (A.T @ A), S.landmarks * (A.T @ (there - A @ start))
    moved = start.copy()
    for stiffness, reach in zip(S.stiffness, S.reach):
        found, goal = skin.nearest(moved, outer, f, reach)
        data = np.zeros(V)
        data[found] = 1.0
        steps = np.zeros((V, 3))
        steps[found] = goal - start[found]
        matrix = sparse.diags_array(data + 1e-6) + pull + stiffness * smooth
        moved = start + splu(matrix.tocsc()).solve(steps + wanted)
    found, goal = skin.nearest(moved, outer, f, np.inf)
    return moved, np.linalg.norm(goal - moved[found], axis=1)


def _with_inner_pieces(default: Body, moved: FloatArray) -> FloatArray:
    """Teeth and tongue, which hang together with nothing, moved as the mouth around them."""
    edges = default.f[:, [0, 1, 1, 2]].reshape(-1, 2)
    graph = sparse.coo_array((np.ones(len(edges)), edges.T), shape=(len(moved),) * 2)
    _, piece = connected_components(graph, directed=False)
    rows = np.unique(default.f[part_faces(default, ("teeth", "tongue"))])
    alone = rows[piece[rows] != np.bincount(piece).argmax()]
    near = np.unique(default.f[part_faces(default, ("mouth", "lips"))])
    scale, R, t = fit_similarity(default.v_template[near].astype(np.float64), moved[near])
    out = moved.copy()
    out[alone] = scale * default.v_template[alone] @ R.T + t
    return out
