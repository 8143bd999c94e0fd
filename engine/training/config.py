"""The configuration of a training run: typed, saved in its folder, compared field by field.

Each named configuration trains the network of the same name. From the paper (section 4.1): AdamW
with a learning rate of 1e-4, mixed precision, gradients clipped to a norm of 1, 8 samples per GPU
on four GPUs. The rest is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from ..core.types import LikenessError
from ..files.untrusted import read_json
from ..network.config import NetworkConfig, config_from_dict, diff_configs, override_fields
from ..network.presets import NETWORKS
from ..render.raster_types import SAMPLES
from .augment import AS_IN_USE, CLEAN, Augmentation
from .former_names import SETTINGS
from .loss_inputs import LossWeights

AMP = ("off", "bf16", "fp16")
SCHEDULES = ("constant", "cosine")
BACKENDS = ("auto", "cpu", "cuda")
DATA_TYPES = ("full", "syn", "gen", "gen*")
"""All subjects; only rendered ones; only generated ones; these without pictures that an image model
turned to the sides and the back."""

FREE_FIELDS = frozenset(
    [
        "steps",
        "workers",
        "checkpoint_every",
        "max_checkpoints",
        "sheet_every",
        "validate_every",
        "log_every",
    ]
)
"""May change when a run is resumed: how long and how often, not what is learned."""

_MINIMA = {
    **dict.fromkeys(["steps", "batch", "max_checkpoints", "supersample"], 1),
    "render_size": 16,
    **dict.fromkeys(
        [
            "targets",
            "references_per_subject",
            "workers",
            "warmup",
            "seed",
            "perceptual_doubles",
            "interpolate_from",
        ],
        0,
    ),
    **dict.fromkeys(["checkpoint_every", "sheet_every", "validate_every", "log_every"], 0),
    **dict.fromkeys(["lr", "weight_decay", "clip", "ema", "recolor", "beta1", "beta2"], 0.0),
}


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        name: Name of the configuration, for messages.
        network: The network to train.
        losses: Weights of the losses.
        augment: How photos differ from renderings of a known body.
        recolor: How much colours vary each time a sample is read (:mod:`.recolor`).
        steps: Optimiser steps in total.
        batch: Samples per step, over all processes.
        lr: Learning rate after ``warmup`` steps, over which it rises linearly from 0.
        warmup: Steps of that rise.
        schedule: One of SCHEDULES; ``cosine`` falls to 0 at the last step.
        weight_decay: Of matrices and kernels; biases, norms and learned tokens have none.
        beta1: Of AdamW.
        beta2: Of AdamW.
        clip: Maximum norm of all gradients together.
        ema: Decay per step of the averaged weights, which are evaluated and saved; 0 disables it.
        amp: One of AMP; ``fp16`` only on a GPU, ``bf16`` also on CPUs that compute in it, and in
            single precision on others.
        seed: Of the initial weights, the order of samples, masking and backdrops.
        workers: Processes per training process that read samples; 0 reads in the process itself.
        render_size: Pixels along the longer side of the pictures that the losses compare.
        supersample: Samples per pixel, along each side, with which they are drawn
            (:meth:`.step.Objective.draw`); by default as avatars are drawn for people.
        targets: Views of a sample besides the reference.
        references_per_subject: Views of a subject that may be a reference, and must be lifted; 0
            is all.
        directed_pairs: Only pairs that lead to less reliable views (section 3.2: side to back,
            front to back, never back to front).
        interpolate_from: Step from which PERSE's network also learns from what lies between the two
            looks of a pair (equations 13 to 15; ``likeness synth --between``). The paper fine-tunes
            a network that has converged.
        data_type: One of DATA_TYPES: all subjects, only rendered or generated ones, or generated
            ones without turned pictures (table 2c).
        checkpoint_every: Steps between checkpoints; 0 is never, here and in the next two.
        max_checkpoints: Checkpoints that are kept.
        sheet_every: Steps between sample sheets.
        validate_every: Steps between validations.
        log_every: Steps between log lines.
        perceptual: Kind of the perceptual loss; ``auto`` takes what is installed.
        perceptual_doubles: Step from which the perceptual loss has twice its weight; 0 is never.
        perceptual_source: A file or folder with its backbone; empty for the hub's.
        backend: Rasteriser; ``auto`` is ``cuda`` on a GPU and ``cpu`` elsewhere.

    Raises:
        LikenessError: A value is out of range.
    """

    FORMER_NAMES: ClassVar[Mapping[str, str]] = SETTINGS
    LATER_FIELDS: ClassVar[dict[str, Any]] = {
        "data_type": "full",
        "perceptual_doubles": 0,
        "interpolate_from": 0,
    }

    name: str = "base"
    network: NetworkConfig = field(default_factory=NetworkConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    augment: Augmentation = CLEAN
    recolor: float = 0.0
    steps: int = 200_000
    batch: int = 8
    lr: float = 1e-4
    warmup: int = 1000
    schedule: str = "cosine"
    weight_decay: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    ema: float = 0.999
    amp: str = "bf16"
    seed: int = 0
    workers: int = 4
    render_size: int = 512
    supersample: int = SAMPLES
    targets: int = 3
    references_per_subject: int = 0
    directed_pairs: bool = True
    interpolate_from: int = 0
    data_type: str = "full"
    checkpoint_every: int = 1000
    max_checkpoints: int = 3
    sheet_every: int = 1000
    validate_every: int = 5000
    log_every: int = 20
    perceptual: str = "auto"
    perceptual_doubles: int = 0
    perceptual_source: str = ""
    backend: str = "auto"

    def __post_init__(self) -> None:
        for name, known in (
            ("amp", AMP),
            ("schedule", SCHEDULES),
            ("backend", BACKENDS),
            ("data_type", DATA_TYPES),
        ):
            if getattr(self, name) not in known:
                raise LikenessError(
                    f"{name} '{getattr(self, name)}' is unknown.",
                    f"Choose one of: {', '.join(known)}.",
                )
        for name, minimum in _MINIMA.items():
            value = getattr(self, name)
            if not minimum <= value < 1e19:  # integers in a file may have any size
                raise LikenessError(
                    f"{name} is {str(value)[:40]}.", f"Give a finite number of at least {minimum}."
                )
        for name in ("ema", "beta1", "beta2"):
            if getattr(self, name) >= 1.0:
                raise LikenessError(f"{name} is {getattr(self, name)}.", "Give a number below 1.")
        if not (self.losses.l1 or self.losses.perceptual):  # no other loss sees colours
            raise LikenessError(
                "The weights of l1 and perceptual are both 0, so no colour can be learned.",
                "Give one of them a weight, as in --set losses.l1=1.",
            )
        for name in ("lr", "clip"):
            if getattr(self, name) == 0.0:
                raise LikenessError(f"{name} is 0.", "Give a number above 0.")


_TINY = TrainConfig(
    "tiny",
    NETWORKS["tiny"],
    steps=1000,
    batch=2,
    lr=1e-3,
    warmup=20,
    ema=0.99,
    amp="off",
    workers=0,
    render_size=128,
    targets=2,
    checkpoint_every=100,
    sheet_every=200,
    validate_every=0,
    log_every=10,
)

_GUAVA = TrainConfig(
    "guava",
    NETWORKS["guava"],
    LossWeights(
        perceptual=0.025,
        offset=0.0,
        scale=0.0,
        isotropy=0.0,
        hands=0.0,
        opacity=0.0,
        coarse=1.0,
        head_crop=0.25,
        hand_crops=0.1,
        position=0.01,
        size=1.0,
    ),
    augment=AS_IN_USE,
    batch=12,
    weight_decay=0.0,
    beta1=0.0,
    beta2=0.99,
    targets=1,
    perceptual_doubles=10_000,
)
"""As in the second paper, except the schedule: half a cosine, there linear and for some layers."""

_PERSE = TrainConfig(
    "perse",
    NETWORKS["perse"],
    LossWeights(perceptual=0.35, silhouette=1.0, offset=1.0, hands=0.0, opacity=0.0),
    references_per_subject=1,
    directed_pairs=False,
    interpolate_from=100_000,
)
"""As in the third paper, but for SSIM and VGG: the perceptual loss counts as both together. The
weight decay of the codes is its L_z. The losses of offset, scale and isotropy are ours: without
them, points that no picture shows leave the body, and an unseen pose loses 1.7 dB (``perse-tiny``
after 700 steps)."""

TRAINING: dict[str, TrainConfig] = {
    # 4 GPUs of 80 GB for three days in the paper, which does not say how many steps those are.
    "paper": TrainConfig(
        "paper", NETWORKS["paper"], augment=AS_IN_USE, batch=32, steps=200_000, ema=0.9999
    ),
    "paper-small": TrainConfig("paper-small", NETWORKS["paper-small"], augment=AS_IN_USE),
    "paper-tiny": replace(
        _TINY,
        name="paper-tiny",
        network=NETWORKS["paper-tiny"],
        steps=10_000,
        lr=3e-3,
        amp="bf16",
        checkpoint_every=500,
        sheet_every=1000,
    ),
    "guava": _GUAVA,
    "guava-base": replace(_GUAVA, name="guava-base", network=NETWORKS["guava-base"], batch=8),
    "guava-tiny": replace(
        _TINY,
        name="guava-tiny",
        network=NETWORKS["guava-tiny"],
        losses=replace(_GUAVA.losses, perceptual=0.1),
        targets=1,
        steps=10_000,
        weight_decay=0.0,
        beta2=0.99,
        checkpoint_every=500,
        sheet_every=1000,
    ),
    "perse": _PERSE,
    "perse-tiny": replace(
        _TINY,
        name="perse-tiny",
        network=NETWORKS["perse-tiny"],
        losses=replace(_PERSE.losses, perceptual=0.25),
        batch=1,
        targets=1,
        references_per_subject=1,
        directed_pairs=False,
        interpolate_from=5000,
        steps=10_000,
        lr=2e-3,
        checkpoint_every=500,
        sheet_every=1000,
    ),
    "base": TrainConfig("base", NETWORKS["base"], augment=AS_IN_USE),
    # Two CPU cores: small pictures, few targets, and few views of each person that must be lifted.
    "small": TrainConfig(
        "small",
        NETWORKS["small"],
        LossWeights(colors=4.0),
        AS_IN_USE,
        recolor=1.0,
        steps=40_000,
        batch=4,
        lr=2e-3,
        warmup=200,
        amp="off",
        workers=1,
        render_size=192,
        targets=2,
        references_per_subject=2,
        checkpoint_every=500,
        sheet_every=2000,
        validate_every=2000,
    ),
    "tiny": _TINY,
}
"""The configurations that have a name."""


def read_config(name_or_file: str) -> TrainConfig:
    """Get a named configuration, or read one from a JSON file such as a run's ``config.json``.

    Raises:
        LikenessError: The name is unknown, or the file is missing, damaged or of another version.
    """
    if name_or_file in TRAINING:
        return TRAINING[name_or_file]
    path = Path(name_or_file)
    if path.suffix.lower() != ".json":
        raise LikenessError(
            f"The configuration '{name_or_file}' is unknown.",
            f"Choose one of: {', '.join(TRAINING)}; or give a .json file.",
        )
    try:
        values = read_json(path)
    except (OSError, ValueError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else error
        raise LikenessError(
            f"'{path}' cannot be read: {reason}.", "Give a configuration in JSON."
        ) from error
    return config_from_dict(TrainConfig, values, str(path))


def incompatible_fields(saved: TrainConfig, wanted: TrainConfig) -> list[str]:
    """List what keeps a run of ``saved`` from resuming as ``wanted``; see :func:`diff_configs`."""
    same = {name: getattr(wanted, name) for name in FREE_FIELDS}
    return diff_configs(replace(saved, **same), wanted)


def with_settings(config: TrainConfig, changes: dict[str, str]) -> TrainConfig:
    """Override fields as :func:`.override_fields` does; the prefix ``network.`` is optional.

    Raises:
        LikenessError: A setting is unknown, or its text is not a value of its type.
    """
    inner = ("encoder.", "decoder.")
    return override_fields(
        config, {f"network.{k}" if k.startswith(inner) else k: v for k, v in changes.items()}
    )
