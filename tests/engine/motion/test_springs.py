"""Springs against the equation of a damped oscillator, and what must hold of any of them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.types import FloatArray, LikenessError
from likeness.engine.motion.springs import Capsules, Chains, simulate_springs
from likeness.engine.motion.swing_options import SwingOptions
from scipy.integrate import solve_ivp

STIFFNESS, DAMPING = 1.5, 0.2
OMEGA = 2 * np.pi * STIFFNESS


def chains(count: int = 1, nodes: int = 2, **fields: Any) -> Chains:
    """Chains that do not pull at each other."""
    return Chains(np.zeros((count, nodes)), np.zeros((count, count)), **fields)


def hanging(path: FloatArray, nodes: int = 2, length: float = 1.0) -> FloatArray:
    """[T, 1, N, 3] a chain that hangs from a path [T, 3]."""
    down = np.linspace(0.0, -length, nodes)[:, None] * [0.0, 1.0, 0.0]
    return np.asarray(path[:, None, None] + down)


def sideways(x: FloatArray) -> FloatArray:
    return np.stack([x, np.zeros_like(x), np.zeros_like(x)], -1)


def run(targets: FloatArray, rate: float, gravity: FloatArray | None = None, **more: Any) -> Any:
    options = more.pop("options", SwingOptions(stiffness=STIFFNESS, damping=DAMPING))
    own = more.pop("chains", chains(targets.shape[1], targets.shape[2]))
    pull = np.zeros_like(targets) if gravity is None else gravity
    return simulate_springs(targets, pull, rate, own, options, **more)


def test_a_short_swing_is_that_of_a_damped_oscillator() -> None:
    rate, size, speed = 60.0, 0.004, 5.0
    t = np.arange(181) / rate
    y = run(hanging(sideways(size * np.sin(speed * t))), rate)[:, 0, 1, 0]

    def equation(now: float, state: FloatArray) -> list[float]:
        pushed = size * speed**2 * np.sin(speed * now)
        return [state[1], pushed - OMEGA**2 * state[0] - 2 * DAMPING * OMEGA * state[1]]

    found = solve_ivp(equation, (0, t[-1]), [0.0, 0.0], t_eval=t, rtol=1e-9, atol=1e-12)
    assert np.abs(y - found.y[0]).max() < 0.02 * np.abs(found.y[0]).max()


def test_after_a_stop_it_rings_down_at_its_own_rate() -> None:
    rate = 120.0
    t = np.arange(481) / rate
    x = 0.01 * np.clip(t / 0.2, 0.0, 1.0) ** 2 * (3.0 - 2.0 * np.clip(t / 0.2, 0.0, 1.0))
    y = run(hanging(sideways(x)), rate)[:, 0, 1, 0]
    free = t > 0.25
    turns = np.flatnonzero(np.diff(np.sign(y[free])))
    period = 2 * np.diff(t[free][turns])[:4].mean()
    assert period == pytest.approx(1 / (STIFFNESS * np.sqrt(1 - DAMPING**2)), rel=0.03)
    peaks = [np.abs(y[free][a:b]).max() for a, b in itertools.pairwise(turns)]
    decay = np.exp(-np.pi * DAMPING / np.sqrt(1 - DAMPING**2))
    assert peaks[1] / peaks[0] == pytest.approx(decay, rel=0.05)
    speed = np.gradient(y, 1 / rate)
    energy = (0.5 * speed**2 + 0.5 * OMEGA**2 * y**2)[t > 0.3]
    assert (np.diff(energy) <= 0.01 * energy[:-1] + 1e-12).all()
    assert energy[-1] < 1e-3 * energy[0]


def test_what_rests_or_glides_is_exactly_in_place() -> None:
    still = np.repeat(hanging(np.array([[0.3, 1.1, -2.0]]), 4), 20, 0)
    assert (run(still, 30.0) == 0.0).all()
    gliding = hanging(np.arange(20)[:, None] * [0.05, 0.0, 0.02], 4)
    assert np.abs(run(gliding, 30.0)).max() < 1e-12
    moving = hanging(sideways(np.sin(np.arange(20.0))), 4)
    assert (run(moving, 30.0, options=SwingOptions(amount=0.0)) == 0.0).all()


def test_gravity_hangs_it_down_from_the_first_frame_on() -> None:
    """A chain drawn to hang down along -y, carried by a body that lies on its side."""
    drawn = np.repeat(hanging(np.zeros((1, 3)), 3, 0.4), 30, 0)
    lying = drawn[..., [1, 0, 2]]  # along -x
    gravity = np.zeros_like(lying) + np.array([9.81, -9.81, 0.0])
    y = run(lying, 30.0, gravity, options=SwingOptions(stiffness=1.0, damping=1.0))
    assert np.abs(np.diff(y, axis=0)).max() < 2e-3  # it is there when the motion begins
    assert y[0, 0, 2, 1] < -0.15
    half = run(lying, 30.0, gravity, options=SwingOptions(stiffness=1.0, gravity=0.3))
    assert 0.1 * y[0, 0, 2, 1] > half[0, 0, 2, 1] > 0.7 * y[0, 0, 2, 1]


def wave(rate: float, seconds: float = 2.0) -> FloatArray:
    t = np.arange(round(rate * seconds) + 1) / rate
    return np.stack([0.1 * np.sin(6 * t), 0.03 * np.sin(9 * t), 0.08 * np.sin(4 * t + 1)], -1)


def test_the_frame_rate_does_not_matter() -> None:
    coarse, fine = (run(hanging(wave(rate), 4, 0.4), rate) for rate in (24.0, 96.0))
    assert np.abs(coarse - fine[::4]).max() < 0.06 * np.abs(fine).max()
    usual, fine = (run(hanging(wave(rate), 4, 0.4), rate) for rate in (60.0, 120.0))
    assert np.abs(usual - fine[::2]).max() < 0.02 * np.abs(fine).max()


def test_the_same_motion_gives_the_same_bits() -> None:
    targets = hanging(wave(30.0), 4, 0.4)
    assert (run(targets, 30.0) == run(targets, 30.0)).all()


def test_links_keep_their_lengths_and_bend_no_further_than_allowed() -> None:
    targets = hanging(6 * wave(30.0), 4, 0.4)
    y = run(targets, 30.0, chains=chains(1, 4, max_bend=0.6))
    links = np.diff(targets + y, axis=2)
    rest = np.diff(targets, axis=2)
    assert np.linalg.norm(links, axis=-1) == pytest.approx(np.linalg.norm(rest, axis=-1), rel=1e-6)
    cosine = (links * rest).sum(-1) / (np.linalg.norm(links, axis=-1) ** 2)
    assert np.arccos(cosine.min()) == pytest.approx(0.6, abs=1e-3)


def test_nodes_stay_out_of_capsules_unless_their_targets_are_inside() -> None:
    targets = hanging(3 * wave(30.0), 4, 0.4)
    frames = len(targets)
    beside = targets[:, 0, 0] + [0.11, 0.0, 0.0]  # goes along, a centimetre off the chain
    capsules = Capsules(
        np.stack([beside, targets[:, 0, 3]], 1),
        np.stack([beside - [0.0, 1.0, 0.0], targets[:, 0, 3]], 1),
        np.array([0.1, 0.05]),
    )
    free = run(targets, 30.0)
    assert (free[:, 0, 1:, 0]).max() > 0.03
    y = run(targets, 30.0, capsules=capsules)
    off = targets[:, 0, 1:] + y[:, 0, 1:] - beside[:, None]
    assert np.hypot(off[..., 0], off[..., 2]).min() > 0.1 - 2e-3
    assert np.isfinite(y).all()
    still = np.repeat(targets[:1], frames, 0)
    starts, ends = (np.repeat(part[:1], frames, 0) for part in (capsules.starts, capsules.ends))
    inside = Capsules(starts, ends, np.array([0.3, 0.2]))
    assert (run(still, 30.0, capsules=inside) == 0.0).all()


def test_a_loop_closes_and_a_cut_starts_afresh() -> None:
    t = np.linspace(0.0, 2 * np.pi, 31)
    loop = hanging(0.1 * np.stack([np.sin(t), 0 * t, np.cos(t)], -1), 3, 0.3)
    y = run(loop, 30.0, cyclic=True)
    assert np.abs(y[0] - y[-1]).max() < 0.01 * np.abs(y).max()
    assert np.abs(run(loop, 30.0)[-1] - y[-1]).max() > 0.05 * np.abs(y).max()
    far = loop + np.array([5.0, 0.0, 0.0])
    away = np.concatenate([loop, far])
    shot = np.repeat([0, 1], 31)
    assert (run(away, 30.0, shot=shot)[31:] == run(far, 30.0)).all()


def test_a_neighbour_pulls_along() -> None:
    targets = np.repeat(hanging(wave(30.0), 3, 0.3), 2, 1)
    targets[:, 1] = targets[:1, 1]
    alone = run(targets, 30.0)
    assert (alone[:, 1] == 0.0).all()
    pulled = run(targets, 30.0, chains=Chains(np.zeros((2, 3)), 1.0 - np.eye(2)))
    assert np.abs(pulled[:, 1]).max() > 0.002


def test_options_out_of_range_are_named() -> None:
    with pytest.raises(LikenessError, match="stiffness"):
        SwingOptions(stiffness=0.0)
