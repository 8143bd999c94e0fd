"""The methods to compare: the lift, a network on it, and either refined."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...core.types import Avatar, Camera, Gaussians, LikenessError, Pose
from ...gaussians import place_gaussians
from ...gaussians.lift.garments.labels_network import load_label_network
from ...gaussians.lift.lift_photo import LiftOptions, LiftResult, lift_photo
from ...gaussians.lift.pixels.labels_parser import load_parser
from ...network.apply import apply_network, blank_lift, lift_budget
from ...network.config import GuavaConfig
from ...network.runtime import NetworkRuntime
from ...pipeline.build import refine_avatar
from ...render import render_camera
from .compare import GREY, ComparedImage
from .observed_photos import ObservedPhoto

if TYPE_CHECKING:
    from ...network.guava.guava_network import Refiner

LIFT, NETWORK = "lift", "network"
SMALL_LIFT = "lift-small"
"""The lift at the network's size, where that is below the limit."""
COARSE = "network-coarse"
"""What a network's refiner is given, where it has one."""


@dataclass(frozen=True)
class BuiltAvatar:
    """An avatar, and the seconds from the picture to it."""

    avatar: Avatar
    seconds: float

    def posed(self, pose: Pose) -> Gaussians:
        """The Gaussians in a pose; latent features follow their colours."""
        vertices, _ = self.avatar.body.vertices(pose)
        bound = self.avatar.gaussians
        placed = place_gaussians(bound, vertices, self.avatar.body)
        if not bound.features.size:
            return placed
        return replace(placed, colors=np.concatenate([placed.colors, bound.features], 1))


class Methods:
    """Makes the avatars to compare.

    Args:
        network: an opened network, or None.
        max_gaussians: of the lift, never exceeded.
        refine: a level of ``gaussians.refine.refine_gaussians.REFINE_LEVELS``; ``off`` compares
            nothing refined.
        backend: draws and refines.

    Raises:
        LikenessError: the network's refiner cannot be read, or its avatars cannot be refined.
    """

    def __init__(
        self,
        network: NetworkRuntime | None,
        max_gaussians: int,
        refine: str = "off",
        backend: str = "cpu",
    ) -> None:
        self.network, self.max_gaussians = network, max_gaussians
        self.refine, self.backend = refine, backend
        decoder = None if network is None else network.config.decoder
        self._refiner: Refiner | None = None
        if network is not None and isinstance(decoder, GuavaConfig) and decoder.refiner:
            from ...network.guava.refined_render import load_refiner

            if refine != "off":
                raise LikenessError(
                    f"Avatars of the network in '{network.folder}' cannot be refined against the "
                    "photo: their latent features would not fit other colours.",
                    "Measure it with refine off.",
                )
            self._refiner = load_refiner(network.folder)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the methods, in the order of the tables; the last one is judged."""
        plain = [LIFT]
        if self.network is not None:
            plain += [SMALL_LIFT] if self._budget < self.max_gaussians else []
            plain += [NETWORK] if self._refiner is None else [COARSE, NETWORK]
        return tuple(plain if self.refine == "off" else [*plain, f"{plain[-1]}+refine"])

    @property
    def _budget(self) -> int:
        return lift_budget(self.network, self.max_gaussians)

    def make(self, shot: ObservedPhoto) -> dict[str, BuiltAvatar]:
        """The avatar of a picture by each method.

        Raises:
            LikenessError: the picture cannot be lifted.
        """
        lifted, seconds = self._lifted(shot, self.max_gaussians)
        out = {LIFT: self._made(shot, lifted, shot.seconds + seconds)}
        if self.network is not None:
            if self._budget < self.max_gaussians:
                lifted, seconds = self._lifted(shot, self._budget)
                out[SMALL_LIFT] = self._made(shot, lifted, shot.seconds + seconds)
            start = time.perf_counter()
            if not self.network.config.decoder.residual:
                lifted = blank_lift(self.network, shot.person)
            better, _ = apply_network(
                lifted, self.network, [(shot.matte, shot.track)], self.max_gaussians
            )
            seconds += time.perf_counter() - start
            out[NETWORK] = self._made(shot, better, shot.seconds + seconds)
            if self._refiner is not None:
                bare = replace(better.gaussians, features=np.zeros((0, 0), np.float32))
                coarse = replace(better, gaussians=bare)
                out[COARSE] = self._made(shot, coarse, shot.seconds + seconds)
        if self.refine != "off":
            name = self.names[-1]
            base = out[name.removesuffix("+refine")]
            start = time.perf_counter()
            avatar = refine_avatar(base.avatar, shot.matte, self.refine, self.backend)
            out[name] = BuiltAvatar(avatar, base.seconds + time.perf_counter() - start)
        return out

    def draw(self, gaussians: Gaussians, camera: Camera) -> ComparedImage:
        """What a camera sees of Gaussians, on grey; refined where they have features."""
        grey = np.full(3, GREY)
        if gaussians.colors.shape[1] > 3 and self._refiner is not None:
            from ...network.guava.refined_render import render_refined

            drawn = render_refined(self._refiner, gaussians, camera, grey, self.backend)
            return ComparedImage.of_render(drawn.refined)
        return ComparedImage.of_render(render_camera(gaussians, camera, grey, self.backend))

    def _lifted(self, shot: ObservedPhoto, budget: int) -> tuple[LiftResult, float]:
        start = time.perf_counter()
        lifted = lift_photo(
            shot.matte,
            shot.observation,
            shot.track,
            shot.person,
            LiftOptions(max_gaussians=budget),
            find_skirt=shot.find_skirt,
            labels=None if self.network is None else load_label_network(),
            parser=None if self.network is None else load_parser(),
        )
        return lifted, time.perf_counter() - start

    def _made(self, shot: ObservedPhoto, lifted: LiftResult, seconds: float) -> BuiltAvatar:
        track = shot.track
        avatar = Avatar(lifted.body, lifted.gaussians, track.pose, track.camera, track.framing)
        return BuiltAvatar(avatar, seconds)
