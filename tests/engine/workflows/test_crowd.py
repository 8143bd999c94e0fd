"""Crowds: who stands where, how many splats they show, and people light enough for one."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import Avatar, LikenessError
from likeness.engine.formats.avatar import load_avatar
from likeness.engine.motion.prepare_motion import PreparedMotion
from likeness.engine.scene.files import load_scene_steps, unpack_avatar
from likeness.engine.workflows.crowd import (
    STANDING,
    crowd_target,
    make_crowd_person,
    save_standing_poses,
)
from likeness.engine.workflows.crowd_plan import LEVELS, choose_level, draw_persons, plan_crowd
from likeness.engine.workflows.options import CrowdOptions
from likeness.engine.workflows.worker import crowd as worker_crowd
from scipy.spatial import cKDTree

from tests.engine.wardrobe.conftest import person, person_file

__all__ = ["person", "person_file"]


@pytest.mark.parametrize("layout", ["grid", "scattered"])
def test_a_seed_gives_the_same_crowd_and_nobody_is_in_anothers_way(layout: str) -> None:
    options = CrowdOptions(count=60, layout=layout, spacing=1.2, seed=4)
    members = plan_crowd(options, 4, 3)
    assert members == plan_crowd(options, 4, 3)
    assert members != plan_crowd(replace(options, seed=5), 4, 3)
    places = np.array([member.place for member in members])
    away = np.linalg.norm(places[:, None] - places[None], axis=-1) + 9.0 * np.eye(60)
    assert away.min() >= (1.2 if layout == "grid" else 0.62 * 1.2) - 1e-9
    assert np.abs(places.mean(0)).max() < 1.5
    assert np.ptp(places, axis=0).max() < 1.2 * 12
    assert max(abs(member.turn) for member in members) <= np.radians(30.0)


def test_a_thousand_people_are_scattered_at_once() -> None:
    """Each place was compared with all others, which took a second while Blender waited."""
    begun = time.process_time()
    members = plan_crowd(CrowdOptions(count=1000, spacing=1.5), 4, 3)
    assert time.process_time() - begun < 0.3
    near, _ = cKDTree([member.place for member in members]).query(
        [member.place for member in members], 2
    )
    assert near[:, 1].min() >= 0.62 * 1.5 - 1e-9


def test_people_motions_and_times_are_mixed() -> None:
    members = plan_crowd(CrowdOptions(count=60), 4, 3)
    assert set(Counter(member.person for member in members).values()) == {15}
    assert set(Counter(member.motion for member in members).values()) == {20}
    assert len({(member.person, member.motion) for member in members}) >= 9
    assert all(a.person != b.person for a, b in pairwise(members))
    assert len({member.offset for member in members}) == 60
    assert all(0.9 < member.speed < 1.1 for member in members)
    assert len(plan_crowd(CrowdOptions(count=3), 7, 1)) == 3


def test_the_seed_draws_who_is_in_a_small_crowd() -> None:
    assert draw_persons(CrowdOptions(count=5), 3) == [0, 1, 2]
    drawn = [draw_persons(CrowdOptions(count=5, seed=seed), 40) for seed in range(80)]
    assert drawn[3] == draw_persons(CrowdOptions(count=5, seed=3), 40)
    assert all(len(set(one)) == 5 and one == sorted(one) for one in drawn)
    often = Counter(number for one in drawn for number in one)
    assert set(often) == set(range(40))
    assert max(often.values()) <= 25  # of 10 on average


def test_far_people_show_fewer_splats() -> None:
    shares = [choose_level(distance, 5.0) for distance in (0.0, 5.0, 6.0, 8.0, 12.0, 500.0)]
    assert shares == [1.0, 1.0, 1.0, 0.5, 0.25, LEVELS[-1]]
    assert choose_level(100.0, float("inf")) == 1.0


@pytest.mark.parametrize("wrong", [{"count": 0}, {"splats": 5}, {"layout": "circle"}])
def test_wrong_options_are_named(wrong: dict[str, object]) -> None:
    (name,) = wrong
    with pytest.raises(LikenessError, match=name):
        CrowdOptions(**wrong)  # type: ignore[arg-type]


def test_a_person_keeps_the_photos_expression_and_stands_at_rest(person: Avatar) -> None:
    smiling = replace(person, pose=person.pose.with_joints(left_elbow=[0, -1, 0]))
    smiling.pose.expression[person.body.expression_index["jawOpen"]] = 0.5
    made = make_crowd_person(smiling, 1000)
    assert made.splats.colors.shape[0] == 1000
    body = made.avatar.body
    assert body.num_expression == 0
    moved = np.asarray(body.v_template) - person.body.v_template
    wanted = 0.5 * person.body.exprdirs[:, :, person.body.expression_index["jawOpen"]]
    np.testing.assert_allclose(moved, wanted, atol=1e-6)
    assert not made.avatar.pose.full_pose.any()
    again = unpack_avatar(made.kept, "test")
    np.testing.assert_allclose(again.body.v_template, body.v_template, atol=1e-3)


def test_standing_poses_stand_on_the_floor_below_the_pelvis(person: Avatar, tmp_path) -> None:  # type: ignore[no-untyped-def]
    body = make_crowd_person(person, 1000).avatar.body
    target = crowd_target(body)
    files = save_standing_poses(body, tmp_path)
    assert [file.stem for file in files] == list(STANDING)
    for file in files:
        motion = PreparedMotion.load(file)
        assert len(motion) == 1
        pose = replace(
            person.pose,
            full_pose=motion.full_pose[0],
            transl=motion.transl[0],
            expression=np.zeros(0),
        )
        vertices, joints = body.vertices(pose)
        assert np.asarray(vertices)[:, 1].min() == pytest.approx(target.floor, abs=1e-4)
        np.testing.assert_allclose(joints[0, [0, 2]], target.pelvis[[0, 2]], atol=1e-6)


def test_avatar_files_are_read_with_their_sliders(person_file) -> None:  # type: ignore[no-untyped-def]
    assert len(make_crowd_person(load_avatar(person_file), 500).splats) == 500


def test_motions_of_any_name_are_kept_apart(person_file: Path, tmp_path: Path) -> None:
    """A motion named scene.npz replaced the person, and equal names replaced each other."""
    rng = np.random.default_rng(0)
    motions = [tmp_path / folder / "scene.npz" for folder in ("slow", "fast")]
    for path, size in zip(motions, (0.1, 0.5), strict=True):
        path.parent.mkdir()
        np.savez(path, body_pose=size * rng.normal(size=(8, 63)), fps=24.0)
    request = {"avatars": [str(person_file)], "motions": list(map(str, motions)), "splats": 500}
    request |= {"output": str(tmp_path / "out")}
    done = worker_crowd.run({**worker_crowd.DEFAULTS, **request}, SilentChannel())  # type: ignore[arg-type]
    (made,) = done["people"]
    assert [title for title, _ in made["motions"]] == ["scene", "scene"]
    poses = [PreparedMotion.load(Path(file)).full_pose for _, file in made["motions"]]
    assert np.abs(poses[0] - poses[1]).max() > 0.1
    with np.load(made["scene"]) as scene:
        assert "full_pose" not in scene
    assert list(load_scene_steps(Path(made["scene"])))


class SilentChannel:
    """A channel that nobody reads."""

    def progress(self, stage: str, fraction: float, message: str) -> None: ...
