"""Clips of the scenes (paper, supplement B.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.options import option
from ..core.types import LikenessError
from ..imaging.video_writer import VideoWriter
from .compose import Prompt
from .models import Placement

VIDEO, EDIT = 1, 2  # so that the seeds of a subject's clip and pictures differ


@dataclass(frozen=True)
class VideoOptions:
    """Options of clips; the defaults are the model's own.

    Attributes:
        width: Pixels, a multiple of 32.
        height: Pixels, a multiple of 32.
        frames: One more than a multiple of 4.
        frame_rate: Of the file, frames per second.
        steps: Of the sampler.
        guidance: Of the sampler.

    Raises:
        LikenessError: A value is not allowed.
    """

    width: int = 1280
    height: int = 704
    frames: int = option(
        121,
        help="Frames of each clip, at 24 per second; one more than a multiple of 4.",
        metavar="N",
        min=5,
        flags=("--frames",),
        show_default=True,
    )
    frame_rate: float = 24.0
    steps: int = option(
        50,
        help="Sampling steps of the video model; fewer are faster and coarser.",
        metavar="N",
        min=1,
        show_default=True,
    )
    guidance: float = 5.0

    def __post_init__(self) -> None:
        if self.width % 32 or self.height % 32 or min(self.width, self.height) < 32:
            raise LikenessError(
                f"Clips cannot be {self.width} x {self.height}.", "Choose multiples of 32."
            )
        if self.frames % 4 != 1:
            raise LikenessError(
                f"Clips cannot have {self.frames} frames.",
                "Choose one more than a multiple of 4, as 81 or 121.",
            )


Film = Callable[[Prompt], NDArray[np.uint8]]
"""Generates a prompt's frames, [T, H, W, 3]."""


def picture_seed(prompt: Prompt, kind: int, row: int = 0) -> int:
    """Get the seed of the initial noise of a picture or clip of a prompt.

    Args:
        prompt: The scene.
        kind: VIDEO or EDIT.
        row: Number of the picture.
    """
    words = np.random.SeedSequence([prompt.seed, prompt.number, kind, row]).generate_state(2)
    return int(words[0]) << 16 ^ int(words[1])


def open_video_model(
    source: str, placement: Placement, options: VideoOptions
) -> tuple[Film, dict[str, Any]]:
    """Load a Wan pipeline.

    Args:
        source: As for :func:`.models.resolve_model`.
        placement: Where it runs.
        options: Of the clips.

    Returns:
        The model as :data:`Film`, and its entry in records.

    Raises:
        LikenessError: It is missing or cannot be loaded; when called, memory is insufficient.
    """
    from .loading import load_video_pipeline, noise_generator, translate_errors

    pipeline, about = load_video_pipeline(source, placement)

    def film(prompt: Prompt) -> NDArray[np.uint8]:
        generator = noise_generator(picture_seed(prompt, VIDEO))
        with translate_errors("filming"):
            made = pipeline(
                prompt=prompt.text,
                negative_prompt=prompt.negative,
                width=options.width,
                height=options.height,
                num_frames=options.frames,
                num_inference_steps=options.steps,
                guidance_scale=options.guidance,
                generator=generator,
                output_type="np",
            ).frames[0]
        if not np.isfinite(made).all():
            raise LikenessError(
                f"The clip of prompt {prompt.number} has numbers that are not finite.",
                "Use --dtype bfloat16 or float32.",
            )
        frames: NDArray[np.uint8] = np.rint(np.clip(made, 0, 1) * 255).astype(np.uint8)
        return frames

    return film, {**about, **asdict(options)}


def write_clip(path: Path, frames: NDArray[np.uint8], frame_rate: float) -> None:
    """Write frames as a video, atomically.

    Args:
        path: The file.
        frames: [T, H, W, 3] sRGB in 0..255.
        frame_rate: Frames per second.

    Raises:
        LikenessError: It cannot be written.
    """
    _, height, width, _ = frames.shape
    with VideoWriter(path, width, height, frame_rate) as writer:
        for frame in frames:
            writer.write(frame)
