"""``likeness eval --card``: figures into a network's card, and leaks as an exit code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from likeness.addon.cli.main import main
from likeness.engine.evaluation.protocols import eval_run
from likeness.engine.training import model_card

COMMAND = ["eval", "--protocol", "crossview", "--card"]


def test_a_network_without_a_history_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, report = str(tmp_path), str(tmp_path / "report")
    assert main([*COMMAND, "--data", data, "-o", report]) == 2
    assert "--network DIR" in capsys.readouterr().err
    assert main([*COMMAND, "--data", data, "-o", report, "--network", data]) == 2
    assert "training data of" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("leaks", "code"), [(["the same hair"], 4), ([], 0)])
def test_leaks_end_with_a_code_of_their_own(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    leaks: list[str],
    code: int,
) -> None:
    network, shard, asked = tmp_path / "network", tmp_path / "a.tar", []
    network.mkdir()
    (network / "card.json").write_text("{}")
    shard.touch()

    def evaluate(*_: Any, **__: Any) -> SimpleNamespace:
        report = {"warnings": [], "protocols": {}}
        return SimpleNamespace(report=report, failed=(), page=tmp_path / "index.html")

    def write_card(*given: Any) -> dict[str, Any]:
        asked.append(given)
        return {"leaks": leaks}

    monkeypatch.setattr(eval_run, "run_evaluation", evaluate)
    monkeypatch.setattr(model_card, "write_model_card", write_card)
    report = tmp_path / "report"
    options = ["--data", str(shard), "-o", str(report), "--network", str(network)]
    assert main([*COMMAND, *options]) == code
    assert asked == [(network, report, [str(shard)])]
    assert ("LEAK: the same hair" in capsys.readouterr().err) == bool(leaks)
