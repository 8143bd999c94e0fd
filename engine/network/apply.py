"""A network applied to a portrait's lift, for ``likeness build --network``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..body import Body
from ..core.types import BoundGaussians, FloatArray, Matte, Pose, Progress, Track
from ..files.cache import get_or_load
from ..files.weights import find_network
from ..gaussians.binding import bind_gaussians, place_on_faces
from ..gaussians.lift.lift_multiview import thin_gaussians
from ..gaussians.lift.lift_photo import LiftResult
from .config import binds_to_faces
from .context import AROUND, change_allowance, head_channels
from .inputs import network_inputs
from .runtime import NetworkRuntime, load_runtime
from .starting_gaussians import starting_gaussians

_DARKEST = 1e-3  # sRGB, of which a change is a ratio
_RIDGE = 0.02  # weight of no dependence on colour, relative to a part's Gaussians


def resolve_network(choice: str, body: Callable[[], Body]) -> NetworkRuntime | None:
    """Load the network that a user chooses, verified against the body.

    Args:
        choice: A network's folder, ``default`` or ``none``.
        body: Returns the body that is fitted to photos; called only if there is a network.

    Returns:
        The network; None for ``none``.

    Raises:
        LikenessError: The network is missing, unusable, or of another body.
    """
    folder = find_network(choice)
    if folder is None:
        return None
    person = body()
    return get_or_load("network", folder, lambda: load_runtime(folder, person), of=person)


def lift_budget(network: NetworkRuntime | None, max_gaussians: int) -> int:
    """Get the maximum number of Gaussians of a lift.

    It does not exceed the number that the network was tested with (``NetworkConfig.largest_lift``).

    Args:
        network: That will be applied, or None.
        max_gaussians: The user's limit.
    """
    if network is None or not network.config.decoder.residual:
        return max_gaussians
    return min(max_gaussians, network.config.largest_lift)


def blank_lift(network: NetworkRuntime, person: Body) -> LiftResult:
    """Create what a network of the paper's form starts from instead of a lift.

    Args:
        network: To apply.
        person: The person's body.
    """
    return LiftResult(starting_gaussians(network.config, person, network.grids), person)


def apply_network(
    lifted: LiftResult,
    network: NetworkRuntime,
    shots: Sequence[tuple[Matte, Track]],
    max_gaussians: int,
    progress: Progress | None = None,
) -> tuple[LiftResult, dict[str, Any]]:
    """Apply a network to a lift.

    Args:
        lifted: Of all the photos; :func:`blank_lift` in the paper's form.
        network: To apply.
        shots: The photos' mattes and fits; the avatar is posed as in the first one.
        max_gaussians: Never exceeded.
        progress: Called with the network's steps.

    Returns:
        The lift with other Gaussians, and JSON-able figures for the report and the avatar's
            provenance.

    Raises:
        LikenessError: The network's output is not finite.
    """
    config = network.config
    given = network_inputs(config, network.grids, shots, lifted.body, lifted.gaussians)
    lift = head_channels(given, network.grids) if config.decoder.residual else None
    out = network.run(replace(given, lift=lift), progress)
    if binds_to_faces(config.decoder):
        out = _smoothly_bound(out, lifted.body, shots[0][1].pose)
    if lift is not None:
        if config.keep_levels:
            out = keep_levels(given.base, out, lift)
        share = np.float32(config.strength)
        out = replace(out, colors=(1 - share) * given.base.colors + share * out.colors)
    figures = {
        "name": config.name,
        "folder": str(network.folder),
        "sha256": network.sha256,
        "backend": network.backend,
        "change": mean_change(given.base, out),
    }
    return replace(lifted, gaussians=thin_gaussians(out, max_gaussians)), figures


def keep_levels(base: BoundGaussians, changed: BoundGaussians, lift: FloatArray) -> BoundGaussians:
    """Remove from a network's change of colours what follows from part and colour alone.

    A network that does not know how a garment is lit behind learns the mean of what it may look
    like: white turns grey and black hair brown, and bare arms have two skins. What is left is how
    light changes over the part.

    Args:
        base: The N Gaussians of the lift.
        changed: The same after the network.
        lift: [N, 56] of :func:`.context.head_channels`.
    """
    old, new = (np.maximum(one.colors, _DARKEST).astype(np.float64) for one in (base, changed))
    gain = np.log(new / old)
    terms = np.column_stack([np.ones(len(lift)), lift[:, AROUND]])
    terms = change_allowance(lift).astype(np.float64) * terms
    for part in np.unique(base.part):
        own = base.part == part
        normal = terms[own].T @ terms[own]
        if normal[0, 0] > 0.0:
            normal += np.diag(normal[0, 0] * np.array([0.0, *[_RIDGE] * 3]))
            gain[own] -= terms[own] @ np.linalg.solve(normal, terms[own].T @ gain[own])
    colors = np.clip(base.colors * np.exp(gain), 0.0, 1.0)
    return replace(changed, colors=colors.astype(np.float32))


def _smoothly_bound(bound: BoundGaussians, body: Body, pose: Pose) -> BoundGaussians:
    """Gaussians in the frames of whole triangles, bound to the smooth ones; in this pose the same.

    Avatars are drawn by the smooth frames, in Blender as here.
    """
    vertices, _ = body.vertices(pose)
    placed = place_on_faces(bound, vertices, body)
    made = bind_gaussians(placed, bound.triangle, bound.bary, bound.layer, vertices, body)
    return replace(made, part=bound.part, features=bound.features)


def mean_change(before: BoundGaussians, after: BoundGaussians) -> dict[str, float]:
    """Compute the mean change of the Gaussians by a network.

    Args:
        before: The network's input.
        after: Its output.

    Returns:
        ``color`` and ``opacity`` (0..1), ``offset_mm``, ``rotation_degrees``, and ``scale``: the
        logarithm of the factor.
    """
    # q and -q are the same rotation; the chord is accurate for small angles.
    chord = np.minimum(
        *(np.linalg.norm(after.quats + sign * before.quats, axis=1) for sign in (-1.0, 1.0))
    )
    degrees = np.degrees(4.0 * np.arcsin(np.clip(chord / 2.0, 0.0, 1.0)))
    growth = np.log(np.maximum(after.scales, 1e-9) / np.maximum(before.scales, 1e-9))
    moved = np.linalg.norm(after.offset - before.offset, axis=1)

    def mean(values: FloatArray, digits: int) -> float:
        return round(float(values.mean()), digits) if values.size else 0.0

    return {
        "color": mean(np.abs(after.colors - before.colors), 5),
        "opacity": mean(np.abs(after.opacities - before.opacities), 5),
        "offset_mm": mean(1000.0 * moved, 4),
        "rotation_degrees": mean(degrees, 3),
        "scale": mean(np.abs(growth), 5),
    }
