"""The stages: whole runs with tiny models, kills, what is refused; no network, no GPU."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from likeness.addon.workers.plan import PoolConfig
from likeness.addon.workers.pool import WorkerPool, pool_worker_command
from likeness.engine.core.types import Camera, LikenessError
from likeness.engine.dataset.cards import iterate_stored
from likeness.engine.dataset.subjects import Subject, SubjectView, encode_rgba
from likeness.engine.generative import stage_makers
from likeness.engine.generative.clip_generation import VideoOptions
from likeness.engine.generative.generate_run import STAGES, GenerateResult, resolve_stages
from likeness.engine.generative.generate_run import generate_people as run_stages
from likeness.engine.generative.models import Placement
from likeness.engine.generative.options import GenerateOptions, parse_options
from likeness.engine.generative.prompt_store import PromptStore, lock_store
from likeness.engine.generative.quality_filters import RejectedSampleError
from likeness.engine.generative.rewrite import RewriteOptions
from likeness.engine.generative.stage_makers import open_stage
from likeness.engine.generative.view_editing import SIDES, EditOptions
from likeness.engine.workflows.executor import Executor, FatalWorkerError

from ..workflows.batch.bench import Bench

BASE = GenerateOptions(
    prompts=3,
    placement=Placement("cpu", "float32", allow_download=False),
    rewriting=RewriteOptions(batch=2, max_new_tokens=4),
    video=VideoOptions(64, 64, 5, steps=1),
    edit=EditOptions(steps=1, guidance=1.0),
    frames=2,
    size=32,
    per_shard=2,
)


def here(request: Mapping[str, Any]) -> Executor:
    """A worker in this process, told what goes through JSON between processes."""
    return Bench(open_stage(json.loads(json.dumps(request))))


def generate(
    data: Path, options: GenerateOptions, stages: Sequence[str] = STAGES, **more: Any
) -> GenerateResult:
    return run_stages(data, options, stages, executor=here, **more)


def subject_of(key: str, number: int) -> Subject:
    rgba = np.full((32, 32, 4), 0.1 + 0.05 * number, np.float32)
    rgba[..., 3] = 1.0
    views = tuple(
        SubjectView(
            name,
            0,
            "front",
            0.0,
            Camera(np.eye(4), np.eye(3) * 30, 32, 32),
            False,
            encode_rgba(rgba),
        )
        for name in ("frame_00", "left")
    )
    facts = {"reference": "frame_00", "number": number, "factors": {"age": "older"}}
    return Subject(
        key,
        "generated",
        "half",
        0,
        np.zeros(2),
        np.zeros((1, 55, 3)),
        np.zeros((1, 3)),
        np.zeros((1, 4)),
        views,
        facts,
    )


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Models and tracker that take no time; what each was asked for, by number."""
    asked: dict[str, list[int]] = {"rewrite": [], "film": [], "edit": [], "track": []}

    def language(*given: Any) -> tuple[Callable[..., list[str]], dict[str, Any]]:
        def complete(scenes: Sequence[str], seed: int) -> list[str]:
            asked["rewrite"] += [len(scenes)]
            return [scene + " A plain wall lies behind." for scene in scenes]

        return complete, {"model": "words"}

    def film(prompt: Any) -> np.ndarray:
        asked["film"].append(prompt.number)
        return np.full((5, 64, 64, 3), 40 + prompt.number, np.uint8)

    def edit(picture: Any, text: str, seed: int) -> Any:
        asked["edit"].append(seed)
        return picture

    def make(prompt: Any, clip: Path, reference: int, turned: Any, *rest: Any) -> Any:
        asked["track"].append(prompt.number)
        assert clip.is_file()
        assert sorted(turned) == sorted(SIDES)
        assert all(path.is_file() for path in turned.values())
        if prompt.number == 1:
            raise RejectedSampleError("hands", "none of 2")
        return subject_of(prompt.key, prompt.number), ["left: azimuth: 3 degrees"]

    monkeypatch.setattr(stage_makers, "missing_requirements", lambda *given: [])
    monkeypatch.setattr(stage_makers, "open_language_model", language)
    monkeypatch.setattr(stage_makers, "open_video_model", lambda *given: (film, {"model": "film"}))
    monkeypatch.setattr(
        stage_makers, "open_editing_model", lambda *given: (edit, {"model": "edit"})
    )
    monkeypatch.setattr(
        stage_makers, "choose_reference", lambda clip, *given: (2, np.zeros((64, 64, 3)))
    )
    monkeypatch.setattr(stage_makers, "make_tracked_subject", make)
    monkeypatch.setattr(stage_makers, "open_detectors", lambda: None)
    monkeypatch.setattr(stage_makers, "load_fitting_body", lambda path: None)
    return asked


