"""Whether two pictures show the same person, as a face-recognition network sees it.

The network is an ONNX file that takes a face [1, 3, 112, 112] in RGB, 0 to 255, its five points
where ArcFace has them, and gives a vector; SFace of the OpenCV Zoo (Apache-2.0) is one. Likeness
does not include it: :mod:`...weights` says where it is searched for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ...core.alignment import fit_similarity
from ...core.types import FloatArray, LikenessError
from ...files.digests import file_sha256
from ...files.onnx_session import import_onnx_runtime
from ...files.weights import find_weights

DEFAULT_FACE_MODEL = "sface"
SIDE = 112

ARCFACE_POINTS = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
"""[5, 2] pixels of a 112 x 112 face: both eyes, tip of the nose, both corners of the mouth, from
the left of the picture; pixel centres are whole numbers there."""

_RIGHT_IRIS, _LEFT_IRIS, _NOSE, _RIGHT_CORNER, _LEFT_CORNER = 468, 473, 4, 61, 291

REMEDY = "Give a face-recognition network as an ONNX file: --face-model FILE."


class FaceModel:
    """A face-recognition network.

    Args:
        source: an ONNX file, or a name in ``weights.WEIGHTS``.

    Raises:
        LikenessError: the file is missing, or is not such a network.
    """

    def __init__(self, source: Path | str = DEFAULT_FACE_MODEL) -> None:
        self.path = find_weights(source)
        self.sha256 = file_sha256(self.path)
        onnxruntime = import_onnx_runtime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                self.path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no common base
            reason = str(error).strip().splitlines()[0]
            raise LikenessError(f"'{self.path}' cannot be read: {reason}", REMEDY) from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or list(inputs[0].shape[1:]) != [3, SIDE, SIDE]:
            shapes = ", ".join(str(end.shape) for end in inputs)
            raise LikenessError(
                f"'{self.path}' takes {shapes}, not one face of [1, 3, {SIDE}, {SIDE}].", REMEDY
            )
        self._input, self._output = inputs[0].name, self._session.get_outputs()[0].name

    def vector(self, rgb: FloatArray, landmarks: FloatArray) -> FloatArray:
        """Unit vector [D] of a face.

        Args:
            rgb: [H, W, 3] the picture, sRGB 0..1.
            landmarks: [478, 2] dense landmarks, pixels.

        Raises:
            LikenessError: the network gives no vector.
        """
        face = align_face(rgb, landmarks) * np.float32(255.0)
        pixels = np.ascontiguousarray(face.transpose(2, 0, 1)[None], np.float32)
        out = np.asarray(self._session.run([self._output], {self._input: pixels})[0], np.float64)
        length = float(np.linalg.norm(out))
        if out.ndim != 2 or len(out) != 1 or not np.isfinite(length) or length == 0.0:
            raise LikenessError(f"'{self.path}' gives no vector for a face.", REMEDY)
        return np.asarray(out[0] / length)


def five_points(landmarks: FloatArray) -> FloatArray:
    """Five points [5, 2] like :data:`ARCFACE_POINTS`, in the picture's pixels.

    Args:
        landmarks: [478, 2] dense landmarks, pixels.
    """
    rows = [_RIGHT_IRIS, _LEFT_IRIS, _NOSE, _RIGHT_CORNER, _LEFT_CORNER]
    return np.asarray(landmarks, np.float64)[rows]


def align_face(rgb: FloatArray, landmarks: FloatArray) -> FloatArray:
    """Crop a face so that its points lie at ArcFace's, by the best similarity.

    Args:
        rgb: [H, W, 3] the picture, sRGB 0..1.
        landmarks: [478, 2] dense landmarks, pixels.

    Returns:
        [112, 112, 3] sRGB 0..1.
    """
    points = five_points(landmarks)
    # Our pixel centres lie at +0.5; ArcFace and Pillow count by the corners of pixels.
    scale, R, shift = fit_similarity(ARCFACE_POINTS + 0.5, points)
    matrix = np.column_stack([scale * R, shift])
    picture = Image.fromarray(np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    cut = picture.transform(
        (SIDE, SIDE), Image.Transform.AFFINE, tuple(matrix.ravel()), Image.Resampling.BILINEAR
    )
    return np.asarray(cut, np.float32) / np.float32(255.0)
