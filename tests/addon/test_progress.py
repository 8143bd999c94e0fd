"""How far a job is, how long it will take, and what its report tells."""

from __future__ import annotations

import pytest
from likeness.addon.problem_report import format_request, problem_report, strip_folders
from likeness.addon.time_estimate import TimeEstimate

STAGES = {"a": 2.0, "b": 6.0, "c": 2.0}


def at_speed(speed: float, told: bool) -> list[tuple[float, float, float]]:
    """(seconds, fraction, remaining) of a job ``speed`` times as slow as the table says."""
    estimate, out, now = TimeEstimate(STAGES, 100.0), [], 0.0
    for stage, seconds in STAGES.items():
        steps = round(10 * seconds * speed)
        for k in range(steps):
            estimate.take(stage, k / steps if told else 0.0, 100.0 + now)
            out.append((now, estimate.fraction, estimate.remaining or 0.0))
            now += 0.1
    return out


@pytest.mark.parametrize("speed", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("told", [True, False])
def test_progress_never_falls_and_the_end_is_foreseen(speed: float, told: bool) -> None:
    seen = at_speed(speed, told)
    fractions = [fraction for _, fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.05
    assert fractions[-1] > 0.9
    total = 10.0 * speed
    for now, _, remaining in seen[2 * len(seen) // 3 :]:
        assert abs(now + remaining - total) < max(0.35 * total, 4.0)


def test_waiting_for_the_user_is_no_work() -> None:
    estimate = TimeEstimate(STAGES, 0.0)
    estimate.take("a", 0.5, 1.0)
    before = estimate.remaining
    estimate.pause(1.0)
    estimate.pause(50.0)
    estimate.take("a", 0.5, 101.0)
    assert before is not None
    assert estimate.remaining == pytest.approx(before, abs=0.1)


def test_a_task_without_a_table() -> None:
    estimate = TimeEstimate({}, 0.0)
    estimate.take("frames", 0.0, 1.0)
    assert estimate.remaining is None
    estimate.take("frames", 0.25, 10.0)
    assert estimate.fraction == 0.25
    assert estimate.remaining == pytest.approx(30.0, abs=1.0)
    estimate.take("unheard of", 0.2, 11.0)
    assert estimate.fraction == 0.25


def test_reports_tell_names_of_files_alone() -> None:
    request = {
        "task": "build",
        "portrait": "/home/ann b/Family photos (2024)/me.jpg",
        "body": None,
        "others": [{"path": "C:\\Users\\Ann\\back.png", "direction": "back"}],
        "options": {"fov": 40.0},
    }
    log = [
        'File "/home/ann b/.config/blender/5.0/extensions/likeness/engine/a.py", line 3',
        "cannot open /home/ann b/Family photos (2024)/me.jpg, sorry",
        "see C:\\\\Users\\\\Ann\\\\back.png and /opt/secret/place.txt",
    ]
    report = problem_report(
        "Cannot read '/home/ann b/Family photos (2024)/me.jpg'.",
        "",
        request,
        "fit",
        log,
        {"Blender": "5.0"},
    )
    for private in ("ann b", "Family", "Users", "secret"):
        assert private not in report, report
    for kept in ("me.jpg", "back.png", "place.txt", "Blender: 5.0", '"fov": 40.0', "Stage: fit"):
        assert kept in report
    assert format_request({"a": ["x/y z/q"]}) == '{"a": ["q"]}'


def test_plain_text_stays() -> None:
    text = "Use 1/2 of it and/or more: 3 % off, see a/b."
    assert strip_folders(text) == text
