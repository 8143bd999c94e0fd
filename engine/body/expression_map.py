"""Expressions of FLAME and SMPL-X as ARKit's actions, and back.

A prepared body has both: ARKit's 52 actions by name, and its own basis as ``expression_00`` and so
on. One is turned into the other by least squares on the vertices of the face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import nnls

from ..core.settings import register_settings
from ..core.types import FloatArray, IntArray
from .model import Body
from .names import ARKIT_EXPRESSIONS, OWN_EXPRESSION

FACE_PARTS = ("face", "lips", "eyelid")


@dataclass(frozen=True)
class ExpressionMapSettings:
    """What the least squares hold small."""

    weight: float = 0.0005  # metres of a vertex, against one unit of every weight


S = register_settings("body.expression_map", ExpressionMapSettings())


def own_columns(body: Body) -> IntArray:
    """Return the columns [n] of a body's basis of FLAME's or SMPL-X's expressions."""
    return numbered_columns(body.expression_names)


def numbered_columns(names: Sequence[str]) -> IntArray:
    """Return which [n] of the names are those of FLAME's or SMPL-X's expressions: numbers."""
    own = [name.removeprefix(OWN_EXPRESSION).isdigit() for name in names]
    return np.flatnonzero(own)


@dataclass(frozen=True)
class ExpressionMap:
    """The two bases of a body on its face.

    Attributes:
        own: [n] columns of its own basis.
        actions: [a] columns of ARKit's actions; those of the gaze are the eye joints'.
        own_moves: [3 m, n] metres by which the own basis moves the face's vertices.
        action_moves: [3 m, a] metres by which the actions do.
    """

    own: IntArray
    actions: IntArray
    own_moves: FloatArray
    action_moves: FloatArray

    @staticmethod
    def of(body: Body) -> ExpressionMap | None:
        """Return the map of a body; None if it lacks one of the two bases."""
        own = own_columns(body)
        names = body.expression_names
        actions = np.array(
            [
                k
                for k, name in enumerate(names)
                if name in ARKIT_EXPRESSIONS and not name.startswith("eyeLook")
            ],
            np.int64,
        )
        face = body.part_vertices(*FACE_PARTS)
        if not len(own) or not len(actions) or not len(face):
            return None
        moves = body.exprdirs[face].astype(np.float64)
        flat = moves.reshape(-1, moves.shape[2])
        return ExpressionMap(own, actions, flat[:, own], flat[:, actions])

    @cached_property
    def _to_actions(self) -> tuple[FloatArray, FloatArray]:
        """Triangular factor [a, a] of the damped actions, and [a, n] the own basis in it."""
        a = self.action_moves.shape[1]
        damp = S.weight * np.sqrt(len(self.action_moves) / 3) * np.eye(a)
        q, r = np.linalg.qr(np.concatenate([self.action_moves, damp]))
        return r, q[: len(self.action_moves)].T @ self.own_moves

    def to_actions(self, own: FloatArray) -> FloatArray:
        """Turn weights of the own basis into weights of the actions.

        Args:
            own: [T, n].

        Returns:
            [T, a] in 0..1.
        """
        r, basis = self._to_actions
        return np.clip([nnls(r, basis @ weights)[0] for weights in np.asarray(own)], 0.0, 1.0)

    def to_own(self, actions: FloatArray) -> FloatArray:
        """Turn weights of the actions into weights of the own basis.

        Args:
            actions: [T, a].

        Returns:
            [T, n].
        """
        m, n = self.own_moves.shape
        square = self.own_moves.T @ self.own_moves + S.weight**2 * m / 3 * np.eye(n)
        matrix = np.linalg.solve(square, self.own_moves.T @ self.action_moves)
        return np.asarray(np.asarray(actions) @ matrix.T)

    def errors(self) -> tuple[float, float]:
        """Measure both ways, each over unit weights one at a time.

        Returns:
            to_actions: Share 0..1 of the own expressions' motion that the actions leave over
                (root mean square over the face).
            to_own: Share of the actions' motion that the own basis leaves over.
        """
        own = np.concatenate([np.eye(len(self.own)), -np.eye(len(self.own))])
        ours = self.to_actions(own) @ self.action_moves.T
        theirs = self.to_own(np.eye(len(self.actions))) @ self.own_moves.T
        return _left(own @ self.own_moves.T, ours), _left(self.action_moves.T, theirs)


def _left(wanted: FloatArray, found: FloatArray) -> float:
    total = float((wanted**2).sum())
    return float(np.sqrt(((wanted - found) ** 2).sum() / total)) if total > 0 else 0.0
