"""FLAME's head model, and the EHM: a body with FLAME's head (GUAVA, equation 1).

    M = LBS( U( M_b(beta_b), M_f(beta_f, psi_f) + e ), theta, J_b(beta_b) + dJ )

U puts FLAME's head in the place of the body's, moved by e so that the middles of the eyes' joints
meet. All of it is linear before the skinning, so the EHM is a body like any other: its betas are
the body's, the joints' offsets dJ and FLAME's, its expressions FLAME's; jaw and eyes turn about
FLAME's joints with FLAME's weights. At the neck's rim the two skins pass into each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..body.atlas import surface_points
from ..body.body_file import read_body_arrays, split_columns
from ..body.model import Body
from ..body.names import OWN_EXPRESSION
from ..core.geometry import vertex_normals
from ..core.settings import register_settings
from ..core.types import JOINT_INDEX, NUM_JOINTS, FloatArray, IntArray, LikenessError
from .carry_over import match_surface
from .registration import EYES, HEAD_PARTS, Registration, eye_faces, nearest_points, skin_faces

FLAME_JOINTS = ("neck", "head", "jaw", "left_eye_smplhf", "right_eye_smplhf")
"""The joints of a body that FLAME's five stand for."""

_TURNING = [JOINT_INDEX[name] for name in FLAME_JOINTS[2:]]
OFFSET_JOINTS = tuple(range(1, 22))
"""Joints with a person's own offset dJ: those of trunk and limbs but the pelvis."""


@dataclass(frozen=True)
class FlameSettings:
    """How a head is joined to a body."""

    rim: float = 0.03  # metres above the neck's rim over which FLAME's skin takes over
    offset: float = 0.01  # metres, the standard deviation of a joint's offset
    far: float = 0.01  # metres from FLAME's skin beyond which a vertex is none of the head's


S = register_settings("bake.flame", FlameSettings())


@dataclass(frozen=True)
class Flame:
    """A FLAME model.

    Attributes:
        v_template: [V, 3] metres.
        f: [F, 3].
        shapedirs: [V, 3, S] metres.
        exprdirs: [V, 3, E] metres.
        posedirs: [V, 3, 36] metres: of neck, jaw and eyes; None without.
        weights: [V, 5].
        J_template: [5, 3] metres: root, neck, jaw, left and right eye.
        J_shapedirs: [5, 3, S] metres.
    """

    v_template: FloatArray
    f: IntArray
    shapedirs: FloatArray
    exprdirs: FloatArray
    posedirs: FloatArray | None
    weights: FloatArray
    J_template: FloatArray
    J_shapedirs: FloatArray


_REMEDY = "Give FLAME's model file as .npz (docs/bodies.md has a program that converts pickles)."


