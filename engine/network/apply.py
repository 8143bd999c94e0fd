"""A portrait's lift through a network: what ``likeness build --network`` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..body import Body
from ..core.types import BoundGaussians, FloatArray, Matte, Progress, Track
from ..files.cache import get_or_load
from ..files.weights import find_network
from ..gaussians.lift import LiftResult
from ..gaussians.lift.lift_multiview import thin_gaussians
from .inputs import network_inputs
from .runtime import NetworkRuntime, load_runtime


def resolve_network(choice: str, body: Callable[[], Body]) -> NetworkRuntime | None:
    """The network that a user asks for, loaded and held against the body; None for ``none``.

    Args:
        choice: a network's folder, ``default`` or ``none``.
        body: gives the body that is fitted to photos; called only when there is a network.

    Raises:
        LikenessError: there is no such network, it cannot be used, or it is another body's.
    """
    folder = find_network(choice)
    if folder is None:
        return None
    person = body()
    return get_or_load("network", folder, lambda: load_runtime(folder, person), of=person)


def lift_budget(network: NetworkRuntime | None, max_gaussians: int) -> int:
    """How many Gaussians a lift may make: no more than those for which the network was shown to
    work (``NetworkConfig.largest_lift``).

    Args:
        max_gaussians: that the user allows.
    """
    if network is None or not network.config.decoder.residual:
        return max_gaussians
    return min(max_gaussians, network.config.largest_lift)


def apply_network(
    lifted: LiftResult,
    network: NetworkRuntime,
    person: Body,
    shots: Sequence[tuple[Matte, Track]],
    max_gaussians: int,
    progress: Progress | None = None,
) -> tuple[LiftResult, dict[str, Any]]:
    """What a network makes of a lift.

    A network without residual does not look at the lift's Gaussians: it makes its own on the
    person's body, and a skirt's mesh is left away.

    Args:
        lifted: of all the photos. person: the body before the lift.
        shots: the photos' mattes and fits; the avatar stands as in the first one.
        max_gaussians: never exceeded.
        progress: told of the network's steps.

    Returns:
        The lift with other Gaussians, and figures, JSON-able: what stands in the report and in
        the avatar's provenance.

    Raises:
        LikenessError: the network gave what are no numbers.
    """
    config = network.config
    if config.decoder.residual:
        given = network_inputs(config, network.grids, shots, lifted.body, lifted.gaussians)
    else:
        given = network_inputs(config, network.grids, shots, person, None)
        lifted = LiftResult(given.base, person)
    out = network.run(given, progress)
    figures = {
        "name": config.name,
        "folder": str(network.folder),
        "sha256": network.sha256,
        "backend": network.backend,
        "change": mean_change(given.base, out),
    }
    return replace(lifted, gaussians=thin_gaussians(out, max_gaussians)), figures


def mean_change(before: BoundGaussians, after: BoundGaussians) -> dict[str, float]:
    """How far a network moved what it was given, on average over the Gaussians.

    Returns:
        ``color`` and ``opacity`` (0..1), ``offset_mm``, ``rotation_degrees``, and ``scale``: the
        logarithm of the factor.
    """
    # A quaternion and its opposite turn the same; the chord between them is exact for small turns.
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
