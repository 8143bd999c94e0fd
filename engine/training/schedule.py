"""The learning rate of every step."""

from __future__ import annotations

import math

from .config import TrainConfig


def learning_rate(config: TrainConfig, step: int) -> float:
    """Compute the learning rate of a step.

    It rises linearly over ``warmup`` steps, then stays constant, or falls as half a cosine to 0
    after the last step.

    Args:
        config: Of the run.
        step: Number of the step, from 0.
    """
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.schedule == "constant":
        return config.lr
    left = max(1, config.steps - config.warmup)
    share = min(1.0, (step - config.warmup) / left)
    return config.lr * 0.5 * (1 + math.cos(math.pi * share))
