"""What a training run is made of: typed, saved beside the run, compared field by field.

Each named configuration trains the network of its name. What the paper says (section 4.1): AdamW
with a rate of 1e-4, mixed precision, gradients clipped to a norm of 1, 8 samples per GPU on four
GPUs. The rest is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from ..core.types import LikenessError
from ..files.untrusted import read_json
from ..network.config import (
    NETWORKS,
    NetworkConfig,
    config_from_dict,
    diff_configs,
    override_fields,
)
from .augment import AS_IN_USE, CLEAN, Augmentation
from .losses import LossWeights

AMP = ("off", "bf16", "fp16")
SCHEDULES = ("constant", "cosine")
BACKENDS = ("auto", "cpu", "cuda")

FREE_FIELDS = frozenset(
    {"steps", "workers", "checkpoint_every", "keep", "sheet_every", "validate_every", "log_every"}
)
"""May change when a run goes on: they say how long and how often, not what is learned."""


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        name: of the configuration, for messages.
        network: what is trained. losses: what it is trained for.
        augment: how the photos that it is given differ from renderings with a known body.
        recolor: how much the colours of samples differ each time they are read (:mod:`.recolor`).
        steps: of the optimiser, in all. batch: samples per step, of all processes together.
        lr: rate after ``warmup`` steps, in which it grows from nothing in a straight line.
        schedule: one of SCHEDULES; ``cosine`` falls to nothing at the last step.
        weight_decay: of matrices and kernels; biases, norms and learned tokens have none.
        beta1, beta2: of AdamW. clip: largest norm of all gradients together.
        ema: decay per step of the averaged weights, which are judged and saved; 0 averages nothing.
        amp: one of AMP; ``fp16`` only on a GPU.
        seed: of the first weights, the order of samples, masking and backdrops.
        workers: processes beside each training process that read samples; 0 reads in between.
        render_size: pixels along the longer side of the pictures that losses compare. finer: they
            are drawn so many times as large and averaged (:meth:`.step.Objective.draw`).
        targets: views of a sample besides the reference.
        references_each: views of a subject that are ever a reference, and have to be lifted; 0 is
            all.
        directed: only pairs that go to less reliable views (section 3.2: side to back, front to
            back, never back to front).
        checkpoint_every, sheet_every, validate_every, log_every: steps between; 0 is never.
        keep: checkpoints that stay.
        perceptual: kind of the perceptual loss; ``auto`` takes what is there.
        perceptual_source: a file or folder with its backbone; empty for the hub's.
        backend: rasteriser; ``auto`` is ``cuda`` on a GPU and ``cpu`` elsewhere.
    """

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
    finer: int = 1
    targets: int = 3
    references_each: int = 0
    directed: bool = True
    checkpoint_every: int = 1000
    keep: int = 3
    sheet_every: int = 1000
    validate_every: int = 5000
    log_every: int = 20
    perceptual: str = "auto"
    perceptual_source: str = ""
    backend: str = "auto"

    def __post_init__(self) -> None:
        for name, known in (("amp", AMP), ("schedule", SCHEDULES), ("backend", BACKENDS)):
            if getattr(self, name) not in known:
                raise LikenessError(
                    f"There is no {name} '{getattr(self, name)}'.",
                    f"Choose one of: {', '.join(known)}.",
                )
        least = {
            "steps": 1,
            "batch": 1,
            "keep": 1,
            "render_size": 16,
            "finer": 1,
            "targets": 0,
            "references_each": 0,
            "workers": 0,
            "warmup": 0,
            "seed": 0,
            "checkpoint_every": 0,
            "sheet_every": 0,
            "validate_every": 0,
            "log_every": 0,
            "lr": 0.0,
            "weight_decay": 0.0,
            "clip": 0.0,
            "ema": 0.0,
            "recolor": 0.0,
            "beta1": 0.0,
            "beta2": 0.0,
        }
        for name, smallest in least.items():
            value = getattr(self, name)
            if not smallest <= value < 1e19:  # whatever size a whole number of a file has
                raise LikenessError(
                    f"{name} is {str(value)[:40]}.", f"Give a finite number of at least {smallest}."
                )
        for name in ("ema", "beta1", "beta2"):
            if getattr(self, name) >= 1.0:
                raise LikenessError(f"{name} is {getattr(self, name)}.", "Give a number below 1.")
        if not (self.losses.l1 or self.losses.perceptual):  # nothing else tells colours
            raise LikenessError(
                "The weights of l1 and perceptual are both 0, so no colour can be learned.",
                "Give one of them a weight, as in --set losses.l1=1.",
            )
        for name in ("lr", "clip"):
            if getattr(self, name) == 0.0:
                raise LikenessError(f"{name} is 0.", "Give a number above 0.")


TRAINING: dict[str, TrainConfig] = {
    # 4 GPUs of 80 GB for three days in the paper, which does not say how many steps those are.
    "paper": TrainConfig(
        "paper", NETWORKS["paper"], augment=AS_IN_USE, batch=32, steps=200_000, ema=0.9999
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
        finer=2,
        targets=2,
        references_each=2,
        checkpoint_every=500,
        sheet_every=2000,
        validate_every=2000,
    ),
    "tiny": TrainConfig(
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
    ),
}
"""The configurations that have a name."""


def read_config(name_or_file: str) -> TrainConfig:
    """A configuration by name, or from a JSON file as a run's ``config.json``.

    Raises:
        LikenessError: no such name or file, or a file of another version.
    """
    if name_or_file in TRAINING:
        return TRAINING[name_or_file]
    path = Path(name_or_file)
    if path.suffix.lower() != ".json":
        raise LikenessError(
            f"There is no configuration '{name_or_file}'.",
            f"Choose one of: {', '.join(TRAINING)}; or give a file that ends with .json.",
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
    """What keeps a run of ``saved`` from going on as ``wanted``, as :func:`diff_configs`."""
    same = {name: getattr(wanted, name) for name in FREE_FIELDS}
    return diff_configs(replace(saved, **same), wanted)


def with_settings(config: TrainConfig, changes: dict[str, str]) -> TrainConfig:
    """:func:`..network.config.override_fields`, where ``network.`` may be left out.

    Raises:
        LikenessError: there is no such setting, or the text is no value of its type.
    """
    inner = ("encoder.", "decoder.")
    return override_fields(
        config, {f"network.{k}" if k.startswith(inner) else k: v for k, v in changes.items()}
    )
