"""Loading the models with torch, transformers and diffusers, and all else that needs torch.

Everything is loaded from a folder on this computer (``local_files_only``), from safetensors only;
code that comes with a model is never run.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ..core.types import LikenessError
from .models import Placement, resolve_model

EDITORS = ("QwenImageEditPipeline", "QwenImageEditPlusPipeline")


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Translate errors of torch and of loading into user errors.

    Args:
        what: The model or step, for messages.

    Raises:
        LikenessError: Memory is insufficient, or ``what`` cannot be loaded.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise LikenessError(
            f"The GPU's memory is too small for {what}.",
            "Use --offload, a smaller --video-size or fewer --frames, or a larger GPU.",
        ) from error
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise LikenessError(
            f"{what} does not work: {' '.join(str(error).split())[:300]}.",
            "Check that the folder is the right model and whole, and the versions of "
            "diffusers and transformers.",
        ) from error


def noise_generator(seed: int) -> Any:
    """Create a source of noise on the CPU, the same for every device."""
    return torch.Generator("cpu").manual_seed(seed)


@contextmanager
def seeded_sampling(what: str, seed: int) -> Iterator[None]:
    """Seed torch's global sampling inside the block, without gradients.

    Args:
        what: As for :func:`translate_errors`.
        seed: Of the sampling.

    Raises:
        LikenessError: As for :func:`translate_errors`.
    """
    with translate_errors(what), torch.inference_mode():
        torch.manual_seed(seed)
        yield


def _library(name: str) -> Any:
    """A package; transformers and diffusers without progress bars, which would overlap ours."""
    library = importlib.import_module(name)
    library.utils.logging.disable_progress_bar()
    return library


def load_language_model(source: str, placement: Placement) -> tuple[Any, Any, dict[str, Any]]:
    """Load a causal language model.

    Returns:
        The model, its tokenizer, and its entry in records.

    Raises:
        LikenessError: It is missing or cannot be loaded.
    """
    folder, about = resolve_model(source, placement)
    with translate_errors(f"the language model '{source}'"):
        transformers = _library("transformers")
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        if not tokenizer.chat_template:
            raise ValueError("its tokenizer has no chat template; take an instruction-tuned model")
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, placement.dtype),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
        return model.to(placement.device).eval(), tokenizer, about


def load_video_pipeline(source: str, placement: Placement) -> tuple[Any, dict[str, Any]]:
    """Load a ``WanPipeline``.

    Its decoder stays in float32: in half precision it bands and flickers.

    Args:
        source: As for :func:`.models.resolve_model`.
        placement: Where it runs.

    Returns:
        The pipeline, and its entry in records.

    Raises:
        LikenessError: It is missing or cannot be loaded.
    """
    folder, about = resolve_model(source, placement)
    with translate_errors(f"the video model '{source}'"):
        diffusers = _library("diffusers")
        vae = diffusers.AutoencoderKLWan.from_pretrained(
            folder,
            subfolder="vae",
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
        )
        pipeline = diffusers.WanPipeline.from_pretrained(
            folder,
            vae=vae,
            dtype=getattr(torch, placement.dtype),
            local_files_only=True,
            use_safetensors=True,
        )
        return _placed(pipeline, placement), about


def load_editing_pipeline(source: str, placement: Placement) -> tuple[Any, dict[str, Any]]:
    """Load a ``QwenImageEditPipeline``, or ``...PlusPipeline`` where the folder's index says so.

    Returns:
        The pipeline, and its entry in records.

    Raises:
        LikenessError: It is missing or cannot be loaded.
    """
    folder, about = resolve_model(source, placement)
    with translate_errors(f"the image editing model '{source}'"):
        diffusers = _library("diffusers")
        index = diffusers.DiffusionPipeline.load_config(folder, local_files_only=True)
        named = str(index["_class_name"])
        if named not in EDITORS:
            raise ValueError(f"it is a {named}, not one of {', '.join(EDITORS)}")
        pipeline = getattr(diffusers, named).from_pretrained(
            folder,
            processor=_picture_processor(folder / "processor"),
            dtype=getattr(torch, placement.dtype),
            local_files_only=True,
            use_safetensors=True,
        )
        return _placed(pipeline, placement), {**about, "pipeline": named}


def load_fill_pipeline(source: str, placement: Placement) -> tuple[Any, dict[str, Any]]:
    """Load a ``FluxFillPipeline``.

    Args:
        source: As for :func:`.models.resolve_model`.
        placement: Where it runs.

    Returns:
        The pipeline, and its entry in records.

    Raises:
        LikenessError: It is missing or cannot be loaded.
    """
    folder, about = resolve_model(source, placement)
    with translate_errors(f"the fill model '{source}'"):
        diffusers = _library("diffusers")
        pipeline = diffusers.FluxFillPipeline.from_pretrained(
            folder,
            dtype=getattr(torch, placement.dtype),
            local_files_only=True,
            use_safetensors=True,
        )
        return _placed(pipeline, placement), about


def _placed(pipeline: Any, placement: Placement) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    if placement.offload and placement.device != "cpu":
        pipeline.enable_model_cpu_offload()
        return pipeline
    return pipeline.to(placement.device)


def _picture_processor(folder: Path) -> Any:
    """Qwen2-VL's processor for text and pictures alone.

    The library's own also needs a processor for videos, which needs torchvision. The model never
    gets a video here, and pictures are prepared the same on every computer.
    """
    from transformers import AutoTokenizer, Qwen2VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.processing_utils import ProcessorMixin

    base: Any = ProcessorMixin

    class PictureProcessor(Qwen2VLProcessor):  # type: ignore[misc]
        def __init__(
            self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None
        ) -> None:
            self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
            self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
            self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
            base.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    return PictureProcessor(
        Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True),
        AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False),
    )
