"""Estimators that run in this process: networks in a file that the user names.

A network of any kind of :data:`.estimate_file.KINDS` takes a picture [1, 3, H, W] and gives the
arrays that the program's file has, under the same names; :data:`.model_recipes.RECIPES` says what
the picture is. So the readers of files serve both. ONNX files run in ONNX Runtime, TorchScript
files in torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.types import Camera, FloatArray, LikenessError, Observation, Portrait
from ...files.cache import get_or_load
from ...files.onnx_session import open_session
from ...imaging.resize import affine_crop
from ..landmark_trust import CHEEK_OUTLINE
from ..skin_map import LEFT_BROW, RIGHT_BROW
from .dump import Dump
from .estimate import KeypointEstimate, PoseEstimate
from .estimate_file import estimate_of
from .keypoint_file import name_keypoints
from .keypoints import NetworkCrop, find_peaks, person_box
from .model_recipes import RECIPES, REMEDY, SIMCC, Network, Recipe, kind_of_outputs

ONNX, TORCHSCRIPT = (".onnx",), (".pt", ".pt2", ".pth", ".ts", ".torchscript")
THREADS = 2


class OnnxNetwork:
    """A :class:`Network` in an ONNX file; the names of its outputs tell its kind.

    Args:
        path: the file.

    Raises:
        LikenessError: it is missing, damaged, or no known estimator.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session = open_session(path, THREADS, REMEDY)
        self.names = [output.name for output in self.session.get_outputs()]
        self.kind = kind_of_outputs({*self.names}, path)
        self.inputs = [one.name for one in self.session.get_inputs()]
        shape = self.session.get_inputs()[0].shape
        if len(shape) != 4 or (shape[1] not in (3, "3") and isinstance(shape[1], int)):
            raise LikenessError(f"'{path}' takes {shape}, not pictures [1, 3, H, W].", REMEDY)
        sides = shape[2:]
        self.size = (sides[0], sides[1]) if all(isinstance(s, int) for s in sides) else None

    def run(self, pixels: FloatArray, K: FloatArray) -> dict[str, FloatArray]:
        """Get the outputs by name.

        Args:
            pixels: [1, 3, H, W], as for :class:`Network`.
            K: [1, 3, 3], the same.

        Raises:
            LikenessError: the network does not run on this input.
        """
        given = dict(zip(self.inputs, (pixels, K.astype(np.float32)), strict=False))
        try:
            found = self.session.run(None, given)
        except Exception as error:  # of its own kinds, which have no base in common
            reason = str(error).strip().splitlines()[0]
            raise LikenessError(f"'{self.path}' does not run: {reason}", REMEDY) from error
        return {name: np.asarray(v, np.float64) for name, v in zip(self.names, found, strict=True)}


def open_network(path: Path) -> Network:
    """Open a network, which stays open from one picture to the next; only TorchScript needs torch.

    Raises:
        LikenessError: it is missing, damaged or no known estimator, or torch is not installed.
    """

    def load() -> Network:
        if path.suffix.lower() in ONNX:
            return OnnxNetwork(path)
        try:
            from .torchscript_model import TorchScriptNetwork
        except ImportError as error:
            raise LikenessError(
                f"'{path}' needs torch, which is not installed.",
                "Install torch, or give the network as ONNX.",
            ) from error
        return TorchScriptNetwork(path)

    return get_or_load("estimator model", path, load)


def is_model(path: Path) -> bool:
    """Whether a path is a network's, by its suffix."""
    return path.suffix.lower() in (*ONNX, *TORCHSCRIPT)


@dataclass(frozen=True)
class ModelEstimator:
    """An estimator of poses or keypoints that runs a network in this process.

    Attributes:
        path: the network's file.
        smplx: the user's own SMPL-X model file, which OSX's hands need.
    """

    path: Path
    smplx: Path | None = None

    def of_frame(self, number: int) -> ModelEstimator:
        """Get the estimator for one frame of a video: the same for all."""
        return self

    def estimate(
        self, portrait: Portrait, observation: Observation, camera: Camera
    ) -> PoseEstimate | None:
        """The network's estimate; None when it finds keypoints, or its part is not seen.

        Raises:
            LikenessError: the network's output is not what its kind gives.
        """
        network = open_network(self.path)
        if network.kind == "keypoints":
            return None
        dump = self._dump(network, portrait, observation, camera)
        if dump is None:
            return None
        person = None if network.kind in ("multi-hmr", "hamer") else 1
        estimate = estimate_of(dump, network.kind, camera, None, self.smplx, person, observation)
        return estimate if np.any(estimate.known) else None

    def keypoints(self, portrait: Portrait, observation: Observation) -> KeypointEstimate | None:
        """The network's keypoints in pixels of ``portrait.rgb``; None when it finds poses.

        Raises:
            LikenessError: the network's output is not what its kind gives.
        """
        network = open_network(self.path)
        box = person_box(observation)
        if network.kind != "keypoints" or box is None:
            return None
        recipe = RECIPES["keypoints"]
        crop = NetworkCrop.around(box, *(network.size or recipe.size), recipe.padding)
        found = network.run(*_input(portrait.rgb, crop, recipe))
        points, confidence = _decode(found, crop, self.path)
        return name_keypoints(points, np.clip(confidence, 0.0, 1.0), self.path)

    def _dump(
        self, network: Network, portrait: Portrait, observation: Observation, camera: Camera
    ) -> Dump | None:
        """The outputs and where the network looked, as the program's file has them."""
        recipe = RECIPES[network.kind]
        height, width = network.size or recipe.size
        out: list[dict[str, Any]] = []
        for box, left in _boxes(recipe.part, observation, camera):
            crop = NetworkCrop.around(box, height, width, recipe.padding)
            pixels, K = _input(portrait.rgb, crop, recipe)
            found = network.run(np.ascontiguousarray(pixels[..., ::-1]) if left else pixels, K)
            side = {"right": np.array([float(not left)])}
            out.append(found | _where(network.kind, crop, K) | side)
        if not out:
            return None
        arrays = {key: np.concatenate([np.atleast_1d(o[key]) for o in out]) for key in out[0]}
        arrays["img_size"] = np.array([camera.width, camera.height], np.float64)
        return Dump(self.path, arrays)


