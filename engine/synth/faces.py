"""Mild faces, as photos show them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..body.model import Body
from ..core.types import JOINT_INDEX, FloatArray, Pose
from .person_parts import Traits

AT_EASE = {"mouthSmile": (0.18, 0.42), "browInnerUp": (0.0, 0.3)}
"""Weights that a face at ease has at least: MakeHuman's own neutral one draws the corners of the
mouth and the brows' inner ends down, and looks grim."""


def random_face(
    rng: np.random.Generator, body: Body, traits: Traits, pose: Pose | None = None
) -> FloatArray:
    """[E] a mild face as in photos: at ease, a smile, in speech, thoughtful, at times a blink.

    Args:
        rng: random numbers.
        body: whose expressions are weighted.
        traits: the old smile and speak with a little less of the face.
        pose: whose eyes the lids follow; without it the eyes look ahead.
    """
    weights: dict[str, float] = {}

    def both(name: str, value: float, uneven: float = 0.12) -> None:
        for side in ("Left", "Right"):
            own = value * (1.0 + uneven * float(rng.normal()))
            weights[name + side] = max(weights.get(name + side, 0.0), own)

    mood = str(
        rng.choice(
            ["ease", "smile", "laugh", "talk", "surprise", "thought"],
            p=[0.3, 0.27, 0.08, 0.23, 0.05, 0.07],
        )
    )
    strength = float(rng.uniform(0.25, 0.9)) * (1.0 - 0.004 * (traits.age - 18.0))
    if mood in ("smile", "laugh"):
        both("mouthSmile", 0.75 * strength)
        both("cheekSquint", 0.5 * strength)
        both("eyeSquint", 0.35 * strength)
        both("mouthDimple", 0.2 * strength)
    if mood == "laugh":
        weights["jawOpen"] = 0.3 * strength
        both("mouthUpperUp", 0.35 * strength)
    if mood == "talk":
        _speak(rng, weights, both, strength)
    if mood == "surprise":
        weights["jawOpen"] = 0.3 * strength
        weights["browInnerUp"] = 0.7 * strength
        both("browOuterUp", 0.6 * strength)
        both("eyeWide", 0.35 * strength)
    if mood == "thought":
        both("browDown", 0.3 * strength)
        both("mouthPress", 0.4 * strength)
        weights["mouthLeft" if rng.random() < 0.5 else "mouthRight"] = 0.25 * strength
    if mood == "ease":
        both(str(rng.choice(["mouthSmile", "mouthPress"])), 0.25 * strength)
    both("mouthSmile", float(rng.uniform(*AT_EASE["mouthSmile"])))
    lifted = float(rng.uniform(*AT_EASE["browInnerUp"]))
    weights["browInnerUp"] = max(weights.get("browInnerUp", 0.0), lifted)
    _lids(rng, weights, both, pose)
    out = np.zeros(body.num_expression)
    for name, value in weights.items():
        if name in body.expression_index:
            out[body.expression_index[name]] = float(np.clip(value, 0.0, 1.0))
    return out


def _speak(rng: np.random.Generator, weights: dict[str, float], both: Any, strength: float) -> None:
    """A moment of speech: an open, a round, a wide or a closed sound."""
    sound = str(rng.choice(["open", "round", "wide", "closed"], p=[0.35, 0.25, 0.25, 0.15]))
    weights["jawOpen"] = strength * {"open": 0.4, "round": 0.2, "wide": 0.15, "closed": 0.0}[sound]
    if sound == "round":
        weights[str(rng.choice(["mouthFunnel", "mouthPucker"]))] = 0.6 * strength
    if sound == "wide":
        both("mouthStretch", 0.4 * strength)
        both("mouthLowerDown", 0.3 * strength)
    if sound == "closed":
        both("mouthPress", 0.5 * strength)
    if rng.random() < 0.4:
        both("mouthSmile", 0.3 * strength)


def _lids(
    rng: np.random.Generator, weights: dict[str, float], both: Any, pose: Pose | None
) -> None:
    """Upper lids that follow the eyes, and blinks: few people are caught in one."""
    down = 0.0
    if pose is not None:
        eyes = [JOINT_INDEX[f"{side}_eye_smplhf"] for side in ("left", "right")]
        down = float(np.asarray(pose.full_pose)[eyes, 0].mean())
    both("eyeBlink", max(down, 0.0), 0.0)
    both("eyeWide", 1.3 * max(-down, 0.0), 0.0)
    chance = rng.random()
    if chance < 0.03:
        both("eyeBlink", 1.0, 0.0)
    elif chance < 0.3:
        both("eyeBlink", float(rng.uniform(0.05, 0.25)))
