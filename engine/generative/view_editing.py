"""The sides and the back of a person in a single picture (paper, supplement B.5).

An image model turns the person. It turns better to one side, so one prompt serves both: for the
right side the reference is mirrored before and the result after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.options import option
from .clip_generation import EDIT, picture_seed
from .compose import Prompt
from .models import Placement

SIDES = ("left", "right", "back")
AZIMUTH: Mapping[str, float] = {"left": 90.0, "right": -90.0, "back": 180.0}
"""Degrees from the direction that the person faces to the camera, towards the person's left."""

_SAME = (
    "Keep everything else of the photograph: who it is, the build and height, the hair with its "
    "colour and length, every garment with its colour, cloth and wear, the accessories in their "
    "places, the light with its direction and strength, and the background. Arms hang naturally, "
    "the whole upper body stays in the picture at the same size. A sharp, natural photograph."
)
SIDE_PROMPT = (
    "Turn the person on the spot by a quarter turn, so that the camera sees an exact profile of "
    "the left side: the nose points to the left edge of the picture, the near shoulder hides "
    f"the far one, one ear and one eye are seen. {_SAME}"
)
BACK_PROMPT = (
    "Turn the person on the spot by half a turn, so that the camera sees the back only: the back "
    "of the head with its hair, the nape, the back of the collar, the seams between the "
    "shoulders; no part of the face is seen. What the front shows must go on round the body as it "
    f"would in truth. {_SAME}"
)
NEGATIVE_PROMPT = "another person, two people, other clothes, other hair, face seen twice, drawing"


@dataclass(frozen=True)
class EditOptions:
    """Options of the sampler; the defaults are the model's own.

    Attributes:
        steps: Of the sampler.
        guidance: Of the sampler.
    """

    steps: int = option(
        50, help="Sampling steps of the image model.", metavar="N", min=1, show_default=True
    )
    guidance: float = 4.0


Edit = Callable[[Image.Image, str, int], Image.Image]
"""Maps a picture, an instruction and a seed to another picture."""


def edit_side_views(
    reference: NDArray[np.uint8], prompt: Prompt, edit: Edit
) -> dict[str, NDArray[np.uint8]]:
    """Create the views of a picture's person from the left, the right and the back.

    Args:
        reference: [H, W, 3].
        prompt: The scene.
        edit: The model.

    Returns:
        Pictures by side; ``left`` is the person's own left side.
    """
    front = Image.fromarray(reference)
    seeds = [picture_seed(prompt, EDIT, row) for row in range(len(SIDES))]
    left = edit(front, SIDE_PROMPT, seeds[0])
    mirrored = edit(_flipped(front), SIDE_PROMPT, seeds[1])
    back = edit(front, BACK_PROMPT, seeds[2])
    made = {"left": left, "right": _flipped(mirrored), "back": back}
    return {side: np.asarray(made[side].convert("RGB"), np.uint8) for side in SIDES}


def _flipped(picture: Image.Image) -> Image.Image:
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def open_editing_model(
    source: str, placement: Placement, options: EditOptions
) -> tuple[Edit, dict[str, Any]]:
    """Load a Qwen-Image-Edit pipeline.

    Args:
        source: As for :func:`.models.resolve_model`.
        placement: Where it runs.
        options: Of the sampler.

    Returns:
        The model as :data:`Edit`, and its entry in records.

    Raises:
        LikenessError: It is missing or cannot be loaded; when called, memory is insufficient.
    """
    from .loading import load_editing_pipeline, noise_generator, translate_errors

    pipeline, about = load_editing_pipeline(source, placement)
    several = "Plus" in about["pipeline"]

    def edit(picture: Image.Image, text: str, seed: int) -> Image.Image:
        with translate_errors("editing"):
            made = pipeline(
                image=[picture] if several else picture,
                prompt=text,
                negative_prompt=NEGATIVE_PROMPT,
                true_cfg_scale=options.guidance,
                num_inference_steps=options.steps,
                generator=noise_generator(seed),
            ).images[0]
        result: Image.Image = made
        return result

    prompts = {"side": SIDE_PROMPT, "back": BACK_PROMPT, "negative": NEGATIVE_PROMPT}
    return edit, {**about, **asdict(options), "prompts": prompts}