def load_flame(path: Path) -> Flame:
    """Read FLAME's model file (.npz, never unpickled).

    Raises:
        LikenessError: It is missing, a pickle, or not a FLAME model.
    """
    arrays = read_body_arrays(path)
    wanted = {"v_template": 2, "f": 2, "shapedirs": 3, "weights": 2, "J_regressor": 2}
    missing = sorted(wanted.keys() - arrays.keys())
    if missing:
        raise LikenessError(f"'{path}' is not FLAME: it lacks {', '.join(missing)}.", _REMEDY)
    V = len(arrays["v_template"]) if arrays["v_template"].ndim else 0
    shapes = {"v_template": (V, 3), "weights": (V, 5), "J_regressor": (5, V)}
    for key, ndim in wanted.items():
        array = arrays[key]
        fits = array.shape == shapes[key] if key in shapes else array.ndim == ndim
        if not fits or array.dtype.kind not in "fiu" or not array.size:
            raise LikenessError(
                f"'{path}' is not FLAME: {key} is {array.dtype} {array.shape}.", _REMEDY
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise LikenessError(f"'{path}': {key} has values that are not finite.", _REMEDY)
    f, posedirs = arrays["f"].astype(np.int64), arrays.get("posedirs")
    if f.shape[1] != 3 or f.min() < 0 or f.max() >= V:
        raise LikenessError(f"'{path}': f points at vertices that do not exist.", _REMEDY)
    if arrays["shapedirs"].shape[:2] != (V, 3):
        raise LikenessError(
            f"'{path}' is not FLAME: shapedirs is {arrays['shapedirs'].shape}.", _REMEDY
        )
    if posedirs is not None and posedirs.shape != (V, 3, 36):
        raise LikenessError(f"'{path}' is not FLAME: posedirs is {posedirs.shape}.", _REMEDY)
    shape, expression = split_columns(arrays["shapedirs"].astype(np.float64))
    regressor, v = arrays["J_regressor"].astype(np.float64), arrays["v_template"].astype(float)
    return Flame(
        v,
        f,
        shape,
        expression,
        None if posedirs is None else posedirs.astype(np.float64),
        arrays["weights"].astype(np.float64),
        regressor @ v,
        np.einsum("jv,vcs->jcs", regressor, shape),
    )


def flame_on_joints(flame: Flame, body: Body) -> Body:
    """FLAME alone with a body's 55 joints, moved so that their eyes meet.

    Args:
        flame: The head.
        body: Gives the joints that FLAME lacks.
    """
    shift = body.J_template[list(EYES)].mean(0) - flame.J_template[3:].mean(0)
    weights = np.zeros((len(flame.v_template), NUM_JOINTS))
    weights[:, [JOINT_INDEX[name] for name in FLAME_JOINTS]] = flame.weights
    joints = np.array(body.J_template)
    joints[_TURNING] = flame.J_template[2:] + shift
    V = len(flame.v_template)
    return replace(
        body,
        v_template=flame.v_template + shift,
        f=flame.f,
        weights=weights,
        shapedirs=np.zeros((V, 3, 0)),
        J_template=joints,
        J_shapedirs=np.zeros((NUM_JOINTS, 3, 0)),
        exprdirs=np.zeros((V, 3, 0)),
        expression_names=(),
        num_body_betas=0,
        posedirs=None,
        landmarks=None,
    )


def rim_of_neck(flame: Flame) -> IntArray:
    """Return the vertices [n] of the loop in which FLAME's neck ends."""
    half = np.sort(flame.f[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    edges, uses = np.unique(half, axis=0, return_counts=True)
    edges = edges[uses == 1]
    if not len(edges):
        return np.array([int(flame.v_template[:, 1].argmin())])
    V = len(flame.v_template)
    graph = sparse.coo_array((np.ones(len(edges)), edges.T), shape=(V, V))
    label = connected_components(graph, directed=False)[1]
    on_rim = np.unique(edges)
    lowest = on_rim[flame.v_template[on_rim, 1].argmin()]
    return np.asarray(on_rim[label[on_rim] == label[lowest]])


def match_by_ids(ids: IntArray, count: int) -> sparse.csr_array:
    """Return [V, 5023] what FLAME's vertices give each of a body's, by their numbers there.

    Args:
        ids: [5023] the body's vertex of each of FLAME's.
        count: V, the body's vertices.
    """
    ones = np.ones(len(ids))
    return sparse.csr_array((ones, (ids, np.arange(len(ids)))), shape=(count, len(ids)))


def match_by_surface(
    default: Body, body: Body, on_body: Registration, flame: Flame, on_flame: Registration
) -> sparse.csr_array:
    """Return [V, 5023] where each vertex of a body's head lies on FLAME, by way of the default.

    Args:
        default: The default body.
        body: The body that gets FLAME's head.
        on_body: The default body laid onto it.
        flame: The head.
        on_flame: The default body laid onto that.
    """
    match = match_surface(default, body, on_body)
    names = np.array(default.part_names)[default.face_part[match.triangle]]
    head = flame_on_joints(flame, default)
    points = surface_points(on_flame.vertices, default.f, match.triangle, match.bary)
    normals = vertex_normals(on_flame.vertices, default.f)
    facing = surface_points(normals, default.f, match.triangle, match.bary)
    corner, weight, rows = [], [], []
    eye = [body.weights[:, e] > 0.5 for e in EYES]
    regions = [(np.isin(names, HEAD_PARTS) & ~eye[0] & ~eye[1], skin_faces(head))]
    regions += [(own, eye_faces(head, e)) for own, e in zip(eye, EYES)]
    for own, faces in regions:
        at = np.flatnonzero(own)
        triangle, bary = nearest_points(points[at], facing[at], head.v_template, head.f, faces)
        there = surface_points(head.v_template, head.f, triangle, bary)
        near = np.linalg.norm(there - points[at], axis=1) < S.far
        rows.append(np.repeat(at[near], 3))
        corner.append(head.f[triangle[near]].ravel())
        weight.append(bary[near].ravel())
    return sparse.csr_array(
        (np.concatenate(weight), (np.concatenate(rows), np.concatenate(corner))),
        shape=(len(body.v_template), len(flame.v_template)),
    )


def with_flame_head(body: Body, flame: Flame, match: sparse.csr_array) -> Body:
    """Return the EHM of a body and FLAME.

    Args:
        body: SMPL-X or the default body without its inner pieces.
        flame: The head.
        match: [V, 5023] rows of weights that add up to one for the head's vertices, else zero.
    """
    reach, _ = cKDTree(flame.v_template[rim_of_neck(flame)]).query(flame.v_template)
    share = np.clip(reach / S.rim, 0, 1)
    share = share * share * (3 - 2 * share)  # smooth at both ends
    h = match @ share
    eyes = list(EYES)

    def of_head(values: FloatArray) -> FloatArray:
        flat = match @ np.asarray(values, np.float64).reshape(len(values), -1)
        return np.asarray(flat.reshape(match.shape[0], *values.shape[1:]))

    def joined(ours: FloatArray, theirs: FloatArray) -> FloatArray:
        share = h.reshape(-1, *[1] * (ours.ndim - 1))
        return np.asarray((1 - share) * ours + share * theirs)

    e = body.J_template[eyes].mean(0) - flame.J_template[3:].mean(0)
    e_body = body.J_shapedirs[eyes].mean(0)  # [3, S]
    e_flame = flame.J_shapedirs[3:].mean(0)
    n, offsets = body.num_body_betas, 3 * len(OFFSET_JOINTS)
    shape = joined(body.shapedirs[:, :, :n], np.broadcast_to(e_body[:, :n], (len(h), 3, n)))
    head_shape = h[:, None, None] * (of_head(flame.shapedirs) - e_flame)
    still = np.zeros((len(h), 3, offsets))
    joints = np.array(body.J_template)
    joints[_TURNING] = flame.J_template[2:] + e
    joint_shape = np.array(body.J_shapedirs[:, :, :n])
    joint_shape[_TURNING] = e_body[:, :n]
    moved = np.zeros((NUM_JOINTS, 3, offsets))
    moved[np.repeat(OFFSET_JOINTS, 3), np.tile(range(3), len(OFFSET_JOINTS)), range(offsets)] = (
        S.offset
    )
    joint_head = np.zeros((NUM_JOINTS, 3, flame.shapedirs.shape[2]))
    joint_head[_TURNING] = flame.J_shapedirs[2:] - e_flame
    weights = _joined_weights(body.weights.astype(np.float64), of_head(flame.weights), h)
    posedirs = body.posedirs
    if posedirs is not None and flame.posedirs is not None:
        posedirs = posedirs.copy()
        for joint, first in zip(_TURNING, (9, 18, 27)):
            own = slice(9 * (joint - 1), 9 * joint)
            theirs = of_head(flame.posedirs[:, :, first : first + 9])
            posedirs[:, :, own] = joined(posedirs[:, :, own], theirs)
    E = flame.exprdirs.shape[2]
    return replace(
        body,
        v_template=joined(body.v_template, of_head(flame.v_template) + e).astype(np.float32),
        weights=weights.astype(np.float32),
        shapedirs=np.concatenate([shape, still, head_shape], 2).astype(np.float32),
        J_template=joints,
        J_shapedirs=np.concatenate([joint_shape, moved, joint_head], 2),
        num_body_betas=n + offsets,
        exprdirs=(h[:, None, None] * of_head(flame.exprdirs)).astype(np.float32),
        expression_names=tuple(f"{OWN_EXPRESSION}{k:02d}" for k in range(E)),
        posedirs=posedirs,
    )


def _joined_weights(ours: FloatArray, theirs: FloatArray, h: FloatArray) -> FloatArray:
    """[V, 55]: jaw and eyes by FLAME's share, the other joints keep theirs among themselves."""
    out = ours.copy()
    out[:, _TURNING] = (1 - h[:, None]) * ours[:, _TURNING] + h[:, None] * theirs[:, 2:]
    others = np.setdiff1d(np.arange(NUM_JOINTS), _TURNING)
    total = ours[:, others].sum(1)
    lost = total < 1e-6
    out[lost, JOINT_INDEX["head"]] = 1.0
    total[lost] = 1.0
    out[:, others] *= ((1 - out[:, _TURNING].sum(1)) / total)[:, None]
    return out
