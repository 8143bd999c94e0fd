"""docs/automation.md: what can be copied and pasted from it runs.

The recipes under "In Python" use the package as it is, but that a build takes a fit and a lift
that were made before. On the command line ``likeness`` is ``recipe_stand_in.py``, whose batches
build quickly; it is a fork of a Python that has imported the package.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
import pytest
from likeness.addon.cli.main import cli
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.types import JOINT_INDEX
from likeness.engine.motion.io import save_motion
from likeness.engine.motion.prepare_motion import motion_from_poses
from likeness.engine.pipeline import build as pipeline
from likeness.engine.pipeline.build import LiftedPortrait
from PIL import Image

from tests.forks import ENGINE_READS, open_forks

ROOT = Path(__file__).resolve().parents[1]
IMPORTED = """
import likeness.addon.batch_maker, likeness.addon.cli.main
import likeness.engine.pipeline.build, likeness.engine.render.cpu
from likeness.engine.core.kernels import load_kernels
load_kernels()
"""
PAGE = (ROOT / "docs" / "automation.md").read_text(encoding="utf-8")
STAND_IN = Path(__file__).with_name("recipe_stand_in.py")

_PARTS = re.split(r"^### (.+)$", PAGE, flags=re.MULTILINE)
RECIPES = {
    title: re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    for title, text in zip(_PARTS[1::2], _PARTS[2::2], strict=True)
}
MAKES = {
    "Every night, what is new": ["avatars/anna/avatar.ply", "avatars/bob/avatar.ply", "logs"],
    "A cast from a spreadsheet": ["cast/heroes/anna/avatar.spz", "cast/extras/bob/avatar.spz"],
    "A picture of everybody, in one pose": ["avatars/anna/wave.png", "avatars/bob/wave.png"],
    "A light copy for the web, and a turntable": ["anna.spz", "turn/frame_0011.png"],
    "A draft in seconds": ["drafts/anna/avatar.safetensors", "drafts/anna/preview.png"],
    "Pose, and draw from several sides": ["anna_-60.png", "anna_+0.png", "anna_+180.png"],
    "A walk for other programs": ["anna_walk.glb", "walk/anna_0000.ply", "walk/anna_0003.ply"],
    "Splats and mesh as arrays": ["anna_arrays.npz"],
    "A batch, and a list of what failed": ["failed.csv"],
}
"""Recipe -> files that are new after it."""


def test_every_recipe_is_run() -> None:
    assert list(RECIPES) == list(MAKES)
    assert all(len(blocks) == 1 for blocks in RECIPES.values())
    kinds = [kind for blocks in RECIPES.values() for kind, _ in blocks]
    assert set(kinds) == {"sh", "python"}
    assert PAGE.count("```") == 2 * len(kinds), "fences that are no recipe's"


@pytest.fixture(scope="module")
def stand_in() -> Iterator[Sequence[str]]:
    """The command that is ``likeness``."""
    with open_forks(IMPORTED, reads=ENGINE_READS) as fork:
        yield fork([sys.executable, str(STAND_IN)])


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, sample_portrait: Path, stand_in: Sequence[str]
) -> Path:
    """Two people and a cat, their avatars, and a walk of four frames."""
    home = tmp_path_factory.mktemp("recipes")
    (home / "bin").mkdir()
    program = home / "bin" / "likeness"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(stand_in)} "$@"\n')
    program.chmod(0o755)
    (home / "portraits").mkdir()
    with Image.open(sample_portrait) as photo:
        for name in ("anna", "bob"):
            photo.convert("RGB").resize((384, 384)).save(home / "portraits" / f"{name}.jpg")
    Image.new("RGB", (384, 384), "grey").save(home / "portraits" / "cat.jpg")
    full_pose = np.zeros((4, 55, 3))
    full_pose[:, JOINT_INDEX["left_hip"], 0] = np.linspace(0, -0.5, 4)
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    walk = motion_from_poses(full_pose, np.zeros((4, 3)), body.num_expression, 24.0)
    save_motion(walk, home / "walk.npz", body)
    done = run(home, *stand_in, "batch", "portraits/", "-o", "avatars/", "--no-preview")
    assert done.returncode == 3, done.stderr
    return home


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={**os.environ, "PATH": path_with(folder)},
    )


def path_with(folder: Path) -> str:
    return f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"


def run_python(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe as a program, but in this process, which has loaded the engine already."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", path_with(folder))
    exec(compile(text, "docs/automation.md", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("title", MAKES)
def test_recipe(
    title: str,
    folder: Path,
    lifted_portrait: LiftedPortrait,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ((kind, text),) = RECIPES[title]
    if sys.platform == "win32" and (kind == "sh" or '["likeness"' in text):
        pytest.skip("the command's stand-in is a script for a Unix shell")
    for name in MAKES[title]:
        assert not (folder / name).exists()
    if kind == "sh":
        done = run(folder, shutil.which("bash") or "bash", "-euo", "pipefail", "-c", text)
        assert done.returncode == 0, done.stderr + done.stdout
    else:
        monkeypatch.setattr(pipeline, "_tracked", lambda *_: [lifted_portrait.tracked])
        monkeypatch.setattr(pipeline, "lift_photo", lambda *_, **__: lifted_portrait.lift)
        run_python(text, folder, monkeypatch)
    for name in MAKES[title]:
        assert (folder / name).stat().st_size > 30, name
    if title == "A draft in seconds":
        assert re.search(r"[\d,]+ splats, face off by \d", capfd.readouterr().out)
    if title == "A batch, and a list of what failed":
        with (folder / "failed.csv").open(newline="", encoding="utf-8") as file:
            (failed,) = csv.DictReader(file)
        assert failed["photo"].endswith("cat.jpg")
        assert failed["remedy"] == "Choose another photo."
    if title == "A cast from a spreadsheet":
        lines = (folder / "cast" / "items.jsonl").read_text(encoding="utf-8").splitlines()
        options = {one["name"]: one["options"] for one in map(json.loads, lines)}
        assert options == {
            "heroes/anna": {"fov": 40.0, "refine": "full"},
            "extras/bob": {"refine": "off"},
        }


# Commands in the text -----------------------------------------------------------------------

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_STARTS = (
    "likeness ",
    ".venv/bin/likeness ",
    "blender --background --command likeness ",
    "blender -b --command likeness ",
    "python -m likeness ",
)


def commands(page: Path) -> list[list[str]]:
    """The arguments of every command of ours in an indented or fenced block."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^(?:    )+(\S.*)$", text, re.MULTILINE)
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        lines += block.splitlines()
    found = []
    for line in lines:
        for start in _STARTS:
            if line.startswith(start):
                found.append(shlex.split(line[len(start) :], comments=True))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_have_the_options_that_there_are(page: Path) -> None:
    for words in commands(page):
        if {"...", "…"} & {*words} or not words:
            continue
        name, *rest = words
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, f"{page.name}: likeness {name}"
        try:
            command.make_context(name, rest)
        except click.exceptions.Exit:
            continue  # it was --help
        except click.ClickException as error:
            pytest.fail(f"{page.name}: likeness {shlex.join(words)}: {error.format_message()}")
