"""The learning rate of every step."""

from __future__ import annotations

import math

from .config import TrainConfig


def learning_rate(config: TrainConfig, step: int) -> float:
    """The rate of step ``step``, counted from 0.

    It grows in a straight line over ``warmup`` steps, then stays, or falls as half a cosine to
    nothing after the last step.
    """
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.schedule == "constant":
        return config.lr
    left = max(1, config.steps - config.warmup)
    share = min(1.0, (step - config.warmup) / left)
    return config.lr * 0.5 * (1 + math.cos(math.pi * share))
