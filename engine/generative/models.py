"""The three large models of the generation branch: what they need, where they are, loading them.

Everything loads from a folder on this computer (``local_files_only``, safetensors only); fetching
is :mod:`~..weights`' business and happens only with the user's consent.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..digests import file_sha256
from ..downloads import downloads_allowed, unfinished
from ..types import LikenessError
from ..weights import WEIGHTS, find_weights

PACKAGES = ("torch", "transformers", "diffusers", "accelerate", "ftfy")
"""Of the ``generative`` extra: what the stages with models import."""

INSTALL = "pip install -e '.[generative]' in the project's folder"
EDITORS = ("QwenImageEditPipeline", "QwenImageEditPlusPipeline")
DTYPES = ("bfloat16", "float16", "float32")


@dataclass(frozen=True)
class Model:
    """One of the models.

    Attributes:
        stage: which needs it. weights: its name in ``weights.WEIGHTS``, taken by default.
        memory, offloaded: gigabytes of GPU memory, all of it there or (``--offload``) one part of
            the pipeline at a time; from the sizes of the parts in bfloat16 and room to work.
        index: a file that its folder must have.
    """

    stage: str
    weights: str
    memory: int
    offloaded: int
    index: str


MODELS: Mapping[str, Model] = {
    "rewrite": Model("rewrite", "qwen2.5-14b-instruct", 34, 34, "config.json"),
    "videos": Model("videos", "wan2.2-ti2v-5b", 36, 24, "model_index.json"),
    "views": Model("views", "qwen-image-edit", 64, 46, "model_index.json"),
}


@dataclass(frozen=True)
class Placement:
    """Where a model computes.

    Attributes:
        device: ``cuda`` or ``cpu``. dtype: one of :data:`DTYPES`.
        offload: keep only the part of a pipeline that is at work on the GPU.
        allow_download: as for :func:`~..weights.find_weights`.
    """

    device: str = "cuda"
    dtype: str = "bfloat16"
    offload: bool = False
    allow_download: bool | None = None

    @property
    def torch_dtype(self) -> Any:
        import torch

        return getattr(torch, self.dtype)


def needs(stages: Sequence[str], sources: Mapping[str, str], placement: Placement) -> list[str]:
    """What must be there before the stages can run, and is not; each a sentence.

    Args:
        stages: names in :data:`MODELS`; others need no model. sources: see :func:`model_source`.
    """
    wanted = [MODELS[stage] for stage in stages if stage in MODELS]
    if not wanted:
        return []
    out = []
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        out.append(f"The packages {', '.join(missing)} are not installed: {INSTALL}.")
    out += _gpu_needs(wanted, placement)
    return [*out, *_weights_needs(wanted, sources, placement)]


def _weights_needs(
    wanted: Sequence[Model], sources: Mapping[str, str], placement: Placement
) -> list[str]:
    out, absent = [], []
    for model in wanted:
        source = sources.get(model.stage, model.weights)
        try:
            _found(source, allow_download=False)
        except LikenessError as error:
            entry = WEIGHTS.get(source)
            if entry is None:
                out.append(str(error))
            else:
                absent.append(entry)
    if not absent:
        return out
    names = ", ".join(f"{e.repository} ({e.gigabytes} GB, {e.licence})" for e in absent)
    room, free = sum(e.gigabytes for e in absent), shutil.disk_usage(hub_folder()).free / 1e9
    if not downloads_allowed(placement.allow_download):
        out.append(
            f"Not on this computer: {names}. Give their folders with --language-model, "
            f"--video-model and --image-model, or fetch them with --allow-download: {room} GB, "
            f"into '{hub_folder()}', which has {free:.0f} GB left."
        )
    elif free < room:
        out.append(
            f"The downloads ({names}) are about {room} GB, and '{hub_folder()}' has {free:.0f} GB "
            "left: make room, or set HF_HOME to another disk."
        )
    return out


def hub_folder() -> Path:
    """Where downloads go (HF_HOME), or the nearest folder above that exists."""
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:
        return Path.home()
    folder = Path(HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    return folder


def _gpu_needs(wanted: Sequence[Model], placement: Placement) -> list[str]:
    if placement.device == "cpu":
        return []
    needed = max(m.offloaded if placement.offload else m.memory for m in wanted)
    what = f"{' and '.join(m.stage for m in wanted)} need an NVIDIA GPU with {needed} GB"
    less = max(m.offloaded for m in wanted)
    if less < needed:
        what += f" ({less} GB with --offload)"
    if importlib.util.find_spec("torch") is None:
        return [f"The stages {what}."]
    import torch

    if not torch.cuda.is_available():
        return [
            f"The stages {what}; torch finds none. (--device cpu works without, but takes "
            "hours for a clip.)"
        ]
    there = torch.cuda.get_device_properties(0).total_memory / 1e9
    if there < needed:
        return [f"The stages {what}; '{torch.cuda.get_device_name(0)}' has {there:.0f} GB."]
    return []


def told(stages: Sequence[str], sources: Mapping[str, str], placement: Placement) -> list[str]:
    """What will be used, one line a model: name, licence, size, where from."""
    out = []
    for stage in stages:
        if stage not in MODELS:
            continue
        model = MODELS[stage]
        source = sources.get(stage, model.weights)
        entry = WEIGHTS.get(source)
        memory = model.offloaded if placement.offload else model.memory
        what = (
            f"{entry.repository} ({entry.licence}), about {entry.gigabytes} GB on disk"
            if entry else f"'{source}'"
        )  # fmt: skip
        where = f"{memory} GB of GPU memory" if placement.device != "cpu" else "on the CPU: hours"
        out.append(f"{stage}: {what}, {where}")
    return out


def model_source(source: str, placement: Placement) -> tuple[Path, dict[str, Any]]:
    """The folder of a model on this computer, and what records say of it.

    Args:
        source: a name in ``WEIGHTS``, a repository of the hub that is there, or a folder.

    Raises:
        LikenessError: it is not there and may not be fetched, or is incomplete.
    """
    folder = _found(source, placement.allow_download)
    missing = unfinished(folder)
    if missing:
        raise LikenessError(
            f"'{folder}' is incomplete: {', '.join(missing[:3])} is missing.",
            "Fetch it again; a transfer that broke off goes on.",
        )
    entry = WEIGHTS.get(source)
    index = next(
        (folder / name for name in ("model_index.json", "config.json")
         if (folder / name).is_file()), None,
    )  # fmt: skip
    if index is None:
        raise LikenessError(
            f"'{folder}' holds no model: it has neither model_index.json nor config.json.",
            "Give the folder of a diffusers pipeline or of a transformers model.",
        )
    about = {
        "model": entry.repository if entry else folder.name,
        # The hub's cache names folders by the revision.
        "revision": folder.name if folder.parent.name == "snapshots" else None,
        "config_sha256": file_sha256(index)[:16],
        "dtype": placement.dtype,
    }
    return folder, about


def _found(source: str, allow_download: bool | None) -> Path:
    found = find_weights(source, allow_download)
    return found if found.is_dir() else found.parent


@contextmanager
def errors_told(what: str) -> Iterator[None]:
    """Errors of torch and of loading, in words.

    Raises:
        LikenessError: out of memory, or ``what`` does not load.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise LikenessError(
            f"The GPU's memory is not enough for {what}.",
            "Use --offload, a smaller --video-size or fewer --frames, or a larger GPU.",
        ) from error
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise LikenessError(
            f"{what} does not work: {' '.join(str(error).split())[:300]}.",
            "Check that the folder is the right model and whole, and the versions of "
            "diffusers and transformers.",
        ) from error


