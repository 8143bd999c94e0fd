"""A tiny synthetic body of boxes for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.types import JOINT_INDEX, JOINT_NAMES, NUM_JOINTS, PARENTS, FloatArray, IntArray
from .model import Body, Landmarks
from .names import ARKIT_EXPRESSIONS, HAND_JOINTS, PART_NAMES, POSE_JOINTS

NUM_BODY_BETAS, NUM_BETAS = 3, 4

_MIDDLE = {
    "pelvis": (0.0, 0.0, 0.0),
    "spine1": (0.0, 0.1, 0.0),
    "spine2": (0.0, 0.22, 0.0),
    "spine3": (0.0, 0.32, 0.0),
    "neck": (0.0, 0.5, 0.0),
    "head": (0.0, 0.6, 0.02),
    "jaw": (0.0, 0.61, 0.03),
}
_LEFT = {
    "hip": (0.1, -0.08, 0.0),
    "knee": (0.11, -0.5, 0.01),
    "ankle": (0.12, -0.9, 0.0),
    "foot": (0.12, -0.95, 0.13),
    "collar": (0.05, 0.45, 0.0),
    "shoulder": (0.18, 0.45, 0.0),
    "elbow": (0.45, 0.45, 0.0),
    "wrist": (0.7, 0.45, 0.0),
    "eye_smplhf": (0.032, 0.69, 0.1),
}
_FINGERS = {"index": 0.025, "middle": 0.0, "pinky": -0.045, "ring": -0.022, "thumb": 0.05}

# Bone: the joint that holds it, where it ends (a joint or an offset), half width, part.
_BONES: tuple[tuple[str, str | tuple[float, float, float], float, str], ...] = (
    ("pelvis", (0.0, -0.12, 0.0), 0.12, "torso"),
    ("pelvis", "spine1", 0.13, "torso"),
    ("spine1", "spine2", 0.12, "torso"),
    ("spine2", "spine3", 0.12, "torso"),
    ("spine3", "neck", 0.12, "torso"),
    ("neck", "head", 0.05, "neck"),
    ("head", (0.0, 0.2, 0.02), 0.08, "face"),
    ("jaw", (0.0, -0.06, 0.07), 0.03, "face"),
    *(
        (f"{side}_{joint}", end if isinstance(end, tuple) else f"{side}_{end}", width, part)
        for side in ("left", "right")
        for joint, end, width, part in (
            ("collar", "shoulder", 0.05, "torso"),
            ("shoulder", "elbow", 0.045, "arm"),
            ("elbow", "wrist", 0.035, "arm"),
            ("wrist", "middle1", 0.03, "hand"),
            ("hip", "knee", 0.07, "leg"),
            ("knee", "ankle", 0.05, "leg"),
            ("ankle", "foot", 0.04, "foot"),
            ("foot", (0.0, 0.0, 0.06), 0.03, "foot"),
        )
    ),
)

_BOX = np.array(
    [
        [0, 2, 1],
        [0, 3, 2],
        [4, 5, 6],
        [4, 6, 7],
        [0, 1, 5],
        [0, 5, 4],
        [1, 2, 6],
        [1, 6, 5],
        [2, 3, 7],
        [2, 7, 6],
        [3, 0, 4],
        [3, 4, 7],
    ]
)
_TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
_OCTAHEDRON = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
)


def _joints() -> FloatArray:
    out = np.zeros((NUM_JOINTS, 3))
    for name, place in _MIDDLE.items():
        out[JOINT_INDEX[name]] = place
    for side, sign in (("left", 1.0), ("right", -1.0)):
        flip = np.array([sign, 1.0, 1.0])
        for name, place in _LEFT.items():
            out[JOINT_INDEX[f"{side}_{name}"]] = flip * place
        for finger, z in _FINGERS.items():
            for k in (1, 2, 3):
                x = 0.7 + (0.02 if finger == "thumb" else 0.06) + 0.028 * k
                out[JOINT_INDEX[f"{side}_{finger}{k}"]] = flip * (x, 0.45, z)
    return out


def _box(start: FloatArray, end: FloatArray, half: float) -> FloatArray:
    """[8, 3] corners around a bone, wound so that _BOX looks outwards."""
    along = (end - start) / np.linalg.norm(end - start)
    helper = np.eye(3)[int(np.abs(along).argmin())]
    a = np.cross(along, helper)
    a *= half / np.linalg.norm(a)
    b = np.cross(along, a)
    ring = np.stack([a + b, -a + b, -a - b, a - b])
    return np.concatenate([start + ring, end + ring])


def _grid_atlas(num_faces: int) -> tuple[FloatArray, IntArray]:
    """Each pair of triangles in its own cell: atlas_vt [3 F, 2], atlas_ft [F, 3]."""
    cells = int(np.ceil(np.sqrt(num_faces / 2)))
    pair = np.arange(num_faces) // 2
    corner = np.stack([pair % cells, pair // cells], 1)[:, None].astype(np.float64)
    lower = np.array([[0.05, 0.05], [0.05, 0.9], [0.9, 0.05]])
    upper = np.array([[0.95, 0.95], [0.95, 0.1], [0.1, 0.95]])
    shape = np.where((np.arange(num_faces) % 2 == 0)[:, None, None], lower, upper)
    vt = ((corner + shape) / cells).reshape(-1, 2)
    return vt.astype(np.float32), np.arange(3 * num_faces, dtype=np.int32).reshape(-1, 3)


def make_bare_body(v: FloatArray, f: IntArray, weights: FloatArray, **fields: Any) -> Body:
    """Return a body of any mesh: without shapes, expressions or textures.

    Args:
        v: [V, 3] vertices in the rest pose, metres.
        f: [F, 3] triangles.
        weights: [V, 55] of skinning.
        **fields: Of :class:`Body`, instead of nothing.
    """
    nothing: dict[str, Any] = {
        "shapedirs": np.zeros((len(v), 3, 0), np.float32),
        "exprdirs": np.zeros((len(v), 3, 0), np.float32),
        "expression_names": (),
        "J_template": np.zeros((NUM_JOINTS, 3)),
        "J_shapedirs": np.zeros((NUM_JOINTS, 3, 0)),
        "num_body_betas": 0,
        "vt": np.zeros((0, 2)),
        "ft": f,
        "atlas_vt": np.zeros((0, 2)),
        "atlas_ft": f,
        "face_part": np.zeros(len(f), np.uint8),
        "part_names": ("skin",),
    }
    return Body(v_template=v, f=f, weights=weights, **(nothing | fields))


def make_synthetic_body(seed: int = 0) -> Body:
    """Return a body of about 300 vertices in closed boxes on the 55 joints, with every field set.

    Rest pose, joints and units are like the default body's; shapes, expressions and the places
    of the face landmarks are random (``seed``). The left and right halves mirror each other.
    """
    rng = np.random.default_rng(seed)
    joints = _joints()
    vertices: list[FloatArray] = []
    faces: list[IntArray] = []
    parts: list[IntArray] = []
    holders: list[tuple[int, int]] = []  # joint at the vertex, joint it shares the vertex with
    count = 0

    def add(points: FloatArray, f: IntArray, part: str, held: list[tuple[int, int]]) -> None:
        nonlocal count
        vertices.append(points)
        faces.append(f + count)
        parts.append(np.full(len(f), PART_NAMES.index(part)))
        holders.extend(held)
        count += len(points)

    for name, end, half, kind in _BONES:
        j = JOINT_INDEX[name]
        stop = joints[JOINT_INDEX[end]] if isinstance(end, str) else joints[j] + end
        parent = j if name in ("head", "jaw") else max(PARENTS[j], 0)
        add(_box(joints[j], stop, half), _BOX, kind, [(j, parent)] * 4 + [(j, j)] * 4)
    for j, name in enumerate(JOINT_NAMES):
        sign = np.sign(joints[j, 0])
        if j >= 25:  # fingers
            ring = 0.008 * np.array([[0, 1, 0], [0, -0.5, 0.87], [0, -0.5, -0.87]])
            points = np.concatenate([joints[j] + ring, [joints[j] + [0.026 * sign, 0, 0]]])
            f = _TETRAHEDRON if sign < 0 else _TETRAHEDRON[:, ::-1]
            add(points, f, "hand", [(j, PARENTS[j])] * 3 + [(j, j)])
        elif name.endswith("eye_smplhf"):
            axes = 0.012 * np.array(
                [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
            )
            add(joints[j] + axes, _OCTAHEDRON, "eye", [(j, j)] * 6)

    v = np.concatenate(vertices)
    f = np.concatenate(faces)
    weights = np.zeros((len(v), NUM_JOINTS))
    for i, (own, shared) in enumerate(holders):
        weights[i, own] += 0.5
        weights[i, shared] += 0.5
    # Shapes are linear fields of space, so that joints and vertices move together.
    fields = rng.normal(scale=0.02, size=(NUM_BETAS, 3, 3))
    on_head = weights[:, [15, 22, 23, 24]].sum(1)
    shapedirs = np.einsum("sab,vb->vas", fields, v)
    J_shapedirs = np.einsum("sab,jb->jas", fields, joints)
    shapedirs[..., NUM_BODY_BETAS:] *= on_head[:, None, None]
    J_shapedirs[..., NUM_BODY_BETAS:] = 0.0
    exprdirs = rng.normal(scale=0.004, size=(len(v), 3, len(ARKIT_EXPRESSIONS)))
    atlas_vt, atlas_ft = _grid_atlas(len(f))
    face_part = np.concatenate(parts).astype(np.uint8)
    return Body(
        v_template=v.astype(np.float32),
        f=f.astype(np.int32),
        weights=weights.astype(np.float32),
        shapedirs=shapedirs.astype(np.float32),
        exprdirs=(exprdirs * on_head[:, None, None]).astype(np.float32),
        expression_names=ARKIT_EXPRESSIONS,
        J_template=joints,
        J_shapedirs=J_shapedirs,
        num_body_betas=NUM_BODY_BETAS,
        vt=np.stack([atlas_vt[:, 0], 1 - atlas_vt[:, 1]], 1),
        ft=atlas_ft,
        atlas_vt=atlas_vt,
        atlas_ft=atlas_ft,
        face_part=face_part,
        part_names=PART_NAMES,
        landmarks=_landmarks(v, f, face_part, rng),
    )


def _landmarks(v: FloatArray, f: IntArray, part: IntArray, rng: np.random.Generator) -> Landmarks:
    """Face points on the front of head and eyes, body and hand points near their joints."""
    normal = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    front = normal[:, 2] > 0.5 * np.linalg.norm(normal, axis=1)
    face = np.flatnonzero(front & (part == PART_NAMES.index("face")))
    triangle = rng.choice(face, 478)
    eye = front & (part == PART_NAMES.index("eye"))
    side = v[f].mean(1)[:, 0] > 0
    triangle[468:473] = rng.choice(np.flatnonzero(eye & ~side), 5)
    triangle[473:] = rng.choice(np.flatnonzero(eye & side), 5)
    pose_joint = [JOINT_INDEX[POSE_JOINTS.get(k, "head")] for k in range(33)]
    hand_joint = [JOINT_INDEX[f"left_{name}"] for name in HAND_JOINTS]
    return Landmarks(
        face_triangle=triangle.astype(np.int32),
        face_bary=rng.dirichlet(np.ones(3), 478),
        face_weight=np.ones(478),
        pose_joint=np.array(pose_joint, np.int32),
        pose_offset=rng.normal(scale=0.02, size=(33, 3)),
        hand_joint=np.array(hand_joint, np.int32),
        hand_offset=rng.normal(scale=0.004, size=(21, 3)),
    )
