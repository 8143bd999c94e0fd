"""The methods to compare: the lift, a network on it, and either refined."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ...core.types import Avatar, Camera, Gaussians, Pose
from ...gaussians import place_gaussians
from ...gaussians.lift import LiftOptions, LiftResult, lift_photo
from ...gaussians.lift.labels_network import load_label_network
from ...gaussians.lift.labels_parser import load_parser
from ...network.apply import apply_network, blank_lift, lift_budget
from ...network.runtime import NetworkRuntime
from ...pipeline.build import refine_avatar
from ...render import render_camera
from .compare import GREY, ComparedImage
from .observed_photos import ObservedPhoto

LIFT, NETWORK = "lift", "network"
SMALL_LIFT = "lift-small"
"""The lift at the network's size, where that is below the limit."""


@dataclass(frozen=True)
class BuiltAvatar:
    """An avatar, and the seconds from the picture to it."""

    avatar: Avatar
    seconds: float

    def posed(self, pose: Pose) -> Gaussians:
        """The Gaussians in a pose."""
        vertices, _ = self.avatar.body.vertices(pose)
        return place_gaussians(self.avatar.gaussians, vertices, self.avatar.body)


class Methods:
    """Makes the avatars to compare.

    Args:
        network: an opened network, or None.
        max_gaussians: of the lift, never exceeded.
        refine: a level of ``gaussians.refine.LEVELS``; ``off`` compares nothing refined.
        backend: draws and refines.
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

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the methods, in the order of the tables; the last one is judged."""
        plain = [LIFT]
        if self.network is not None:
            plain += [SMALL_LIFT] if self._budget < self.max_gaussians else []
            plain.append(NETWORK)
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
        if self.refine != "off":
            name = self.names[-1]
            base = out[name.removesuffix("+refine")]
            start = time.perf_counter()
            avatar = refine_avatar(base.avatar, shot.matte, self.refine, self.backend)
            out[name] = BuiltAvatar(avatar, base.seconds + time.perf_counter() - start)
        return out

    def draw(self, gaussians: Gaussians, camera: Camera) -> ComparedImage:
        """What a camera sees of Gaussians, on grey."""
        return ComparedImage.of_render(
            render_camera(gaussians, camera, np.full(3, GREY), self.backend)
        )

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
