"""Files written by version 0.1.0, before the code was laid out anew, open as they did."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.dataset.shards import read_subjects, shard_files
from likeness.engine.formats.avatar import load_avatar
from likeness.engine.gaussians import pose_avatar
from likeness.engine.motion.io import load_motion
from likeness.engine.motion.pose_file import load_pose
from likeness.engine.workflows.batch.batch_folder import is_result, open_batch_folder

FILES = Path(__file__).parent / "version_0_1"

IN_BLENDER = """
import json, sys
import bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
from likeness.addon.scene.avatar_objects import find_avatars
from likeness.addon.scene.read_back import read_avatar
(found,) = find_avatars(bpy.context.scene)
again = read_avatar(found)
print(json.dumps({"count": len(again.gaussians), "betas": again.body.num_betas}))
"""


def test_an_avatar_loads_and_poses() -> None:
    avatar = load_avatar(FILES / "avatar.safetensors")
    assert len(avatar.gaussians) == 200
    placed = pose_avatar(avatar, avatar.pose)
    assert np.isfinite(placed.means).all()


def test_a_motion_and_a_pose_load() -> None:
    body = load_avatar(FILES / "avatar.safetensors").body
    motion = load_motion(FILES / "motion.npz", body.num_expression)
    assert motion.full_pose.shape == (4, 55, 3)
    assert motion.frame_rate == 25.0
    pose = load_pose(FILES / "pose.npz", body.num_expression)
    assert pose.full_pose.shape == (55, 3)


def test_shards_load() -> None:
    body = load_avatar(FILES / "avatar.safetensors").body
    skipped: list[object] = []
    (shard,) = shard_files([FILES / "shards"], skipped.append)
    (subject,) = read_subjects(shard, body.num_betas, body.num_expression, skipped.append)
    assert not skipped
    assert subject.key == "box_000"
    assert [view.name for view in subject.views] == ["v0", "v1"]


def test_a_batch_folder_is_taken_up_again(tmp_path: Path) -> None:
    out = tmp_path / "batch"
    shutil.copytree(FILES / "batch", out)
    assert is_result(out / "anna")
    with open_batch_folder(out) as folder:
        events = [entry["event"] for entry in folder.history()]
    assert events == ["run", "done"]
    assert load_avatar(out / "anna" / "avatar.safetensors").gaussians is not None


def test_a_blend_file_is_recognised(tmp_path: Path) -> None:
    pytest.importorskip("bpy")
    blend = shutil.copy(FILES / "avatar.blend", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", IN_BLENDER, str(blend)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    # Blender's own lines may come before or after.
    (answer,) = (line for line in done.stdout.splitlines() if line.startswith("{"))
    assert json.loads(answer) == {"count": 200, "betas": 0}
