"""The learning rate and the losses' weights of every step."""

from __future__ import annotations

import math
from dataclasses import replace

from .config import TrainConfig
from .loss_inputs import LossWeights


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


def loss_weights(config: TrainConfig, step: int) -> LossWeights:
    """Get the weights of a step's losses.

    Args:
        config: Of the run; from ``perceptual_doubles`` on, the perceptual loss counts twice.
        step: Number of the step, from 0.
    """
    if not config.perceptual_doubles or step < config.perceptual_doubles:
        return config.losses
    return replace(config.losses, perceptual=2.0 * config.losses.perceptual)
