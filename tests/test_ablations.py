"""The ablations' own arithmetic: verdicts that chance does not make, subsets within subsets."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from likeness.benchmarks.figures.ablation_report import (
    ABLATIONS,
    FIGURES,
    TrainingRun,
    compare_runs,
    format_markdown,
    summary,
)
from likeness.engine.dataset.shards import ShardWriter, Subject
from likeness.engine.dataset.stored_subjects import read_stored_subjects
from likeness.engine.training.config import TRAINING, with_settings

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def ablations() -> ModuleType:
    folder = str(ROOT / "benchmarks")
    sys.path.insert(0, folder)
    try:
        spec = importlib.util.spec_from_file_location("ablations", f"{folder}/ablations.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["ablations"] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(folder)


def run_of(name: str, psnr: float, noise: float = 0.0, people: int = 12) -> TrainingRun:
    """A run whose figures are about ``psnr``, each person's off by a number of their own."""
    rng = np.random.default_rng(len(name))
    own = np.random.default_rng(0).normal(0, 2, people)
    records = []
    for k in range(people):
        value = psnr + own[k] + noise * rng.normal()
        figures = {"psnr": value, "ssim": value / 40, "ms_ssim": value / 50}
        lift = {"psnr": 15.0, "ssim": 0.5, "ms_ssim": 0.5}
        records.append({"person": f"p{k}", "angle": "30-60", "lift": lift, "network": figures})
    return TrainingRun(name, records, 0.5, 1000, 10)


def test_each_form_has_its_own_ablations() -> None:
    fitting = {
        name: {key for key, one in ABLATIONS.items() if one.fits(TRAINING[name])}
        for name in ("tiny", "guava-tiny")
    }
    both = {"undirected", "data_half", "data_quarter", "type_syn", "type_gen", "type_gen_frames"}
    assert fitting["tiny"] & fitting["guava-tiny"] == both
    own = {"no_refiner", "no_inverse_mapping", "no_uv_gaussians"}
    assert fitting["guava-tiny"] - both == own
    for name in own:
        changed = with_settings(TRAINING["guava-tiny"], ABLATIONS[name].settings)
        assert changed != TRAINING["guava-tiny"]


@pytest.mark.parametrize(
    ("better", "noise", "spread", "verdict"),
    [
        (20.5, 0.01, 0.1, "confirmed"),
        (19.5, 0.01, 0.1, "not confirmed"),
        (20.5, 0.01, 0.6, "too close to call"),  # another seed moves as much
        (20.2, 2.0, 0.0, "too close to call"),  # other people would say something else
        (20.5, 0.01, float("inf"), "too close to call"),  # one seed tells nothing
    ],
)
def test_verdicts(better: float, noise: float, spread: float, verdict: str) -> None:
    one, other = run_of("one", better, noise), run_of("other", 20, noise)
    spreads = {"psnr": spread, "ssim": spread / 40, "ms_ssim": spread / 50}
    assert compare_runs(one, other, spreads)["verdict"] == verdict


def test_figures_that_disagree_decide_nothing() -> None:
    one, other = run_of("one", 20.5), run_of("other", 20)
    for record in one.records:
        record["network"]["ssim"] -= 0.3
    assert compare_runs(one, other, dict.fromkeys(FIGURES, 0.0))["verdict"] == ("too close to call")


def test_the_table_has_ours_beside_the_papers() -> None:
    runs = {
        "base": run_of("base", 20),
        "seed_1": run_of("seed_1", 20.02),
        "no_shell_tokens": run_of("no_shell_tokens", 19.5),
        "layers_2": run_of("layers_2", 19.9),
    }
    found = summary(runs, {"layers_4": "base"})
    assert found["spread"]["psnr"] == pytest.approx(0.02)
    assert {one["finding"]: one["verdict"] for one in found["findings"]} == {
        "shell tokens help": "confirmed",
        "4 layers beat 2": "confirmed",
    }
    assert found["findings"][1]["paper"] == {"psnr": 0.03, "ssim": 0.0022, "lpips": -0.0166}
    mean = runs["base"].mean("psnr")
    assert found["runs"]["base"]["gain"]["psnr"] == pytest.approx(mean - 15, abs=1e-3)
    text = format_markdown(found, ["head"])
    assert "20.35 / 0.7845 / 0.1801" in text
    assert "- layers_4 is base." in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| ")}
    assert len(widths) == 2  # two tables, no ragged lines


def test_smaller_subsets_are_inside_larger_ones(
    ablations: ModuleType, make_person: Callable[[int], Subject], tmp_path: Path
) -> None:
    with ShardWriter(tmp_path / "data", per_shard=3) as writer:
        for number in range(8):
            writer.write(make_person(number))
    bench = object.__new__(ablations.AblationBench)
    bench.out, bench.data = tmp_path / "out", [str(path) for path in writer.paths]

    def people(share: float) -> set[str]:
        shards = bench._subset(share)
        return {stored.key for shard in shards for stored in read_stored_subjects(Path(shard))}

    assert people(0.25) < people(0.5)
    assert (len(people(0.25)), len(people(0.5))) == (2, 4)
    again = object.__new__(ablations.AblationBench)
    again.out, again.data = tmp_path / "other", bench.data
    first, bench = people(0.5), again
    assert people(0.5) == first


@pytest.fixture
def make_person() -> Callable[[int], Subject]:
    """Somebody with one grey view."""
    from likeness.engine.core.types import NUM_JOINTS, Camera
    from likeness.engine.dataset.shards import SubjectView, encode_rgba

    camera = Camera(np.eye(4), np.array([[50.0, 0, 8], [0, 50, 8], [0, 0, 1]]), 16, 16)
    view = SubjectView("v0", 0, "front", 0.0, camera, False, encode_rgba(np.full((16, 16, 4), 0.5)))
    pose, none = np.zeros((1, NUM_JOINTS, 3)), np.zeros((1, 3))
    one = Subject("p", "rendered", "full", 0, np.zeros(2), pose, none, np.zeros((1, 2)), (view,))
    return lambda number: replace(one, key=f"person_{number:03d}")
