"""Evaluation of a network in training: its views of people and the lift's, against the truth.

Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..body import Body
from ..core.types import BoolArray, BoundGaussians, FloatArray, Gaussians
from ..gaussians import place_gaussians
from ..gaussians.binding import place_on_faces
from ..network.config import binds_to_faces
from ..network.create import AnyNetwork
from ..network.guava.guava_network import Refiner
from ..network.guava.refined_render import render_refined, with_features
from ..network.tensor_batch import collate, replace_attributes
from ..render import render_camera
from ..visual.metrics import psnr, ssim
from .samples import TargetView, TrainingSample
from .sheets import SheetRow, ShownView

GREY = 0.5  # of the backdrop
Place = Callable[[BoundGaussians, FloatArray, Body], Gaussians]
_SHOWN = 0.5  # alpha from which a pixel counts as the person's


@dataclass(frozen=True)
class ComparedView:
    """One view of a sample, drawn twice.

    Attributes:
        kind: ``reference`` for the view that the network was given, else the target's.
        truth: [H, W, 3] in 0..1 before grey: the target.
        lift: [H, W, 3] drawn from what the network starts from.
        network: [H, W, 3] drawn from its result, refined if the network has a refiner.
        mask: [H, W] where the truth or either drawing is; the pixels of the figures.
        coarse: [H, W, 3] drawn from its result, before the refiner; None without one.
    """

    kind: str
    truth: FloatArray
    lift: FloatArray
    network: FloatArray
    mask: BoolArray
    coarse: FloatArray | None = None

    def figures(self) -> dict[str, float]:
        """Compute PSNR in dB and SSIM of each drawing."""
        out = {}
        pictures = {"lift": self.lift, "network": self.network, "coarse": self.coarse}
        for name, drawn in pictures.items():
            if drawn is None:
                continue
            out[f"{name}_psnr"] = psnr(drawn, self.truth, self.mask)
            out[f"{name}_ssim"] = ssim(drawn, self.truth, self.mask)
        return out


def compare_views(
    network: AnyNetwork, sample: TrainingSample, body: Body, backend: str = "cpu"
) -> list[ComparedView]:
    """Draw all views of a sample, the reference first.

    Args:
        network: In any mode.
        sample: One person.
        body: The default body; the sample has its own shape.
        backend: A rasteriser.
    """
    own_body = replace(body, v_template=sample.v_template)
    lifted = sample.inputs.base
    made = _decoded(network, sample)
    place = place_on_faces if binds_to_faces(network.config.decoder) else place_gaussians
    kinds = ["reference", *(view.kind for view in sample.views[1:])]
    return [
        _compared(kind, view, lifted, made, own_body, backend, network.refiner, place)
        for kind, view in zip(kinds, sample.views)
    ]


def evaluate_network(
    network: AnyNetwork, samples: Iterable[TrainingSample], body: Body, backend: str = "cpu"
) -> dict[str, Any]:
    """Compute mean figures over the target views of samples, before grey, within the mask.

    Args:
        network: In any mode.
        samples: People.
        body: The default body.
        backend: A rasteriser.

    Returns:
        ``lift_psnr``, ``network_psnr`` and their difference ``gain_db``, ``lift_ssim``,
            ``network_ssim``, with a refiner ``coarse_psnr`` and ``coarse_ssim`` of what it is
            given, ``views``: their number; and ``by_kind``: the same for each kind of
            target and for the ``reference``, which the rest does not include. Empty views have no
            figures.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for sample in samples:
        for view in compare_views(network, sample, body, backend):
            if view.mask.any():
                found.setdefault(view.kind, []).append(view.figures())
    targets = [f for kind, figures in found.items() if kind != "reference" for f in figures]
    by_kind = {kind: _means(figures) for kind, figures in sorted(found.items())}
    return {**_means(targets), "by_kind": by_kind}


def sheet_row(
    network: AnyNetwork, sample: TrainingSample, body: Body, backend: str = "cpu"
) -> SheetRow:
    """Make the row of a sample in a sheet, with the figures of each view.

    Args:
        network: In any mode.
        sample: One person.
        body: The default body.
        backend: A rasteriser.
    """
    views = []
    for view in compare_views(network, sample, body, backend):
        name, before = ("lift", view.lift) if view.coarse is None else ("coarse", view.coarse)
        notes = [f"{psnr(d, view.truth, view.mask):.1f} dB" for d in (before, view.network)]
        views.append(
            ShownView(view.kind, view.truth, before, view.network, notes[0], notes[1], name)
        )
    return SheetRow(sample.key, sample.inputs.photos[0].image, tuple(views))


@contextmanager
def evaluation_mode(network: AnyNetwork) -> Iterator[None]:
    """Put the network into evaluation mode without gradients, and afterwards back."""
    before = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(before)


def _decoded(network: AnyNetwork, sample: TrainingSample) -> BoundGaussians:
    """The network's Gaussians of a sample, in float32."""
    device = next(network.parameters()).device
    batch = collate([sample.inputs], network.grids, network.config.decoder).to(device)
    with evaluation_mode(network):
        # Not by calling it: a trainer's network computes in its half precision then.
        attributes = type(network).forward(network, batch)  # type: ignore[arg-type]
    return replace_attributes(sample.inputs.base, attributes.of(0, batch.counts[0]))


def _compared(
    kind: str,
    view: TargetView,
    lifted: BoundGaussians,
    made: BoundGaussians,
    body: Body,
    backend: str,
    refiner: Refiner | None,
    place: Place,
) -> ComparedView:
    grey, coarse = np.full(3, GREY), None
    before = render_camera(place(lifted, view.vertices, body), view.camera, grey, backend)
    placed = place(made, view.vertices, body)
    if refiner is None:
        after = render_camera(placed, view.camera, grey, backend)
    else:
        placed = with_features(placed, made)
        coarse, after = render_refined(refiner, placed, view.camera, grey, backend)
    alpha = view.rgba[..., 3]
    truth = view.rgba[..., :3] * alpha[..., None] + GREY * (1 - alpha[..., None])
    mask = (alpha > _SHOWN) | (before.alpha > _SHOWN) | (after.alpha > _SHOWN)
    shown = None if coarse is None else coarse.rgb
    return ComparedView(kind, truth, before.rgb, after.rgb, mask, shown)


def _means(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean of every figure; for no views, only their number."""
    out: dict[str, float] = {"views": len(figures)}
    if figures:
        for name in figures[0]:
            out[name] = round(float(np.mean([f[name] for f in figures])), 4)
        out["gain_db"] = round(out["network_psnr"] - out["lift_psnr"], 4)
    return out