def _boxes(part: str, observation: Observation, camera: Camera) -> list[tuple[FloatArray, bool]]:
    """Boxes [4] to look at, and whether the picture is mirrored (left hands)."""
    if part == "picture":
        return [(np.array([0.0, 0.0, camera.width, camera.height]), False)]
    if part == "hands":
        return [(_square(hand.landmarks), hand.left) for hand in observation.hands]
    if part == "face":
        if observation.face is None:
            return []
        rows = np.concatenate([np.array(CHEEK_OUTLINE), LEFT_BROW, RIGHT_BROW, [152]])
        return [(_square(np.asarray(observation.face, np.float64)[rows], mean=True), False)]
    box = person_box(observation)
    return [] if box is None else [(box, False)]


def _square(points: FloatArray, mean: bool = False) -> FloatArray:
    """[4] a square around points, of their longer side or of both sides' mean."""
    low, high = points.min(0), points.max(0)
    half = 0.5 * float((high - low).mean() if mean else (high - low).max())
    middle = 0.5 * (low + high)
    return np.concatenate([middle - half, middle + half])


def _input(rgb: FloatArray, crop: NetworkCrop, recipe: Recipe) -> tuple[FloatArray, FloatArray]:
    """Cut out and normalise [1, 3, H, W] a crop, black beyond the picture.

    The intrinsics [1, 3, 3] are those of a camera that sees it 60 degrees wide.
    """
    sx, sy = crop.size / [crop.width, crop.height]
    matrix = np.array([[sx, 0.0, crop.corner[0]], [0.0, sy, crop.corner[1]]])
    cut = affine_crop(rgb, matrix, crop.width, crop.height)
    mean, deviation = (np.array(values, np.float32) for values in recipe.normal)
    pixels = ((cut - mean) / deviation).transpose(2, 0, 1)[None]
    focal = 0.5 * max(crop.width, crop.height) / np.tan(np.radians(30.0))
    K = np.array([[focal, 0, crop.width / 2], [0, focal, crop.height / 2], [0, 0, 1.0]])
    return np.ascontiguousarray(pixels, np.float32), K[None]


def _where(kind: str, crop: NetworkCrop, K: FloatArray) -> dict[str, FloatArray]:
    """What the program's file says of the place that the network looked at."""
    middle = crop.corner + 0.5 * crop.size
    if kind == "osx":
        return {"bbox": np.concatenate([crop.corner, crop.size])[None]}
    if kind == "multi-hmr":
        return {"K": K, "square": np.array([float(crop.width)])}
    if kind == "hamer":
        return {"box_center": middle[None], "box_size": crop.size[:1]}
    return {"crop": np.array([[*middle, crop.size[0]]])}


def _decode(
    found: Mapping[str, FloatArray], crop: NetworkCrop, path: Path
) -> tuple[FloatArray, FloatArray]:
    """Keypoints [K, 2] in pixels of the picture, and their confidence [K]."""
    if {*SIMCC} <= found.keys():
        x, y = (found[name][0] for name in SIMCC)
        size = np.array([crop.width, crop.height])
        bins = np.stack([x.argmax(1), y.argmax(1)], axis=-1) * size / [x.shape[1], y.shape[1]]
        return crop.corner + (bins + 0.5) / size * crop.size, np.minimum(x.max(1), y.max(1))
    (maps,) = list(found.values())[:1]
    if maps.ndim != 4 or not np.isfinite(maps).all():
        raise LikenessError(
            f"'{path}' gives {list(maps.shape)}, not heatmaps [1, K, h, w].", REMEDY
        )
    places, confidence = find_peaks(maps[0])
    return crop.to_picture(places, *maps.shape[2:]), confidence
