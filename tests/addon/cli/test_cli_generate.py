"""``likeness generate`` from outside: prompts without anything installed, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from likeness.addon.cli.main import main


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("likeness: ")]
    assert len(lines) == 1
    return lines[0]


def generated(data: Path, *options: str) -> int:
    return main(["generate", "-o", str(data), "--prompts", "6", *options])


def test_prompts_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    assert generated(data, "--stage", "prompts", "--show", "2") == 0
    said = capsys.readouterr().out
    assert "6 prompts (3 by outfit, 3 by role), 6 different" in said
    assert "of 1000" in said
    assert said.count("  not: ") == 2
    lines = (data / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    prompts = [json.loads(line) for line in lines]
    assert [p["number"] for p in prompts] == list(range(6))
    assert {"age", "gender", "hair_colour", "lighting", "action"} <= set(prompts[0]["factors"])
    assert generated(data, "--stage", "prompts") == 0
    assert (data / "prompts.jsonl").read_text(encoding="utf-8").splitlines() == lines


def test_prompts_need_none_of_the_packages(tmp_path: Path) -> None:
    """In a process that refuses to import them."""
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'diffusers', 'accelerate', 'av',\n"
        "             'huggingface_hub'):\n"
        "    sys.modules[name] = None\n"
        "from likeness.addon.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "generate",
            "-o",
            str(tmp_path / "data"),
            "--prompts",
            "4",
            "--stage",
            "prompts",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "4 prompts" in done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--video-size", "big"], "Write it as 1280x704"),
        (["--video-size", "100x100"], "Choose multiples of 32"),
        (["--frames", "80"], "one more than a multiple of 4"),
        (["--stage", "shards", "--seed", "0"], "has not been through the stage 'views'"),
    ],
)
def test_wrong_options_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert generated(tmp_path / "data", *options) == 2
    assert said in one_error(capsys)
    assert not (tmp_path / "data").exists()


def test_a_folder_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--stage", "rewrite", "--device", "cpu", "--language-model", str(tmp_path)
    assert generated(tmp_path / "data", *options) == 2
    assert f"'{tmp_path}' is not a model for rewrite: it lacks config.json" in one_error(capsys)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["synth --subjects 1", "generate --prompts 1", "convert a.glb"])
def test_an_empty_name_is_no_folder(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "-o", ""]) == 2
    assert "the name is empty" in capsys.readouterr().err


def test_without_a_gpu_it_says_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("LIKENESS_ALLOW_DOWNLOAD", raising=False)
    models = [
        part
        for option in ("language", "video", "image")
        for part in (f"--{option}-model", str(tmp_path / option))
    ]
    assert generated(tmp_path / "data", *models) == 2
    said = one_error(capsys)
    assert "need an NVIDIA GPU with 64 GB (46 GB with --offload)" in said
    assert said.count("unknown") == 3
    assert not (tmp_path / "data").exists()
