"""The smoother against one dense solve of everything, and what it does to noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import FloatArray
from likeness.engine.tracking import smoothing
from likeness.engine.tracking.smoothing import FrameEvidence, Smoother, apply_step, step_between

JOINTS = 2
M = 3 + 3 * JOINTS + 2


def synthetic_frames(rng: np.random.Generator, count: int) -> list[FrameEvidence]:
    """Frames that know most directions well, and every third one nothing at all."""
    frames = []
    for t in range(count):
        A = rng.normal(size=(M + 2, M)) * (0.0 if t % 3 == 1 else 1.0)
        frames.append(
            FrameEvidence(
                rng.normal(0, 0.3, M),
                A.T @ A,
                A.T @ rng.normal(size=M + 2),
                rng.normal(size=(6, M)),
                rng.uniform(0.05, 0.2, M),
            )
        )
    return frames


def dense(frames: list[FrameEvidence], noise: float) -> FloatArray:
    """All frames in one system, plain squares."""
    T = len(frames)
    A, b = np.zeros((T * M, T * M)), np.zeros(T * M)
    for t, frame in enumerate(frames):
        rows = slice(t * M, (t + 1) * M)
        A[rows, rows] += frame.matrix
        b[rows] -= frame.gradient
    for t in range(1, T - 1):
        D = np.zeros((M, T * M))
        for shift, factor in ((-1, 1), (0, -2), (1, 1)):
            D[:, (t + shift) * M : (t + shift + 1) * M] = factor * np.eye(M)
        W = (frames[t].lever.T @ frames[t].lever + np.diag(frames[t].own ** 2)) / noise**2
        bend = step_between(frames[t].x, frames[t + 1].x, JOINTS) - step_between(
            frames[t - 1].x, frames[t].x, JOINTS
        )
        A += D.T @ W @ D
        b -= D.T @ W @ bend
    steps = np.linalg.solve(A, b).reshape(T, M)
    return np.array([apply_step(f.x, d, JOINTS) for f, d in zip(frames, steps)])


def run(smoother: Smoother, frames: list[FrameEvidence]) -> FloatArray:
    out: list[FloatArray] = []
    for frame in frames:
        out += smoother.add(frame)
    return np.array(out + smoother.finish())


def test_equals_a_dense_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "S", replace(smoothing.S, passes=1))
    frames = synthetic_frames(np.random.default_rng(0), 20)
    found = run(Smoother(JOINTS, 0.7, lag=30, batch=5), frames)
    np.testing.assert_allclose(found, dense(frames, 0.7), atol=1e-5)


def test_in_pieces_with_enough_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "S", replace(smoothing.S, passes=1))
    frames = synthetic_frames(np.random.default_rng(1), 40)
    smoother = Smoother(JOINTS, 1.5, lag=16, batch=4)
    out = []
    for frame in frames:
        out += smoother.add(frame)
        assert smoother.waiting < 20
    out += smoother.finish()
    np.testing.assert_allclose(np.array(out), dense(frames, 1.5), atol=0.02)


def test_steps_of_rotations() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1.5, M), rng.normal(0, 1.5, M)
    there = apply_step(a, step_between(a, b, JOINTS), JOINTS)
    np.testing.assert_allclose(there[[0, 1, 2, 9, 10]], b[[0, 1, 2, 9, 10]])
    np.testing.assert_allclose(
        axis_angle_to_matrix(there[3:9].reshape(2, 3)),
        axis_angle_to_matrix(b[3:9].reshape(2, 3)),
        atol=1e-12,
    )


def frame_at(x: FloatArray, sure: FloatArray) -> FrameEvidence:
    lever = np.zeros((6, M))
    lever[:3, :3] = lever[3:, 3:6] = np.eye(3)
    return FrameEvidence(x, np.diag(sure), np.zeros(M), lever, np.full(M, 0.05))


def test_turning_through_half_a_turn() -> None:
    """Axis-angle vectors jump from +pi to -pi; the motion does not."""
    angles = np.radians(np.linspace(150, 210, 13))
    frames = []
    for angle in angles:
        x = np.zeros(M)
        x[4] = angle if angle <= np.pi else angle - 2 * np.pi
        frames.append(frame_at(x, np.full(M, 100.0)))
    found = run(Smoother(JOINTS, 0.01), frames)
    front = axis_angle_to_matrix(found[:, 3:6]) @ np.array([0.0, 0.0, 1.0])
    turned = np.unwrap(np.arctan2(front[:, 0], front[:, 2]))
    np.testing.assert_allclose(turned, angles, atol=1e-6)


def test_unsure_directions_are_smoothed_and_sure_ones_kept() -> None:
    rng = np.random.default_rng(3)
    t = np.arange(60)
    sure = np.full(M, 1e3)
    sure[0], sure[2] = 1e6, 1e2  # across the picture, and depth
    truth = np.stack([0.1 * np.sin(t / 8), 0 * t, 0.1 * np.sin(t / 8)], 1)
    frames = []
    for k in range(60):
        x = np.zeros(M)
        x[:3] = truth[k] + rng.normal(0, 1, 3) / np.sqrt(sure[:3])
        frames.append(frame_at(x, sure))
    found = run(Smoother(JOINTS, 2e-3), frames)
    raw = np.array([frame.x for frame in frames])
    before, after = np.abs(raw[:, :3] - truth).mean(0), np.abs(found[:, :3] - truth).mean(0)
    assert after[2] < 0.5 * before[2]
    assert after[0] < 1.1 * before[0]
    bend = np.abs(np.diff(found[:, 2], 2)).mean()
    assert bend < 0.05 * np.abs(np.diff(raw[:, 2], 2)).mean()


def test_jumps_are_flattened_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand that is thrown up between two frames: large bends count linearly."""
    frames = []
    for k in range(30):
        x = np.zeros(M)
        x[1] = 0.0 if k < 15 else 0.3
        frames.append(frame_at(x, np.full(M, 4e3)))
    truth = np.array([frame.x[1] for frame in frames])
    robust = np.abs(run(Smoother(JOINTS, 3e-3), frames)[:, 1] - truth)
    monkeypatch.setattr(smoothing, "S", replace(smoothing.S, passes=1))
    plain = np.abs(run(Smoother(JOINTS, 3e-3), frames)[:, 1] - truth)
    assert robust.sum() < 0.95 * plain.sum()


