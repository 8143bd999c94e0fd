"""Figures of whole sets of pictures: FID and KID, and how steady the pictures of a clip are.

FID and KID compare the features of drawn and true pictures. The papers' are those of an Inception
network, which Likeness does not include: the user names an ONNX file, and the report names it too.
Figures from different networks cannot be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import linalg

from ...core.types import FloatArray, LikenessError
from ...files.digests import file_sha256
from ...files.onnx_session import open_session
from .items import TRUTH, MeasuredView

SUBSETS, SUBSET_SIZE = 100, 1000  # of KID, as in torchmetrics and clean-fid
REMEDY = "Give an ONNX file that maps pictures [N, 3, S, S] in RGB, 0 to 255, to vectors [N, D]."

Distance = Callable[[FloatArray, FloatArray], float]


class FeatureNetwork:
    """A network that maps pictures to vectors.

    Args:
        path: an ONNX file that takes one [N, 3, S, S] input, RGB from 0 to 255, of fixed S.

    Raises:
        LikenessError: the file is missing, damaged, or is not such a network.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._session = path, open_session(path, 1, REMEDY)
        self.sha256 = file_sha256(path)
        given = self._session.get_inputs()
        shape = given[0].shape
        if len(given) != 1 or len(shape) != 4 or shape[1] != 3 or not isinstance(shape[2], int):
            raise LikenessError(f"'{path}' takes {[g.shape for g in given]}.", REMEDY)
        self._input, self._side = given[0].name, int(shape[2])

    def vector(self, rgb: FloatArray) -> FloatArray:
        """Compute the features [D] of a picture.

        It is resized by Pillow's bicubic filter, as in clean-fid.

        Args:
            rgb: [H, W, 3] 0..1.

        Raises:
            LikenessError: the network gives no vector of finite numbers.
        """
        size = (self._side, self._side)
        channels = [
            np.asarray(Image.fromarray(c).resize(size, Image.Resampling.BICUBIC))
            for c in np.moveaxis(np.asarray(rgb, np.float32) * np.float32(255.0), -1, 0)
        ]
        pixels = np.clip(np.stack(channels)[None], 0.0, 255.0).astype(np.float32)
        out = np.asarray(self._session.run(None, {self._input: pixels})[0], np.float64).ravel()
        if out.size < 2 or not np.isfinite(out).all():
            raise LikenessError(f"'{self.path}' gives no vector for a picture.", REMEDY)
        return out


class SetFigures:
    """Collects the pictures of one protocol that count, and compares the sets.

    Args:
        features: for FID, KID and consistency; None leaves them out.
        lpips: for the length of a clip's path; None leaves it out.
        clips: whether a person's items of one kind are the frames of a clip, in order.
    """

    def __init__(
        self, features: FeatureNetwork | None, lpips: Distance | None, clips: bool
    ) -> None:
        self._features, self._lpips, self._clips = features, lpips, clips
        self._vectors: dict[str, dict[str, list[FloatArray]]] = {}
        self._last: dict[str, tuple[str, FloatArray]] = {}
        self._steps: dict[str, dict[str, list[float]]] = {}

    def add(self, item: MeasuredView) -> None:
        """Add the pictures of an item: the truth and each method's."""
        if not item.counts:
            return
        clip = f"{item.person}/{item.kind}"
        for name in (TRUTH, *item.figures):
            rgb = item.pictures.get(name)
            if rgb is None:  # some protocols have no truth
                continue
            if self._features is not None:
                people = self._vectors.setdefault(name, {})
                people.setdefault(clip, []).append(self._features.vector(rgb))
            if self._clips and self._lpips is not None:
                before = self._last.get(name)
                if before is not None and before[0] == clip:
                    step = self._lpips(before[1], rgb)
                    self._steps.setdefault(name, {}).setdefault(clip, []).append(step)
                self._last[name] = (clip, rgb)

    def summary(self) -> dict[str, dict[str, float | int]]:
        """Compute the figures of each method, and of the truth where they need no other.

        Returns:
            method -> ``pictures``: their number; ``fid``, ``kid``, ``kid_std``; of clips the means
            ``consistency`` (:func:`clip_consistency`), ``path_length`` (PPL) and
            ``path_variance`` (PDV) of the LPIPS between neighbouring frames.
        """
        out: dict[str, dict[str, float | int]] = {}
        truth = [v for vectors in self._vectors.get(TRUTH, {}).values() for v in vectors]
        for name, people in self._vectors.items():
            drawn = [v for vectors in people.values() for v in vectors]
            found = out.setdefault(name, {"pictures": len(drawn)})
            if name != TRUTH and len(drawn) > 1 and len(truth) > 1:
                a, b = np.stack(drawn), np.stack(truth)
                kid, spread = kernel_distance(a, b)
                found |= {"fid": frechet_distance(a, b), "kid": kid, "kid_std": spread}
            steady = [clip_consistency(np.stack(v)) for v in people.values() if len(v) > 1]
            if self._clips and steady:
                found["consistency"] = float(np.mean(steady))
        for name, clips in self._steps.items():
            found = out.setdefault(name, {})
            found["path_length"] = float(np.mean([np.sum(steps) for steps in clips.values()]))
            found["path_variance"] = float(np.mean([np.var(steps) for steps in clips.values()]))
        return {
            name: {key: round(value, 6) for key, value in found.items()}
            for name, found in out.items()
        }


