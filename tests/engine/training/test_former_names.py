"""Runs that an earlier version began: read with a warning, written under the present names."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import find_weights
from likeness.engine.training.config import TRAINING, read_config, with_settings
from likeness.engine.training.data_provenance import load_sessions, record_data
from likeness.engine.training.former_names import SETTINGS
from likeness.engine.training.model_card import write_model_card
from likeness.engine.training.run_folder import begin_run, check_run, run_config

OLD_RUN = Path(__file__).parents[2] / "compat" / "training_run_0_1"
"""``config.json`` and ``data.json`` as version 0.1 wrote them."""

CHANGED = {
    "supersample": 3,
    "references_per_subject": 5,
    "max_checkpoints": 7,
    "directed_pairs": False,
}


def test_an_old_run_is_read_and_written_under_the_new_names(tmp_path: Path) -> None:
    run = Path(shutil.copytree(OLD_RUN, tmp_path / "run"))
    (run / "checkpoints" / "step_000200").mkdir(parents=True)  # something is learned
    wanted = replace(TRAINING["small"], **CHANGED)
    with pytest.warns(DeprecationWarning, match="'finer' is now 'supersample'"):
        assert run_config(run) == wanted
    with pytest.warns(DeprecationWarning, match="former names"):
        assert read_config(str(run / "config.json")) == wanted
    with pytest.warns(DeprecationWarning, match="former names"):
        assert check_run(run, replace(wanted, max_checkpoints=1)) == wanted
    with (
        pytest.warns(DeprecationWarning, match="former names"),
        pytest.raises(LikenessError, match="supersample"),
    ):
        check_run(run, TRAINING["small"])
    begin_run(run, wanted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run_config(run) == wanted
    names = set(json.loads((run / "config.json").read_text()))
    assert set(CHANGED) <= names
    assert not names & set(SETTINGS)


def test_an_old_list_of_data_is_read_and_written_as_sessions(tmp_path: Path) -> None:
    run = Path(shutil.copytree(OLD_RUN, tmp_path / "run"))
    with pytest.warns(DeprecationWarning, match="'goes' is now 'sessions'"):
        before = load_sessions(run)
    assert [one["step"] for one in before] == [0, 200]
    with pytest.warns(DeprecationWarning, match="former names"):
        record_data(run, 300, ["third.tar"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_sessions(run)[:2] == before
    assert "goes" not in json.loads((run / "data.json").read_text())


def test_an_old_card_keeps_its_settings_under_the_new_names(tmp_path: Path) -> None:
    network = Path(shutil.copytree(find_weights("default"), tmp_path / "network"))
    card = json.loads((network / "card.json").read_text(encoding="utf-8"))
    present = card["training"]["settings"]
    former = {new: old for old, new in SETTINGS.items()}
    card["training"]["settings"] = {former.get(k, k): v for k, v in present.items()}
    (network / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.warns(DeprecationWarning, match="former names"):
        assert write_model_card(network)["training"]["settings"] == present


def test_settings_may_be_given_by_their_former_names() -> None:
    with pytest.warns(DeprecationWarning, match="'references_each' is now"):
        changed = with_settings(TRAINING["tiny"], {"references_each": "2", "directed": "off"})
    assert (changed.references_per_subject, changed.directed_pairs) == (2, False)
    with pytest.raises(LikenessError, match="keep"):
        with_settings(TRAINING["tiny"], {"keep": "2", "max_checkpoints": "3"})
