"""Compiling ahead leaves little for a build to compile."""

from __future__ import annotations

from likeness.engine.body import atlas
from likeness.engine.core import distances, geometry, rotation_kernels, sampling
from likeness.engine.gaussians import lod
from likeness.engine.gaussians.lift.grids import quilt
from likeness.engine.gaussians.lift.occlusion import hidden_hands
from likeness.engine.gaussians.lift.splats import bends, calibrate
from likeness.engine.gaussians.refine import parameters
from likeness.engine.imaging import closed_form, resize
from likeness.engine.render import cpu, cpu_backward, cpu_splats, cpu_weights, mesh, samples
from likeness.engine.scene import fit as scene_fit
from likeness.engine.tracking import body_points, fit_state
from likeness.engine.workflows.compile_kernels import compile_kernels

IN_BUILDS = (
    atlas._cover,
    bends._measure_steps,
    bends._median_rows,
    body_points._place_pairs,
    body_points._shape_pairs,
    body_points._turn_pairs,
    calibrate._add_residual,
    closed_form._smooth_colors,
    cpu._draw,
    cpu._set_worth,
    cpu_backward._blend_backward,
    cpu_backward._project_backward,
    cpu_backward._reduce,
    cpu_splats._project,
    cpu_splats._sort_digits,
    cpu_splats._visit_tiles,
    cpu_weights._paint_pixels,
    cpu_weights._weigh,
    cpu_weights._weigh_pixels,
    distances._sweep_columns,
    distances._sweep_rows,
    scene_fit._blend,
    fit_state._chain,
    fit_state._chain_moves,
    geometry._double_areas,
    geometry._frames,
    geometry._interpolate,
    geometry._place,
    geometry._vertex_normals,
    hidden_hands._expose,
    lod._hilbert,
    mesh._raster,
    parameters._pull_rows,
    parameters._set_rows,
    parameters._step_rows,
    quilt._lay_patch,
    quilt._needs_patch,
    resize._sample_affine,
    resize._sample_upright,
    rotation_kernels._fill_quaternions,
    samples._average,
    samples._share,
    sampling._sample,
)


def test_every_function_of_a_build_is_compiled() -> None:
    told: list[float] = []
    compile_kernels(lambda stage, fraction, message: told.append(fraction))
    assert told == sorted(told)
    assert told[0] == 0.0
    assert told[-1] == 1.0
    missing = [kernel.py_func.__name__ for kernel in IN_BUILDS if not kernel.signatures]
    assert missing == []
