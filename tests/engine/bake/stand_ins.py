"""Stand-ins for the licensed files: the default body's person on other meshes, of the true shapes.

Both meshes are cut anew (edges collapsed and split at random), so that no vertex of the default
body is one of theirs; the person has other proportions, another rest pose and another origin.
``source`` [n] and ``bary`` [n, 3] say where each vertex of the skin lies on the default body, and
``truth`` [V, 3] where the default body's vertices lie in SMPL-X: what a registration is measured
against.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from likeness.engine.bake.closest import closest_on_mesh
from likeness.engine.bake.registration import IBUG_LANDMARKS, OUTER_PARTS, nearest_points
from likeness.engine.body import Body
from likeness.engine.body.atlas import surface_points
from likeness.engine.core.geometry import vertex_normals
from likeness.engine.core.types import JOINT_INDEX, NUM_JOINTS, PARENTS, Pose

SKIN, HEAD_SKIN, EYE = 9383, 3931, 546
FLAME_JOINTS = ("neck", "head", "jaw", "left_eye_smplhf", "right_eye_smplhf")
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class StandIns:
    """``smplx`` and ``flame`` are the files' arrays; ``ids`` [5023] FLAME's vertices in SMPL-X."""

    smplx: Arrays
    flame: Arrays
    ids: np.ndarray
    truth: np.ndarray
    source: np.ndarray
    bary: np.ndarray

    def save(self, folder: Path) -> None:
        smplx, flame, ids = licensed_files(folder)
        np.savez(smplx, **self.smplx)
        np.savez(flame, **self.flame)
        np.save(ids, self.ids)
        np.savez(folder / "truth.npz", truth=self.truth, source=self.source, bary=self.bary)

    @staticmethod
    def load(folder: Path) -> StandIns:
        smplx, flame, ids = licensed_files(folder)
        read = [dict(np.load(file)) for file in (smplx, flame, folder / "truth.npz")]
        return StandIns(read[0], read[1], np.load(ids), **read[2])


def licensed_files(folder: Path) -> tuple[Path, Path, Path]:
    """The files of SMPL-X, FLAME and FLAME's vertices in SMPL-X."""
    return folder / "SMPLX_NEUTRAL.npz", folder / "FLAME.npz", folder / "ids.npy"


