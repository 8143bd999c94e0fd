"""The three large models of the generation branch: their requirements and their places.

:mod:`~..files.downloads` fetches them, only with the user's consent; :mod:`.loading` loads them.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.options import option
from ..core.types import LikenessError
from ..files.digests import file_sha256
from ..files.downloads import downloads_allowed, missing_weight_files
from ..files.weights import WEIGHTS, find_weights

PACKAGES = ("torch", "transformers", "diffusers", "accelerate", "ftfy")
"""Of the ``generative`` extra: imported by the stages with models."""

INSTALL = "pip install -e '.[generative]' in the project's folder"
DTYPES = ("bfloat16", "float16", "float32")


@dataclass(frozen=True)
class ModelSpec:
    """One of the models.

    Attributes:
        stage: That needs it.
        weights: Its name in ``weights.WEIGHTS``, the default.
        memory: Gigabytes of GPU memory, from the sizes of its parts in bfloat16 and working memory.
        offloaded: The same with one part of the pipeline on the GPU at a time (``--offload``).
        index: A file that its folder must have.
    """

    stage: str
    weights: str
    memory: int
    offloaded: int
    index: str


MODELS: Mapping[str, ModelSpec] = {
    "rewrite": ModelSpec("rewrite", "qwen2.5-14b-instruct", 34, 34, "config.json"),
    "videos": ModelSpec("videos", "wan2.2-ti2v-5b", 36, 24, "model_index.json"),
    "views": ModelSpec("views", "qwen-image-edit", 64, 46, "model_index.json"),
}

FILL = ModelSpec("fill", "flux-fill", 38, 28, "model_index.json")
"""Fills a part of a portrait for ``likeness edit --edit``; no stage of the generation."""
_ALL = {**MODELS, FILL.stage: FILL}


@dataclass(frozen=True)
class Placement:
    """Where a model runs.

    Attributes:
        device: ``cuda`` or ``cpu``.
        dtype: One of :data:`DTYPES`.
        offload: Keep only the active part of a pipeline on the GPU.
        allow_download: As for :func:`~..files.weights.find_weights`.
    """

    device: str = option(
        "cuda",
        help="Device; cpu takes hours for one clip and is for tests with tiny models.",
        choices=("cuda", "cpu"),
        show_default=True,
    )
    dtype: str = option(
        "bfloat16", help="Number format of the models.", choices=DTYPES, show_default=True
    )
    offload: bool = option(False, help="Keep only the active part on the GPU: slower, less memory.")
    allow_download: bool | None = option(
        None,
        help="Download missing models (30, 34 and 58 GB); else LIKENESS_ALLOW_DOWNLOAD decides.",
    )


def missing_requirements(
    stages: Sequence[str], sources: Mapping[str, str], placement: Placement
) -> list[str]:
    """List what stages need and this computer lacks, a sentence for each.

    Args:
        stages: Names in :data:`MODELS`, or ``fill``; others need no model.
        sources: Stage -> source, see :func:`resolve_model`.
        placement: Where the models run.
    """
    wanted = [_ALL[stage] for stage in stages if stage in _ALL]
    if not wanted:
        return []
    out = []
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        out.append(f"The packages {', '.join(missing)} are not installed: {INSTALL}.")
    out += _gpu_needs(wanted, placement)
    return [*out, *_weights_needs(wanted, sources, placement)]


def _weights_needs(
    wanted: Sequence[ModelSpec], sources: Mapping[str, str], placement: Placement
) -> list[str]:
    out, absent = [], []
    for model in wanted:
        source = sources.get(model.stage, model.weights)
        try:
            folder = find_model_folder(source, allow_download=False)
            if not (folder / model.index).is_file():
                out.append(f"'{folder}' is not a model for {model.stage}: it lacks {model.index}.")
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
    """Get the folder of downloads (HF_HOME), or its nearest existing parent."""
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:
        return Path.home()
    folder = Path(HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    return folder


def _gpu_needs(wanted: Sequence[ModelSpec], placement: Placement) -> list[str]:
    if placement.device == "cpu":
        return []
    needed = max(m.offloaded if placement.offload else m.memory for m in wanted)
    *first, last = (model.stage for model in wanted)
    stages = f"stages {', '.join(first)} and {last} need" if first else f"stage {last} needs"
    what = f"The {stages} an NVIDIA GPU with {needed} GB"
    less = max(m.offloaded for m in wanted)
    if less < needed:
        what += f" ({less} GB with --offload)"
    if importlib.util.find_spec("torch") is None:
        return [f"{what}."]
    from .gpu import find_gpu

    there = find_gpu()
    if there is None:
        return [
            f"{what}; torch finds none. (--device cpu works without, but takes hours for a clip.)"
        ]
    name, memory = there
    if memory < needed:
        return [f"{what}; '{name}' has {memory:.0f} GB."]
    return []


def describe_models(
    stages: Sequence[str], sources: Mapping[str, str], placement: Placement
) -> list[str]:
    """Describe the models in use, one a line: name, licence, size, source."""
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
            if entry
            else f"'{source}'"
        )
        where = f"{memory} GB of GPU memory" if placement.device != "cpu" else "on the CPU: hours"
        out.append(f"{stage}: {what}, {where}")
    return out


def resolve_model(source: str, placement: Placement) -> tuple[Path, dict[str, Any]]:
    """Find the folder of a model on this computer.

    Args:
        source: A name in ``WEIGHTS``, a downloaded repository of the hub, or a folder.
        placement: Where it runs.

    Returns:
        The folder, and the model's entry in records.

    Raises:
        LikenessError: It is missing and may not be downloaded, or is incomplete.
    """
    folder = find_model_folder(source, placement.allow_download)
    missing = missing_weight_files(folder)
    if missing:
        raise LikenessError(
            f"'{folder}' is incomplete: {', '.join(missing[:3])} is missing.",
            "Download it again; an interrupted transfer resumes.",
        )
    entry = WEIGHTS.get(source)
    index = next(
        (
            folder / name
            for name in ("model_index.json", "config.json")
            if (folder / name).is_file()
        ),
        None,
    )
    if index is None:
        raise LikenessError(
            f"'{folder}' is not a model: it has neither model_index.json nor config.json.",
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


def find_model_folder(source: str, allow_download: bool | None) -> Path:
    """Find the folder of a model.

    Args:
        source: As for :func:`resolve_model`.
        allow_download: As for :func:`~..files.weights.find_weights`.

    Raises:
        LikenessError: It is missing and may not be downloaded.
    """
    found = find_weights(source, allow_download)
    return found if found.is_dir() else found.parent