def test_nothing_seen_is_bridged() -> None:
    frames = []
    for k in range(21):
        x = np.zeros(M)
        x[0] = 0.01 * k
        gap = 8 <= k < 13
        if gap:
            x[0] = 5.0  # whatever stands here
        frames.append(frame_at(x, np.full(M, 0.0 if gap else 1e4)))
    found = run(Smoother(JOINTS, 3e-3), frames)
    np.testing.assert_allclose(found[:, 0], 0.01 * np.arange(21), atol=1e-3)


def test_shots_are_apart() -> None:
    frames = synthetic_frames(np.random.default_rng(4), 12)
    smoother = Smoother(JOINTS, 0.7, lag=30, batch=5)
    first, second = run(smoother, frames[:6]), run(smoother, frames[6:])
    np.testing.assert_allclose(first, run(Smoother(JOINTS, 0.7, 30, 5), frames[:6]))
    np.testing.assert_allclose(second, run(Smoother(JOINTS, 0.7, 30, 5), frames[6:]))


def test_a_snapshot_goes_on_the_same() -> None:
    frames = synthetic_frames(np.random.default_rng(5), 30)
    smoother = Smoother(JOINTS, 0.7, lag=6, batch=4)
    out = []
    for frame in frames[:17]:
        out += smoother.add(frame)
    again = Smoother(JOINTS, 0.7, lag=6, batch=4)
    again.restore(smoother.snapshot(), frames[17 - smoother.waiting : 17])
    for frame in frames[17:]:
        out += again.add(frame)
    out += again.finish()
    np.testing.assert_array_equal(np.array(out), run(Smoother(JOINTS, 0.7, 6, 4), frames))
