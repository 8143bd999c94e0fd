"""The question whether a fit is right, and the answers to it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import LikenessError, Observation, Portrait, Pose, Track
from likeness.engine.pipeline.track import TrackedPortrait
from likeness.engine.workflows.fit_check import (
    draw_fit,
    find_doubts,
    load_shown_fit,
    make_fit_check,
)
from likeness.engine.workflows.worker import build
from likeness.engine.workflows.worker.main import Channel


@pytest.fixture(scope="module")
def tracked() -> TrackedPortrait:
    body = make_synthetic_body()
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0, 0.2, -3.0]))
    track = Track(
        np.zeros(body.num_betas), pose, photo_camera(1500, 800, 1000), "full", np.ones(55), None, 3
    )
    boxes = np.array([[10.0, 200, 300, 900], [310, 100, 700, 990]])
    seen = Observation(
        np.full((33, 2), 50.0),
        np.ones(33),
        np.zeros((33, 3)),
        np.ones((1000, 800), np.float32),
        person_index=1,
        num_people=2,
        people=boxes,
        warnings=("2 people were found",),
    )
    photo = Portrait(np.full((1000, 800, 3), 0.5, np.float32), None, Path("a.png"))
    return TrackedPortrait(photo, seen, track, body, "assumed")


def test_picture_shows_the_body_and_everybody_framed(tracked: TrackedPortrait) -> None:
    picture = draw_fit(tracked)
    assert picture.shape == (640, 512, 3)
    assert np.abs(picture - 0.5).max(2)[200:400, 200:300].mean() > 0.05, "no body"
    alone = replace(tracked.observation, num_people=1, people=tracked.observation.people[1:])
    without = draw_fit(replace(tracked, observation=alone))
    changed = np.abs(picture - without).max(2) > 0.02
    assert changed[:, int(10 * 0.64)].sum() > 300, "no frame around the first"


def test_what_is_in_doubt(tracked: TrackedPortrait) -> None:
    seen = replace(tracked.observation, num_people=1, warnings=())
    alone = replace(tracked, observation=seen)
    off = replace(alone.track, pose_error=51.2)
    assert find_doubts(tracked, None) == ["2 people were found"]
    assert find_doubts(tracked, 1) == []
    assert find_doubts(alone, None) == []
    (said,) = find_doubts(replace(alone, track=off), None)
    assert "10 %" in said
    assert find_doubts(replace(alone, track=replace(alone.track, warnings=("odd",))), None) == [
        "odd"
    ]
    head = replace(alone, track=replace(off, framing="head"))
    assert find_doubts(head, None) == [], "a head portrait's shoulders do not count"


def test_a_question_says_its_reason(tracked: TrackedPortrait, tmp_path: Path) -> None:
    questions: list[dict[str, Any]] = []

    def ask(kind: str, **content: Any) -> dict[str, Any]:
        questions.append(content)
        return {"answer": "continue"}

    check = make_fit_check(ask, "doubt", None, tmp_path, never_told)
    assert check is not None
    alone = replace(tracked.observation, num_people=1, warnings=())
    off = replace(tracked.track, pose_error=51.2)
    check([replace(tracked, observation=alone, track=off)])
    assert len(questions[0]["warnings"]) == 1
    assert "10 %" in questions[0]["warnings"][0]


def never_told(kind: str, **content: Any) -> None:
    raise AssertionError("told")


def test_answers(tracked: TrackedPortrait, tmp_path: Path) -> None:
    answers: list[dict[str, Any]] = []
    questions: list[dict[str, Any]] = []

    def ask(kind: str, **content: Any) -> dict[str, Any]:
        questions.append({"kind": kind, **content})
        return answers.pop(0)

    check = make_fit_check(ask, "doubt", None, tmp_path, never_told)
    assert check is not None
    answers[:] = [{"answer": "person", "index": 1}]
    change = check([tracked])
    assert change is not None
    assert (change.person, change.adjustment) == (1, None)
    assert (questions[0]["kind"], questions[0]["people"], questions[0]["person"]) == ("fit", 2, 2)
    assert Path(questions[0]["picture"]).is_file()
    shown = load_shown_fit(Path(questions[0]["fit"]))
    np.testing.assert_array_equal(shown.landmarks, tracked.observation.pose)
    np.testing.assert_allclose(shown.avatar.pose.transl, tracked.track.pose.transl)

    sure = replace(tracked, observation=replace(tracked.observation, num_people=1))
    answers[:] = [{"answer": "adjust", "landmarks": {"nose": [1, 2]}}]
    change = check([sure])  # asked once, it asks again
    assert change is not None
    assert change.adjustment is not None
    assert list(change.adjustment.landmarks) == [0]
    answers[:] = [{"answer": "continue"}]
    assert check([sure]) is None
    for bad in (
        {"answer": "person", "index": 3},
        {"answer": "person", "index": 0},
        {"answer": "what"},
        {},
    ):
        answers[:] = [bad]
        with pytest.raises(LikenessError):
            check([sure])


def test_ways(tracked: TrackedPortrait, tmp_path: Path) -> None:
    def never(kind: str, **content: Any) -> dict[str, Any]:
        raise AssertionError("asked")

    seen: list[tuple[str, bool]] = []

    def tell(kind: str, picture: str) -> None:
        seen.append((kind, Path(picture).is_file()))

    assert make_fit_check(never, "never", None, tmp_path, tell) is None
    check = make_fit_check(never, "doubt", 1, tmp_path, tell)
    assert check is not None
    assert check([tracked]) is None
    assert seen == [("seen", True)]  # nobody is asked, but the picture can be looked at
    with pytest.raises(LikenessError, match="sometimes"):
        make_fit_check(never, "sometimes", None, tmp_path, tell)


def test_the_picture_of_a_sure_fit_may_be_drawn_later(
    tracked: TrackedPortrait, tmp_path: Path
) -> None:
    seen: list[bool] = []
    later: list[Callable[[], None]] = []

    def tell(kind: str, picture: str) -> None:
        seen.append(Path(picture).is_file())

    check = make_fit_check(tell, "doubt", 1, tmp_path, tell, later.append)
    assert check is not None
    assert check([tracked]) is None
    assert not seen
    assert not list(tmp_path.iterdir())
    for draw in later:
        draw()
    assert seen == [True]


def test_a_build_that_fails_waits_for_the_picture(
    tracked: TrackedPortrait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing may follow the error, and the picture's folder goes."""
    surely = replace(tracked, observation=replace(tracked.observation, num_people=1, warnings=()))

    def fail(*arguments: Any, check: Any, **options: Any) -> None:
        assert check([surely]) is None
        raise LikenessError("The disk is full.")

    monkeypatch.setattr("likeness.engine.workflows.build_files.build_to_folder", fail)
    wanted = {"portrait": "a.png", "output": "out", "scene": str(tmp_path / "scene.npz")}
    lines = io.StringIO()
    with pytest.raises(LikenessError, match="full"):
        build.run({**build.DEFAULTS, **wanted, "confirm": "doubt"}, Channel(lines))
    assert json.loads(lines.getvalue())["type"] == "seen"
    assert not list(tmp_path.iterdir())
