"""One TFLite model behind one call."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...core.types import FloatArray, LikenessError
from ...files.weights import REMEDY


class TFLiteModel:
    """A TFLite network on one picture at a time.

    Args:
        path: the .tflite file.
        threads: CPU threads of the interpreter.
        value_range: the network's range of pixel values; pictures here are 0..1.
    """

    def __init__(
        self, path: Path, threads: int = 1, value_range: tuple[float, float] = (0.0, 1.0)
    ) -> None:
        # Imported here: it costs 0.2 s, and most of the engine works without it.
        from ai_edge_litert.interpreter import Interpreter

        if not path.is_file():
            raise LikenessError(f"The detector '{path}' is missing.", REMEDY)
        try:
            self._interpreter = Interpreter(str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise LikenessError(
                f"The detector '{path}' cannot be read: {error}.", REMEDY
            ) from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        shape = self._interpreter.get_input_details()[0]["shape"]
        self.height, self.width = int(shape[1]), int(shape[2])
        # By name: the order of outputs is not part of a model's contract.
        self._outputs = {
            str(detail["name"]): int(detail["index"])
            for detail in self._interpreter.get_output_details()
        }
        self._low, self._high = value_range

    def __call__(self, picture: FloatArray) -> dict[str, FloatArray]:
        """[height, width, 3] in 0..1 -> the outputs by name, without the batch axis."""
        scaled = picture * (self._high - self._low) + self._low
        self._interpreter.set_tensor(self._input, scaled[None].astype(np.float32))
        self._interpreter.invoke()
        return {
            name: np.array(self._interpreter.get_tensor(index)[0])
            for name, index in self._outputs.items()
        }


def sigmoid(logits: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), clipped like the detectors' training (|x| <= 100).

    Args:
        logits: [...] x.

    Returns:
        [...] 0..1.

    >>> float(sigmoid(np.array(0.0)))
    0.5
    """
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(np.asarray(logits, np.float64), -100, 100))))