def _edges(f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges [E, 2] inside the mesh and how many triangles each has."""
    half = np.sort(f[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    return np.unique(half, axis=0, return_counts=True)  # type: ignore[return-value]


def _split(v: np.ndarray, f: np.ndarray, free: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Split the longest of the free edges until ``count`` vertices were added."""
    while count > 0:
        edges, uses = _edges(f)
        edges = edges[free[edges].all(1) & (uses == 2)]
        order = np.argsort(-np.linalg.norm(v[edges[:, 0]] - v[edges[:, 1]], axis=1))
        of_edge: dict[tuple[int, int], list[int]] = {}
        for t, (a, b, c) in enumerate(f):
            for i, j in ((a, b), (b, c), (c, a)):
                of_edge.setdefault((min(i, j), max(i, j)), []).append(t)
        touched: set[int] = set()
        f, more = f.copy(), []
        for i, j in edges[order[: max(count, len(order) // 10)]]:
            rows = of_edge[(i, j)]
            if count == 0 or touched & set(rows):
                continue
            touched |= set(rows)
            new = len(v)
            v, free, count = np.vstack([v, (v[i] + v[j]) / 2]), np.append(free, True), count - 1
            for t in rows:
                more.append(np.where(f[t] == i, new, f[t]))
                f[t] = np.where(f[t] == j, new, f[t])
        f = np.vstack([f, np.array(more)])
    return v, f, free


def _collapse(v: np.ndarray, f: np.ndarray, free: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Collapse the shortest of the free edges until ``count`` vertices are gone."""
    while count > 0:
        edges, _ = _edges(f)
        near: list[set[int]] = [set() for _ in v]
        for i, j in edges:
            near[i].add(j)
            near[j].add(i)
        inner = edges[free[edges].all(1)]
        order = np.argsort(np.linalg.norm(v[inner[:, 0]] - v[inner[:, 1]], axis=1))
        into, touched = np.arange(len(v)), np.zeros(len(v), bool)
        v = v.copy()
        for i, j in inner[order[: max(50, len(order) // 4)]]:
            around = list(near[i] | near[j])
            if count == 0 or touched[around].any() or len(near[i] & near[j]) != 2:
                continue
            touched[around] = True
            into[j], v[i], count = i, (v[i] + v[j]) / 2, count - 1
        f = into[f]
        f = f[(f[:, 0] != f[:, 1]) & (f[:, 1] != f[:, 2]) & (f[:, 2] != f[:, 0])]
        kept = np.unique(f)
        row = np.full(len(v), -1)
        row[kept] = np.arange(len(kept))
        v, f, free = v[kept], row[f], free[kept]
    return v, f, free


def _sphere(center: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A ball of 546 vertices that looks along z."""
    rings, around = 16, 34
    theta = np.pi * (np.arange(rings) + 1) / (rings + 1)
    phi = 2 * np.pi * np.arange(around) / around
    x = np.sin(theta)[:, None] * np.cos(phi)
    y = np.sin(theta)[:, None] * np.sin(phi)
    z = np.cos(theta)[:, None] + 0 * phi
    v = np.vstack([np.stack([x, y, z], -1).reshape(-1, 3), [[0, 0, 1], [0, 0, -1]]])
    k, n = np.arange(around), (np.arange(around) + 1) % around
    f = [np.stack([np.full(around, 544), k, n], 1)]
    for r in range(rings - 1):
        a, b = r * around, (r + 1) * around
        f += [np.stack([a + k, b + k, b + n], 1), np.stack([a + k, b + n, a + n], 1)]
    last = (rings - 1) * around
    f.append(np.stack([np.full(around, 545), last + n, last + k], 1))
    return center + radius * v, np.concatenate(f)


def _regressor(v: np.ndarray, joints: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """[J, V] sparse rows that give the joints exactly, of the vertices ``rows`` near them."""
    rows = np.arange(len(v)) if rows is None else rows
    out = np.zeros((len(joints), len(v)))
    for j, joint in enumerate(joints):
        near = rows[np.argsort(np.linalg.norm(v[rows] - joint, axis=1))[:60]]
        A = np.vstack([(v[near] - joint).T, np.ones(len(near))])
        out[j, near] = np.linalg.lstsq(A, np.array([0, 0, 0, 1.0]), rcond=None)[0]
    return out


def _warped(points: np.ndarray) -> np.ndarray:
    """Points moved by up to a centimetre, in a way that no shape of the default body knows."""
    wave = np.array([[9.0, 2.0, 5.0], [-4.0, 11.0, 3.0], [6.0, -5.0, 10.0]])
    return points + 0.006 * np.sin(points @ wave.T + [0.3, 1.1, 2.0])


def make_stand_ins(body: Body, seed: int = 0, columns: int = 400) -> StandIns:
    """SMPL-X and FLAME of one seed; ``columns`` is 400 (300 + 100) or 20 (10 + 10)."""
    rng = np.random.default_rng(seed)
    part = np.array(body.part_names)[body.face_part]
    skin = np.isin(part, OUTER_PARTS)
    v, f = body.v_template.astype(np.float64), body.f[skin]
    kept = np.unique(f)
    row = np.full(len(v), -1)
    row[kept] = np.arange(len(kept))
    v, f = v[kept], row[f]
    # The head with its neck gets FLAME's 3,931 vertices, the rest what SMPL-X has beside them.
    head = (v[:, 1] > 0.47) & (np.abs(v[:, 0]) < 0.13)
    edge_of_head = np.unique(f[(head[f].any(1)) & ~head[f].all(1)])
    free = head.copy()
    free[edge_of_head] = False
    v, f, free = _collapse(v, f, free, 900)
    head = (v[:, 1] > 0.47) & (np.abs(v[:, 0]) < 0.13)
    v, f, free = _split(v, f, free, HEAD_SKIN - int(head.sum()))
    head = np.concatenate([head, np.ones(len(v) - len(head), bool)])
    crossing = np.unique(f[(head[f].any(1)) & ~head[f].all(1)])
    free = ~head
    free[crossing] = False
    v, f, free = _collapse(v, f, free, len(v) - SKIN)
    head = (v[:, 1] > 0.47) & (np.abs(v[:, 0]) < 0.13)
    assert (len(v), head.sum()) == (SKIN, HEAD_SKIN)

    source, bary = nearest_points(
        v, vertex_normals(v, f), body.v_template, body.f, np.flatnonzero(skin)
    )
    eyes = [JOINT_INDEX[f"{side}_eye_smplhf"] for side in ("left", "right")]
    # Another person in a slightly other T-pose.
    betas = 0.8 * rng.normal(size=body.num_betas)
    pose = Pose.rest(body.num_expression)
    bent = {
        "left_shoulder": [0, 0.06, -0.08],
        "left_hip": [0, 0, 0.05],
        "left_elbow": [0, -0.05, 0],
    }
    bent |= {"left_index1": [0, 0.05, -0.1], "left_thumb2": [0, 0.1, 0], "head": [0.03, 0, 0]}
    mirrored = {k.replace("left", "right"): [a[0], -a[1], -a[2]] for k, a in bent.items()}
    posed, joints = body.vertices(pose.with_joints(**{**bent, **mirrored}), betas)
    posed, joints = _warped(posed), _warped(joints)
    origin = np.array([0.003, -0.36, 0.011])

    def at(values: np.ndarray) -> np.ndarray:
        flat = np.asarray(values, np.float64).reshape(len(values), -1)
        return surface_points(flat, body.f, source, bary).reshape(len(v), *values.shape[1:])

    vertices, faces, weights = [at(posed)], [f], [at(body.weights)]
    for eye in eyes:
        own = np.flatnonzero(body.weights[:, eye] > 0.5)
        radius = np.linalg.norm(posed[own] - joints[eye], axis=1).max()
        ball, rows = _sphere(joints[eye], float(radius))
        faces.append(rows + sum(map(len, vertices)))
        vertices.append(ball)
        weights.append(np.eye(NUM_JOINTS)[[eye] * EYE])
    V, F, W = np.concatenate(vertices) + origin, np.concatenate(faces), np.concatenate(weights)
    joints = joints + origin

    def whole(values: np.ndarray, of_joint: np.ndarray | None = None) -> np.ndarray:
        """[10475, 3, k] of the default body's; eyes move with their joints."""
        still = np.zeros((NUM_JOINTS, 3, values.shape[2])) if of_joint is None else of_joint
        return np.concatenate([at(values), *(np.repeat(still[eye][None], EYE, 0) for eye in eyes)])

    S, E = (300, 100) if columns == 400 else (10, 10)
    shape = whole(body.shapedirs, body.J_shapedirs)
    mix = rng.normal(scale=0.004, size=(body.num_betas, max(S - body.num_betas, 0)))
    shape = np.concatenate([shape, shape @ mix], 2)[:, :, :S]
    jaw = [k for k, n in enumerate(body.expression_names) if n.startswith(("jaw", "eyeLook"))]
    actions = np.delete(whole(body.exprdirs), jaw, axis=2)
    expression = actions @ rng.normal(scale=0.25, size=(actions.shape[2], E))
    posedirs = np.zeros((len(V), 3, 486))
    posedirs[:, :, 18 * 9 - 9 : 18 * 9] = 0.003 * W[:, 18, None, None] * rng.normal(size=(3, 9))
    smplx = {
        "v_template": V,
        "f": F.astype(np.uint32),
        "weights": W,
        "shapedirs": np.concatenate([shape, expression], 2),
        "posedirs": posedirs,
        "J_regressor": _regressor(V, joints),
        "kintree_table": np.array([[2**32 - 1, *PARENTS[1:]], range(NUM_JOINTS)], np.int64),
    }
    marks = body.landmarks
    assert marks is not None
    ibug = np.array(IBUG_LANDMARKS)
    there = surface_points(posed, body.f, marks.face_triangle[ibug], marks.face_bary[ibug]) + origin
    smplx["lmk_faces_idx"], smplx["lmk_bary_coords"] = closest_on_mesh(
        there + rng.normal(scale=0.0007, size=there.shape), V, F, np.arange(len(f))
    )

    # FLAME: another head of the same topology, at its own origin.
    ids = np.concatenate([np.flatnonzero(head), np.arange(SKIN, len(V))])
    row = np.full(len(V), -1)
    row[ids] = np.arange(len(ids))
    flame_faces = row[F][(row[F] >= 0).all(1)]
    other = replace(body, landmarks=None).shaped(0.8 * rng.normal(size=body.num_betas))
    flame_joints = other[1][[JOINT_INDEX[name] for name in FLAME_JOINTS]]
    eye_at = [flame_joints[3], flame_joints[4]]
    balls = [_sphere(c, 0.0125)[0] for c in eye_at]
    template = np.concatenate([at(other[0]), *balls])[ids]
    own = W[ids]
    flame_weights = np.stack(
        [own[:, :13].sum(1) + own[:, 13:15].sum(1), *(own[:, [15, 22, 23, 24]].T)], 1
    )
    flame_weights[:, 0] += own[:, 16:22].sum(1) + own[:, 25:].sum(1)
    flame_shift = np.array([0.0, -0.6, -0.03])
    flame_shape = whole(body.shapedirs[:, :, body.num_body_betas :])[ids]
    mix = rng.normal(scale=0.05, size=(flame_shape.shape[2], S))
    flame_expression = actions[ids] @ rng.normal(scale=0.25, size=(actions.shape[2], E))
    flame_posedirs = np.zeros((len(ids), 3, 36))
    flame_posedirs[:, :, 9:18] = 0.002 * flame_weights[:, 2, None, None] * rng.normal(size=(3, 9))
    template = template + flame_shift
    flame = {
        "v_template": template,
        "f": flame_faces.astype(np.uint32),
        "weights": flame_weights,
        "shapedirs": np.concatenate([flame_shape @ mix, flame_expression], 2),
        "posedirs": flame_posedirs,
        "J_regressor": _regressor(template, flame_joints + flame_shift),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], np.int64),
    }
    small = {k: a.astype(np.float32) for k, a in smplx.items() if a.dtype == np.float64}
    small_flame = {k: a.astype(np.float32) for k, a in flame.items() if a.dtype == np.float64}
    return StandIns(smplx | small, flame | small_flame, ids, posed + origin, source, bary)
