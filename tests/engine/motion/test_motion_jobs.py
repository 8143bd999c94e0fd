"""The worker's tasks about motions, as Blender asks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.rotations import axis_angle_to_matrix
from likeness.engine.core.types import NUM_JOINTS, LikenessError
from likeness.engine.motion.io import load_motion
from likeness.engine.motion.placing import TargetAvatar, joints_over_time
from likeness.engine.motion.prepare_motion import PreparedMotion
from likeness.engine.motion.recording import turns_to_poses
from likeness.engine.workflows.worker import export_motion, motion, track
from likeness.engine.workflows.worker.main import parse_request
from likeness.engine.workflows.worker.registry import TASKS

FRAMES = 8


class Deaf:
    """A channel that nobody reads."""

    def progress(self, *stage: Any) -> None: ...


def target() -> TargetAvatar:
    body = make_synthetic_body()
    joints = np.asarray(body.J_template, np.float64)
    sole = float(body.v_template[:, 1].min())
    return TargetAvatar(
        joints, sole, joints[0], np.array([0.0, 0, 1.0]), sole, ("jawOpen", "smile")
    )


def ask(job: Any, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = job.run({**job.DEFAULTS, **request}, Deaf())
    return answer


def test_the_tasks_are_known() -> None:
    assert {"motion", "track", "export_motion"} <= set(TASKS)
    with pytest.raises(LikenessError, match="target"):
        parse_request('{"task": "motion", "motion": "a.npz", "output": "b.npz"}')


def test_a_file_is_made_ready(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "m.npz",
        body_pose=0.1 * rng.normal(size=(FRAMES, 63)),
        expression=rng.uniform(size=(FRAMES, 2)),
        fps=30.0,
    )
    wanted = {"frame_rate": 60.0, "place": "file"}
    done = ask(
        motion,
        motion=str(tmp_path / "m.npz"),
        output=str(tmp_path / "p.npz"),
        target=target().to_json(),
        options=wanted,
    )
    ready = PreparedMotion.load(Path(done["prepared"]))
    assert len(ready) == done["frames"] == 2 * FRAMES
    assert ready.frame_rate == 60
    assert ready.face
    assert ready.known[1:22].all()
    assert ready.known.sum() == 21  # no root, no hands, no face joints
    with pytest.raises(LikenessError, match="options"):
        ask(
            motion,
            motion=str(tmp_path / "m.npz"),
            output=str(tmp_path / "p.npz"),
            target=target().to_json(),
            options={"speed": 2},
        )
    with pytest.raises(LikenessError, match="avatar"):
        ask(motion, motion=str(tmp_path / "m.npz"), output="p.npz", target={"joints": [1]})


def test_a_recording_becomes_a_file_with_either_axis_up(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    joints = target().joints
    full_pose = 0.3 * rng.normal(size=(FRAMES, NUM_JOINTS, 3))
    transl = rng.normal(size=(FRAMES, 3))
    turns, heads = joints_over_time(full_pose, transl, joints)
    np.testing.assert_allclose(
        axis_angle_to_matrix(turns_to_poses(1.7 * turns)),
        axis_angle_to_matrix(full_pose),
        atol=1e-9,
    )
    np.savez(
        tmp_path / "r.npz",
        turns=turns,
        pelvis_at=heads[:, 0],
        joints=joints,
        expression=np.zeros((FRAMES, 2)),
        expression_names=["jawOpen", "smile"],
        frame_rate=24.0,
    )
    for up in ("y", "z"):
        ask(export_motion, recording=str(tmp_path / "r.npz"), output=str(tmp_path / "m.npz"), up=up)
        again = load_motion(tmp_path / "m.npz", 2)
        assert again.frame_rate == 24
        R, at = joints_over_time(again.full_pose, again.transl, joints)
        if up == "z":  # x, z, y with its sign: Blender's and AMASS's axes
            turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
            np.testing.assert_allclose(at, heads @ turn.T, atol=1e-5)
            np.testing.assert_allclose(R, turn @ turns, atol=1e-5)
        else:
            np.testing.assert_allclose(at, heads, atol=1e-5)
    with pytest.raises(LikenessError, match="npz"):
        ask(export_motion, recording=str(tmp_path / "r.npz"), output=str(tmp_path / "m.bvh"))


def test_tracking_that_cannot_begin(tmp_path: Path) -> None:
    for request, word in (
        ({"media": "no.mp4", "output": str(tmp_path / "m.npz")}, "no.mp4"),
        ({"media": "no.mp4", "output": "m.npz", "options": {"speed": 1}}, "options"),
        ({"media": "no.mp4", "output": "m.npz", "motion": {"speed": 1}}, "options"),
    ):
        with pytest.raises(LikenessError, match=word):
            ask(track, **request)
    assert list(tmp_path.iterdir()) == []