def frechet_distance(a: FloatArray, b: FloatArray) -> float:
    """Fréchet distance of two sets as normal distributions (FID, Heusel et al. 2017).

    |mean_a - mean_b|^2 + trace(A + B - 2 (A B)^1/2), with the unbiased covariances A and B.

    Args:
        a: [N, D] features, N at least 2; below D + 1 the estimate is too large.
        b: [M, D] features.
    """
    A, B = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    # The root's trace is that of the symmetric (A^1/2 B A^1/2)^1/2, whose eigenvalues are real.
    values, axes = linalg.eigh(A)
    root = (axes * np.sqrt(np.clip(values, 0.0, None))) @ axes.T
    cross = np.sqrt(np.clip(linalg.eigvalsh(root @ B @ root), 0.0, None)).sum()
    gap = a.mean(0) - b.mean(0)
    return float(gap @ gap + np.trace(A) + np.trace(B) - 2.0 * cross)


def kernel_distance(a: FloatArray, b: FloatArray, seed: int = 0) -> tuple[float, float]:
    """Unbiased squared MMD with the kernel (x y / D + 1)^3 (KID, Binkowski et al. 2018).

    Args:
        a: [N, D] features, N at least 2.
        b: [M, D] features.
        seed: of the random subsets.

    Returns:
        Mean and standard deviation over 100 subsets of at most 1000 of each.
    """
    rng = np.random.default_rng(seed)
    size = min(len(a), len(b), SUBSET_SIZE)
    found = []
    for _ in range(SUBSETS):
        x, y = (values[rng.choice(len(values), size, replace=False)] for values in (a, b))
        inner = sum(_kernel(v, v).sum() - _kernel(v, v).trace() for v in (x, y))
        found.append(inner / (size * (size - 1)) - 2.0 * _kernel(x, y).mean())
    return float(np.mean(found)), float(np.std(found))


def _kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray((x @ y.T / x.shape[1] + 1.0) ** 3)


def clip_consistency(vectors: FloatArray | Sequence[FloatArray]) -> float:
    """How alike the frames of a clip are (the subject consistency of VBench).

    Args:
        vectors: [F, D] features of the frames in order, F at least 2.

    Returns:
        Mean over the frames after the first of the cosines with the first and with the frame
        before, -1..1.
    """
    v = np.asarray(vectors, np.float64)
    v = v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12)
    return float(0.5 * (v[1:] @ v[0] + (v[1:] * v[:-1]).sum(1)).mean())
