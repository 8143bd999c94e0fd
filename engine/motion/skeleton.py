"""A skeleton at rest, and what it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.types import FloatArray


@dataclass(frozen=True)
class Skeleton:
    """Bones in any axes and units.

    Attributes:
        names: N bone names.
        parents: index of each bone's parent, -1 without; parents come first.
        heads: [N, 3] where the joints are at rest.
        R: [N, 3, 3] the bones' own axes at rest, as columns.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: FloatArray
    R: FloatArray


@dataclass(frozen=True)
class SkeletonMotion:
    """A skeleton's motion, in the skeleton's axes and units.

    Attributes:
        R: [T, N, 3, 3] the bones' own axes.
        heads: [T, N, 3] where the joints are.
        frame_rate: frames per second.
    """

    skeleton: Skeleton
    R: FloatArray
    heads: FloatArray
    frame_rate: float

    def __len__(self) -> int:
        return len(self.R)

    def turned(self, turn: FloatArray) -> SkeletonMotion:
        """The motion and its rest pose, turned.

        Args:
            turn: [3, 3] rotation in the skeleton's axes.
        """
        rest = self.skeleton
        return SkeletonMotion(
            Skeleton(rest.names, rest.parents, rest.heads @ turn.T, turn @ rest.R),
            turn @ self.R,
            self.heads @ turn.T,
            self.frame_rate,
        )

    def with_rest_of_frame(self, frame: int) -> SkeletonMotion:
        """The motion with the pose of this frame as rest pose."""
        rest = self.skeleton
        rest = Skeleton(rest.names, rest.parents, self.heads[frame], self.R[frame])
        return SkeletonMotion(rest, self.R, self.heads, self.frame_rate)


def forward_kinematics(
    offsets: FloatArray, parents: tuple[int, ...], local: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Forward kinematics of bones whose axes at rest are the world's.

    Args:
        offsets: [N, 3] or [T, N, 3] from the parent's joint; of roots, from the origin.
        parents: index of each bone's parent, -1 without; parents come first.
        local: [T, N, 3, 3] rotations relative to the parent.

    Returns:
        R [T, N, 3, 3] and heads [T, N, 3] in the world.
    """
    offsets = np.broadcast_to(offsets, (len(local), *offsets.shape[-2:]))
    R, heads = np.empty_like(local), np.empty(local.shape[:3])
    for j, parent in enumerate(parents):
        if parent < 0:
            R[:, j], heads[:, j] = local[:, j], offsets[:, j]
        else:
            R[:, j] = R[:, parent] @ local[:, j]
            heads[:, j] = heads[:, parent] + (R[:, parent] @ offsets[:, j, :, None])[..., 0]
    return R, heads