def contents(data: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(data)): path.read_bytes()
        for path in sorted(data.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def test_a_whole_run(tmp_path: Path, stand_ins: dict[str, list[int]]) -> None:
    data = tmp_path / "data"
    outcome = generate(data, BASE)
    assert outcome.figures["accepted"] == 2
    assert outcome.figures["rejected"] == {"hands": 1}
    assert [path.name for path in outcome.shards] == ["shard-000000.tar", "shard-000001.tar"]
    stored = list(iterate_stored(data))
    assert [s.key for s in stored] == ["generated_000000", "generated_000002"]
    assert stored[0].about["facts"]["left_out"] == ["left: azimuth: 3 degrees"]
    rejected = json.loads((data / "rejected.json").read_text())
    assert rejected["prompts"]["generated_000001"] == {
        "stage": "shards",
        "reason": "hands",
        "detail": "none of 2",
    }
    card = json.loads((data / "card.json").read_text())
    assert (card["subjects"], card["rejected"]) == (2, {"hands": 1})
    assert (data / "contact.jpg").is_file()
    lines = [json.loads(line) for line in (data / "prompts.jsonl").read_text().splitlines()]
    assert all(line["text"].endswith("A plain wall lies behind.") for line in lines)
    assert stand_ins["rewrite"] == [2, 1]
    assert stand_ins["film"] == [0, 1, 2]
    assert len(set(stand_ins["edit"])) == 9

    before = contents(data)
    generate(data, BASE)
    assert contents(data) == before
    assert stand_ins["film"] == [0, 1, 2]  # nothing twice


def test_more_prompts_go_on(tmp_path: Path, stand_ins: dict[str, list[int]]) -> None:
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    generate(grown, replace(BASE, prompts=2))
    generate(grown, replace(BASE, prompts=6))
    assert stand_ins["film"] == [0, 1, 2, 3, 4, 5]
    generate(whole, replace(BASE, prompts=6))
    shards = [{k: v for k, v in contents(d).items() if k.endswith("tar")} for d in (grown, whole)]
    assert shards[0] == shards[1]


def test_a_kill_at_any_file_loses_nothing(
    tmp_path: Path, stand_ins: dict[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped at every file it writes in turn, a run ends with what one without stops makes."""
    generate(tmp_path / "whole", BASE)
    data, kills = tmp_path / "killed", 0
    replaced = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if Path(target).name[0] != "." and Path(target) not in survived:
            survived.add(Path(target))
            raise KeyboardInterrupt
        return replaced(self, target)

    survived: set[Path] = set()
    monkeypatch.setattr(Path, "replace", killed)
    for _ in range(100):
        try:
            generate(data, BASE)
        except KeyboardInterrupt:
            kills += 1
        else:
            break
    assert kills > 20
    assert contents(data) == contents(tmp_path / "whole")


def test_a_scene_that_fails_is_given_up_and_tried_by_the_next_run(
    tmp_path: Path, stand_ins: dict[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    film = stage_makers.open_video_model("", BASE.placement, BASE.video)[0]

    def blind(prompt: Any) -> np.ndarray:
        if prompt.number == 0:
            raise LikenessError("The clip is dark.", "Put on a light.")
        return film(prompt)

    monkeypatch.setattr(stage_makers, "open_video_model", lambda *given: (blind, {"model": "film"}))
    outcome = generate(tmp_path / "data", BASE)
    assert outcome.given_up == {0: "The clip is dark. Put on a light."}
    assert (outcome.figures["accepted"], outcome.figures["rejected"]) == (1, {"hands": 1})
    monkeypatch.setattr(stage_makers, "open_video_model", lambda *given: (film, {"model": "film"}))
    outcome = generate(tmp_path / "data", BASE)
    assert (outcome.given_up, outcome.figures["accepted"]) == ({}, 2)
    generate(tmp_path / "whole", BASE)
    assert contents(tmp_path / "data") == contents(tmp_path / "whole")


def test_a_full_disk_ends_it(
    tmp_path: Path, stand_ins: dict[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> None:
        raise LikenessError("Cannot write: no space left.", "Make room.")

    monkeypatch.setattr(stage_makers, "write_clip", full)
    with pytest.raises(FatalWorkerError, match="no space left"):
        generate(tmp_path / "data", BASE)


def test_options_come_to_workers_as_they_are(tmp_path: Path) -> None:
    poses = (str(tmp_path / "{name}.npz"),)
    for options in (
        BASE,
        replace(BASE, vocabulary=tmp_path, models={"views": "other"}),
        replace(BASE, estimator=poses, smplx=str(tmp_path / "smplx.npz")),
    ):
        assert parse_options(json.loads(json.dumps(options.as_json()))) == options
    other = replace(BASE, body="mine.npz")
    assert other.fixed(["shards"])["shards"]["body"] == "mine.npz"
    assert Path(other.as_json()["body"]).is_absolute()
    assert "body" not in BASE.fixed(["shards"])["shards"]  # older sets go on
    assert "estimator" not in BASE.fixed(["shards"])["shards"]  # older sets go on
    assert options.fixed(["shards"])["shards"]["estimator"] == ["{name}.npz"]


def test_stages_one_by_one(tmp_path: Path, stand_ins: dict[str, list[int]]) -> None:
    data = tmp_path / "data"
    assert generate(data, BASE, ("prompts",)).shards == []
    assert not any(stand_ins.values())
    for stage, before in (("videos", "rewrite"), ("views", "videos"), ("shards", "views")):
        with pytest.raises(LikenessError, match=f"not been through the stage '{before}'"):
            generate(data, BASE, (stage,))
        generate(data, BASE, (before,))
    assert len(generate(data, BASE, ("shards",)).shards) == 2
    assert resolve_stages("all") == STAGES
    with pytest.raises(LikenessError, match="stage 'video'"):
        resolve_stages("video")


def test_without_rewriting(tmp_path: Path, stand_ins: dict[str, list[int]]) -> None:
    generate(tmp_path / "data", replace(BASE, rewrite=False))
    assert stand_ins["rewrite"] == []
    assert stand_ins["film"] == [0, 1, 2]


def test_other_options_are_refused(tmp_path: Path, stand_ins: dict[str, list[int]]) -> None:
    data = tmp_path / "data"
    generate(data, BASE, ("prompts", "rewrite"))
    with pytest.raises(LikenessError, match="begun with seed 0, not 5"):
        generate(data, replace(BASE, seed=5), ("prompts",))
    with pytest.raises(LikenessError, match="begun with model"):
        generate(data, replace(BASE, models={"rewrite": "other"}), ("rewrite",))
    # What has not begun may still be chosen.
    generate(data, replace(BASE, video=VideoOptions(32, 32, 5)), ("videos",))


def test_one_run_at_a_time(tmp_path: Path, stand_ins: dict[str, list[int]]) -> None:
    with (
        lock_store(tmp_path / "data"),
        pytest.raises(LikenessError, match="Another run is in progress"),
    ):
        generate(tmp_path / "data", BASE)


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(LikenessError, match="Cannot write to"):
        PromptStore(tmp_path / "data")


def test_all_that_is_missing_is_said_before(tmp_path: Path) -> None:
    """The real look at this computer: nothing is begun."""
    options = replace(BASE, models={k: str(tmp_path / k) for k in ("rewrite", "videos", "views")})
    with pytest.raises(LikenessError, match="This cannot start") as error:
        generate(tmp_path / "data", options)
    assert str(error.value).count(str(tmp_path)) == 3
    assert not (tmp_path / "data").exists()


def test_tiny_models_from_prompt_to_rejection(tmp_path: Path, tiny: SimpleNamespace) -> None:
    """The real models' code from end to end. They film noise, in which nobody is found. The first
    of them is in a worker process, as the command has all of them."""
    pytest.importorskip("diffusers")

    def executor(request: Mapping[str, Any]) -> Executor:
        if request["stage"] != "rewrite":
            return here(request)
        return WorkerPool(request, PoolConfig(threads=1), pool_worker_command("generate-worker"))

    models = {
        "rewrite": str(tiny.language_model(tmp_path / "words")),
        "videos": str(tiny.video_pipeline(tmp_path / "film")),
        "views": str(tiny.editing_pipeline(tmp_path / "edit")),
    }
    said: list[str] = []
    options = replace(BASE, prompts=1, models=models)
    outcome = run_stages(tmp_path / "data", options, executor=executor, say=said.append)
    assert outcome.shards == []
    assert outcome.figures["rejected"] == {"nobody": 1}
    assert any("1 of 1 scenes stay as composed" in line for line in said)
    assert any(line.startswith("videos: '") and "on the CPU" in line for line in said)
    store = PromptStore(tmp_path / "data")
    about = json.loads((store.data / "work" / "clips" / "generated_000000.json").read_text())
    assert about["model"] == "film"
    assert about["steps"] == 1
