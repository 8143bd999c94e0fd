"""The Python package: what is in it, and that it works in a plain environment."""

from __future__ import annotations

import email
import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from likeness.engine.files.user_folders import cache_root
from packaging.requirements import Requirement

from tests.soaked import if_asked

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("addon", "engine", "operators", "panels")
FILES = "__init__.py __main__.py LICENSE README.md MANIFEST.in pyproject.toml py.typed".split()

pytestmark = pytest.mark.slow
needs_links = pytest.mark.skipif(os.name == "nt", reason="links take privileges there")

QUICK_ASSETS = """
from likeness.__main__ import run
from likeness.engine.bake import basis, landmark_turns, landmarks, phenotype_prior, plain_render

basis.NUM_SAMPLES, phenotype_prior.NUM_FITTED, phenotype_prior.NUM_UNSEEN = 120, 120, 10
landmark_turns.HEADS, landmark_turns.YAWS = 1, (0.0, 30.0)
landmarks.FACE_YAWS, landmarks.FACE_PITCHES = (-17.0, 0.0, 17.0), (0.0,)
plain_render.SUPERSAMPLING = landmarks.SUPERSAMPLING = 1
run()
"""
"""``likeness assets`` with a tenth of the random people and few, coarse pictures: the tests'
own assets are made with all of them."""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the sdist, built from a copy: setuptools leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("package")
    source, out = folder / "source", folder / "dist"
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__", "*.nb?")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in (*FILES, "blender_manifest.toml"):
        shutil.copy(ROOT / name, source / name)
    command = [Path(sys.executable).with_name("pyproject-build"), "--no-isolation"]
    done = subprocess.run(
        [*command, "--outdir", out, source], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def test_the_index_would_take_it(distributions: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *distributions]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_holds_the_package_and_nothing_else(distributions: tuple[Path, Path]) -> None:
    wheel, sdist = distributions
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "likeness",
        next(name.split("/")[0] for name in names if ".dist-info/" in name),
    }
    inside = {name.split("/")[1] for name in names if name.startswith("likeness/")}
    assert inside == {*SOURCES, "__init__.py", "__main__.py", "py.typed", "blender_manifest.toml"}
    with tarfile.open(sdist) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert not tops & {"tests", "docs", "benchmarks", "examples", "requirements"}


def link_requirements(wheel: Path, folder: Path) -> None:
    """Link the packages that a wheel requires, and that these require, into an environment.

    They are this environment's own, as pip would install them, and nothing else of it is there.
    """
    base = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", scheme="venv", vars=base))
    (name,) = (n for n in zipfile.ZipFile(wheel).namelist() if n.endswith(".dist-info/METADATA"))
    text = zipfile.ZipFile(wheel).read(name).decode()
    wanted = email.message_from_string(text).get_all("Requires-Dist", [])
    done = set()
    while wanted:
        requirement = Requirement(wanted.pop())
        if requirement.name in done or not (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            continue
        done.add(requirement.name)
        found = importlib.metadata.distribution(requirement.name)
        assert requirement.specifier.contains(found.version), f"{requirement}: {found.version}"
        wanted += found.requires or []
        for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(found.locate_file(top))))


@pytest.mark.parametrize(
    "linked", [pytest.param(True, marks=needs_links), *if_asked(False)], ids=["linked", "installed"]
)
def test_three_commands_make_an_avatar_in_a_plain_environment(
    linked: bool, distributions: tuple[Path, Path], small_portrait: Path, tmp_path: Path
) -> None:
    """Install, ``likeness assets``, ``likeness build``: with caches and a home of their own.

    What it requires is ``linked``, or, with ``-m soak``, installed as well, which takes a minute.
    Only compiled kernels are shared: every test of a build would compile the same. The body is
    baked from few people (``QUICK_ASSETS``).
    """
    folder = tmp_path / "environment"
    venv.create(folder)  # the tests' own pip fills it: a thousand files less
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pins = ROOT / "requirements" / "core.txt"
    cache = tmp_path / "cache"
    shutil.copytree(cache_root() / "downloads", cache / "downloads")
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LIKENESS", "NUMBA"))
    }
    kept["LIKENESS_KERNELS"] = os.environ["LIKENESS_KERNELS"]
    env = {**kept, "LIKENESS_CACHE": str(cache), "LIKENESS_DATA": str(tmp_path / "data")}

    def run(program: str | Path, *arguments: str | Path) -> str:
        command = [programs / program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip = ("-m", "pip", "--python", programs / "python", "install", "--quiet", "--no-compile")
    if linked:
        link_requirements(distributions[0], folder)
    run(sys.executable, *pip, *(["--no-deps"] if linked else ["-c", pins]), distributions[0])
    assets = Path(run("python", "-c", QUICK_ASSETS, "assets", "--yes").splitlines()[-1])
    assert assets.parent == cache
    out = tmp_path / "out"
    quick = ("--refine", "off", "--no-blend", "--max-gaussians", "20000")
    run("likeness", "build", small_portrait, "-o", out, *quick)
    assert {"avatar.safetensors", "preview.png", "report.json"} <= {p.name for p in out.iterdir()}