def _library(name: str) -> Any:
    """A package; transformers and diffusers without their own progress bars, which would stand
    across ours."""
    library = importlib.import_module(name)
    if name != "torch":
        library.utils.logging.disable_progress_bar()
    return library


def loaded_language_model(source: str, placement: Placement) -> tuple[Any, Any, dict[str, Any]]:
    """A causal language model, its tokenizer, and what records say of it."""
    folder, about = model_source(source, placement)
    with errors_told(f"the language model '{source}'"):
        transformers = _library("transformers")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if not tokenizer.chat_template:
            raise ValueError("its tokenizer has no chat template; take an instruction-tuned model")
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=placement.torch_dtype, local_files_only=True, use_safetensors=True
        )
        return model.to(placement.device).eval(), tokenizer, about


def loaded_video_pipeline(source: str, placement: Placement) -> tuple[Any, dict[str, Any]]:
    """A ``WanPipeline``, and what records say of it. Its decoder stays in float32: in half
    precision it bands and flickers."""
    folder, about = model_source(source, placement)
    with errors_told(f"the video model '{source}'"):
        torch, diffusers = _library("torch"), _library("diffusers")
        vae = diffusers.AutoencoderKLWan.from_pretrained(
            folder, subfolder="vae", dtype=torch.float32, local_files_only=True
        )
        pipeline = diffusers.WanPipeline.from_pretrained(
            folder, vae=vae, dtype=placement.torch_dtype, local_files_only=True,
            use_safetensors=True,
        )  # fmt: skip
        return _placed(pipeline, placement), about


def loaded_editing_pipeline(source: str, placement: Placement) -> tuple[Any, dict[str, Any]]:
    """A ``QwenImageEditPipeline``, or ``...PlusPipeline`` where the folder's index says so."""
    folder, about = model_source(source, placement)
    with errors_told(f"the image editing model '{source}'"):
        diffusers = _library("diffusers")
        index = diffusers.DiffusionPipeline.load_config(folder, local_files_only=True)
        named = str(index["_class_name"])
        if named not in EDITORS:
            raise ValueError(f"it is a {named}, not one of {', '.join(EDITORS)}")
        pipeline = getattr(diffusers, named).from_pretrained(
            folder, processor=_picture_processor(folder / "processor"),
            dtype=placement.torch_dtype, local_files_only=True, use_safetensors=True,
        )  # fmt: skip
        return _placed(pipeline, placement), {**about, "pipeline": named}


def _placed(pipeline: Any, placement: Placement) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    if placement.offload and placement.device != "cpu":
        pipeline.enable_model_cpu_offload()
        return pipeline
    return pipeline.to(placement.device)


def _picture_processor(folder: Path) -> Any:
    """Qwen2-VL's processor for text and pictures alone.

    The library's own also wants a processor for videos, which needs torchvision; nobody here
    shows the model a video, and pictures are prepared the same on every computer.
    """
    from transformers import AutoTokenizer, Qwen2VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.processing_utils import ProcessorMixin

    base: Any = ProcessorMixin

    class PictureProcessor(Qwen2VLProcessor):
        def __init__(
            self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None
        ) -> None:
            self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
            self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
            self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
            base.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    return PictureProcessor(
        Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True),
        AutoTokenizer.from_pretrained(folder, local_files_only=True),
    )
