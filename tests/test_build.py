"""The task runner's parts; the whole of it is what runs these tests."""

from __future__ import annotations

import base64
import hashlib
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.blender.inside import load
from tests.extension_zip import whole_zip

ROOT = Path(__file__).resolve().parents[1]


load("tasks", ROOT / "tasks" / "__init__.py", package=True)
build = load("build", ROOT / "build.py")
environment, extension = (
    importlib.import_module(f"tasks.{n}") for n in ("environment", "extension")
)
BuildError = build.BuildError


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_help_needs_nothing_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-S", ROOT / "build.py", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "demo" in done.stdout


def test_unknown_arguments_are_refused_except_for_pytest(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        build.main(["assets", "--fast"])
    assert stop.value.code == 2
    assert "--fast" in capsys.readouterr().err


VICTIM = """
import os, time, pytest

@pytest.mark.parametrize("turn", range(4))
def test_victim(turn):
    if turn == 2:
        time.sleep(0.5)  # pytest-xdist still sends it work when the test before has ended
        os._exit(9)
"""
BYSTANDER = """
import time, pytest

@pytest.mark.parametrize("turn", range(4))
def test_bystander(turn):
    time.sleep(0.1)
"""


def test_a_run_ends_and_names_the_test_whose_process_died(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "test_b.py").write_text(VICTIM)
    for name in "acdef":
        (tmp_path / f"test_{name}.py").write_text(BYSTANDER)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *build.PARALLEL, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "crashed while running 'test_b.py::test_victim[2]'" in done.stdout


def test_packages_are_those_of_the_tree() -> None:
    found = {"likeness"} | {
        ".".join(("likeness", *init.parent.relative_to(ROOT).parts))
        for room in ("addon", "engine", "operators", "panels")
        for init in (ROOT / room).rglob("__init__.py")
    }
    assert set(pyproject()["tool"]["setuptools"]["packages"]) == found


def test_every_dependency_is_pinned() -> None:
    pins = {
        p.split("==")[0].lower()
        for p in environment.read_pins(environment.REQUIREMENTS / "core.txt")
    }
    names = {re.split(r"[<>=]", d)[0].lower() for d in pyproject()["project"]["dependencies"]}
    assert names <= pins


def test_included_pins_come_first(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one==1  # why\n\n")
    (tmp_path / "b.txt").write_text("# heading\n-r a.txt\ntwo==2\n")
    assert environment.read_pins(tmp_path / "b.txt") == ["one==1", "two==2"]


def test_shipped_pins() -> None:
    pins = environment.read_pins(environment.REQUIREMENTS / "core.txt")
    linux, windows = (
        extension.select_pins(pins, target, "3.11") for target in ("linux-x64", "windows-x64")
    )
    assert not any(p.startswith("numpy==") for p in linux)
    assert set(windows) - set(linux) == {"colorama==0.4.6"}
    with pytest.raises(BuildError, match="not understood"):
        extension.select_pins(['a==1 ; os_name == "nt"'], "linux-x64", "3.11")


@pytest.mark.parametrize("python", sorted(extension.BLENDER_RANGES))
def test_every_package_is_shipped_once_to_every_python(python: str) -> None:
    pins = environment.read_pins(environment.REQUIREMENTS / "core.txt")
    without = {"numpy", "colorama", *(("pocketsphinx",) if python == "3.14" else ())}  # no wheel
    names = sorted({pin.split("==")[0] for pin in pins} - without)
    shipped = extension.select_pins(pins, "linux-x64", python)
    assert sorted(pin.split("==")[0] for pin in shipped) == names


def test_a_file_of_a_wheel_is_replaced(tmp_path: Path) -> None:
    """What remains is the same to the byte, and the wheel's own list agrees."""
    wheel = tmp_path / "talk-1-py3-none-any.whl"
    parts = {"talk/a.py": b"a = 1\n", "talk/model.bin": bytes(5000), "talk/b.bin": b"\x01"}
    record = "".join(f"{name},sha256=x,{len(data)}\n" for name, data in parts.items())
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
        archive.writestr("talk-1.dist-info/RECORD", record)
    extension.replace_file(wheel, "talk/model.bin", b"less")
    with zipfile.ZipFile(wheel) as archive:
        rows = archive.read("talk-1.dist-info/RECORD").decode().splitlines()
        held = {name: archive.read(name) for name in parts}
    assert held == {**parts, "talk/model.bin": b"less"}
    assert [rows[0], rows[2]] == [record.splitlines()[0], record.splitlines()[2]]
    name, digest, size = rows[1].split(",")
    own = base64.urlsafe_b64decode(digest.removeprefix("sha256=") + "=")
    assert (name, own, size) == ("talk/model.bin", hashlib.sha256(b"less").digest(), "4")
    with pytest.raises(BuildError, match="has no talk/c"):
        extension.replace_file(wheel, "talk/c", b"")


def test_notices_say_what_is_pruned_in_a_wheel(tmp_path: Path) -> None:
    wheels = [tmp_path / f"{name}-1-py3-none-any.whl" for name in ("talk", "plain")]
    for wheel in wheels:
        name = wheel.name.split("-")[0]
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{name}-1.dist-info/METADATA", f"Name: {name}\nVersion: 1\n")
    pruned = {"talk": "talk/model.bin", "absent": "c"}
    page = extension.format_notices(wheels, pruned)
    assert "Pruned in the wheel of talk: `talk/model.bin`." in page
    assert "absent" not in page
    assert "Pruned" not in extension.format_notices(wheels[1:], pruned)
    assert "{" not in page


@pytest.mark.slow
def test_manifest_gets_wheels_before_its_tables() -> None:
    source = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
    before = tomllib.loads(source)
    made = extension.extension_manifest(source, ["a.whl", "b.whl"], "macos-arm64", "3.11")
    after = tomllib.loads(made)
    assert after.pop("wheels") == ["./wheels/a.whl", "./wheels/b.whl"]
    assert after.pop("platforms") == ["macos-arm64"]
    assert after.pop("blender_version_max") == "5.1.0"
    assert after == before


def test_a_zip_is_for_the_blenders_with_its_python() -> None:
    source = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
    made = {
        python: tomllib.loads(extension.extension_manifest(source, [], "linux-x64", python))
        for python in extension.BLENDER_RANGES
    }
    assert made["3.11"]["blender_version_min"] == "4.5.0"
    assert made["3.11"]["blender_version_max"] == "5.1.0"
    for python in ("3.13", "3.14"):
        assert made[python]["blender_version_min"] == "5.1.0"
        assert "blender_version_max" not in made[python]
    names = {
        extension.zip_name("1", target, python)
        for target in extension.PLATFORM_TAGS
        for python in extension.BLENDER_RANGES
    }
    assert len(names) == len(extension.PLATFORM_TAGS) * len(extension.BLENDER_RANGES)
    with pytest.raises(BuildError, match="blender_version_min"):
        extension.extension_manifest("[permissions]", [], "linux-x64", "3.11")


def test_missing_libraries_from_ldd() -> None:
    output = "\tlibXi.so.6 => not found\n\tlibm.so.6 => /lib/libm.so.6\n\tlibXi.so.6 => not found\n"
    assert environment.parse_missing_libraries(output) == ["libXi.so.6"]


def test_missing_libraries_without_root_name_the_command(monkeypatch) -> None:
    monkeypatch.setattr(
        environment, "bpy_missing_libraries", lambda python: ["libXi.so.6", "libSM.so.6"]
    )
    monkeypatch.setattr(environment.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(environment.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(BuildError) as error:
        environment.ensure_system_libraries(Path("python"))
    assert "libXi.so.6" in str(error.value)
    assert "sudo apt-get install -y libxi6 libsm6" in str(error.value)
    assert "\n" not in str(error.value)


def test_environment_is_reused(tmp_path: Path, monkeypatch) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    ran = []
    monkeypatch.setattr(environment, "run_quietly", lambda *command: ran.append(command))
    folder = tmp_path / "env"
    python = environment.venv_python(folder)
    python.parent.mkdir(parents=True)
    python.touch()
    environment.ensure_environment(folder, pins, editable=False)
    assert len(ran) == 1
    environment.ensure_environment(folder, pins, editable=False)
    assert len(ran) == 1
    pins.write_text("more==1")
    environment.ensure_environment(folder, pins, editable=False)
    assert len(ran) == 2


def test_tests_get_copies_of_the_assets_and_of_kernels_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(build, "ROOT", tmp_path)
    assets, sample = (
        tmp_path / "user" / "assets-2",
        tmp_path / "user" / "downloads" / "astronaut.png",
    )
    for path in (assets / "stamp.json", assets / "poses" / "stamp.json", sample):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    copied = tmp_path / ".test-cache" / "cache"
    build.ensure_test_cache(assets, sample)  # nothing is compiled yet
    assert not (copied / "numba").exists()
    kernel = assets.parent / "numba" / "one.nbc"
    kernel.parent.mkdir()
    kernel.write_text("code")
    build.ensure_test_cache(assets, sample)
    assert (copied / "numba" / "one.nbc").read_text() == "code"
    if os.name != "nt":  # those of a Blender's workers
        assert (tmp_path / ".test-cache" / "data" / "numba" / "one.nbc").read_text() == "code"
    kernel.write_text("other code")
    (assets / "stamp.json").write_text("newer")
    build.ensure_test_cache(assets, sample)
    assert (copied / "numba" / "one.nbc").read_text() == "code"
    assert (copied / "assets-2" / "stamp.json").read_text() == "newer"
    assert (copied / "downloads" / sample.name).is_file()


@pytest.mark.parametrize("agrees", [True, False])
def test_mypy_fills_its_cache_beside_whatever_it_finds(
    agrees: bool, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text(f"x: int = {1 if agrees else 'None'}")
    build.fill_type_cache(Path(sys.executable))
    assert (tmp_path / ".mypy_cache").is_dir()


def test_what_tests_import_is_compiled_once(tmp_path: Path, monkeypatch) -> None:
    """Also where one of them cannot be imported, and where the environment forbids it."""
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setenv(build.DONT_COMPILE, "1")
    (tmp_path / "imported.py").write_text("VALUE = 1\n")
    (tmp_path / "test_good.py").write_text("import imported\n\ndef test_one():\n    assert 0\n")
    (tmp_path / "test_bad.py").write_text("import nowhere\n")
    build.fill_bytecode_cache(Path(sys.executable))
    compiled = {path.name.split(".")[0] for path in tmp_path.rglob("*.pyc")}
    assert {"imported", "test_good"} <= compiled


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_zip(tmp_path_factory)


@pytest.mark.slow
def test_extension_zip(zipped: Path) -> None:
    from likeness.engine.files.weights import ASSETS

    with zipfile.ZipFile(zipped) as archive:
        names = set(archive.namelist())
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
        notices = archive.read("THIRD_PARTY.md").decode()
    assert {f"assets/{name}" for name in ASSETS.values()} <= names
    assert {"__init__.py", "engine/pipeline/build.py", "addon/cli/main.py"} <= names
    assert {w.removeprefix("./") for w in manifest["wheels"]} <= names
    assert not any("numpy-" in name or "torch" in name for name in manifest["wheels"])
    assert len(manifest["wheels"]) > 10
    told = re.sub(r"[-.]", "_", notices.lower())
    for wheel in manifest["wheels"]:
        package, version = wheel.removeprefix("./wheels/").split("-")[:2]
        assert re.sub(r"[-.]", "_", f"| {package} | {version} |".lower()) in told
    assert "see the wheel" not in notices
    assert all(f"`{name}`" in notices for name in extension.PRUNED.values())


@pytest.mark.slow
def test_the_pruned_model_of_words_knows_pairs(zipped: Path, tmp_path: Path) -> None:
    package = pytest.importorskip("pocketsphinx")
    with zipfile.ZipFile(zipped) as archive:
        (wheel,) = (name for name in archive.namelist() if "/pocketsphinx-" in name)
        with archive.open(wheel) as inner, zipfile.ZipFile(inner) as files:
            model_file = Path(files.extract(extension.PRUNED["pocketsphinx"], tmp_path))
    model = package.NGramModel.readfile(str(model_file))
    assert model.prob(["the", "of"]) > model.prob(["the"]) > model.prob(["of", "the"])
    assert model_file.stat().st_size < 4_000_000


@pytest.mark.slow
def test_trained_weights_are_found_in_the_extension(tmp_path: Path, monkeypatch) -> None:
    """Staged as for the zip, from a tree that has them; found by the package in it."""
    tree, stage, baked = (tmp_path / name for name in ("tree", "installed/likeness", "baked"))
    shutil.copytree(ROOT / "engine", tree / "engine", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "__init__.py", tree)
    bundled = Path("engine/network/weights/default")
    (tree / bundled).mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "encoder.onnx", "decoder.onnx"):
        (tree / bundled / name).write_bytes(b"of a test")
    baked.mkdir()
    monkeypatch.setattr(extension, "ROOT", tree)
    stage.mkdir(parents=True)
    extension.stage_extension(stage, baked)
    code = "from likeness.engine.files.weights import find_weights; print(find_weights('default'))"
    env = {k: v for k, v in os.environ.items() if not k.startswith("LIKENESS")}
    env |= {"PYTHONPATH": str(stage.parent), "XDG_DATA_HOME": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == stage / bundled


def test_wheels_are_squeezed_until_they_fit(tmp_path: Path) -> None:
    """The largest first, with the same files in them, and the small ones as they came."""
    wheels = [tmp_path / f"{name}-1-py3-none-any.whl" for name in ("large", "middle", "small")]
    for wheel, lines in zip(wheels, (60_000, 30_000, 10), strict=True):
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("a/b.txt", "".join(f"{k * k:x} {k:o}\n" for k in range(lines)))
            made.writestr("a/c.bin", os.urandom(50))

    def unpacked(wheel: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    before = {wheel: (wheel.read_bytes(), unpacked(wheel)) for wheel in wheels}
    size = sum(wheel.stat().st_size for wheel in wheels)
    extension.squeeze_wheels(wheels, size)
    assert all(wheel.read_bytes() == before[wheel][0] for wheel in wheels), "they fitted"
    extension.squeeze_wheels(wheels, size - wheels[0].stat().st_size // 5)
    assert wheels[0].stat().st_size < 0.8 * len(before[wheels[0]][0])
    assert all(wheel.read_bytes() == before[wheel][0] for wheel in wheels[1:])
    assert all(unpacked(wheel) == before[wheel][1] for wheel in wheels)


def test_index_makes_a_repository_of_a_folder(zipped: Path, tmp_path: Path) -> None:
    (tmp_path / zipped.name).hardlink_to(zipped)
    index = json.loads(
        extension.write_index(Path(sys.executable), tmp_path).read_text(encoding="utf-8")
    )
    (entry,) = index["data"]
    assert entry["archive_url"] == f"./{zipped.name}"
    assert entry["python_versions"] == ["3.11"]


@pytest.fixture
def bare(tmp_path: Path) -> Callable[..., list[str]]:
    """What the check says of a small zip, whole but for what is given."""
    checks = importlib.import_module("tasks.extension_check")
    source = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")

    def check(
        files: dict[str, str] | None = None,
        without: str = "",
        wheels: Sequence[str] = (
            "a-1-cp311-cp311-manylinux_2_28_x86_64.whl",
            "b-1-py3-none-any.whl",
        ),
        listed: Sequence[str] | None = None,
        manifest: str = source,
    ) -> list[str]:
        text = extension.extension_manifest(manifest, listed or wheels, "linux-x64", "3.11")
        path = tmp_path / "likeness.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in {*checks.NEEDED, *(f"wheels/{w}" for w in wheels)} - {without}:
                archive.writestr(name, "")
            for name, content in {"blender_manifest.toml": text, **(files or {})}.items():
                archive.writestr(name, content)
        found: list[str] = checks.find_faults(path, "linux-x64", "3.11", ["/home/me"])
        return found

    return check


def test_a_whole_zip_has_no_faults(bare) -> None:
    assert bare() == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"without": "assets/body.npz"}, "assets/body.npz is missing"),
        ({"files": {"engine/__pycache__/a.pyc": ""}}, "does not belong"),
        ({"files": {"tests/test_a.py": ""}}, "does not belong"),
        ({"files": {"addon/x.py": "P = '/home/me/x'"}}, "addon/x.py names /home/me"),
        ({"listed": ["c-1-py3-none-any.whl"]}, "c-1-py3-none-any.whl is listed and missing"),
        ({"listed": ["c-1-py3-none-any.whl"]}, "b-1-py3-none-any.whl is not listed"),
        ({"wheels": ["a-1-cp313-cp313-manylinux_2_28_x86_64.whl"]}, "not for Python 3.11"),
        ({"wheels": ["a-1-cp311-cp311-win_amd64.whl"]}, "not for linux-x64"),
        ({"wheels": ["numpy-1-py3-none-any.whl"]}, "numpy"),
        ({"wheels": ["a-1-py3-none-any.whl", "a-2-py3-none-any.whl"]}, "the same package"),
        ({"manifest": 'blender_version_min = "1"\nwheel = 1\n[a]\n'}, "does not know"),
    ],
)
def test_faults_of_a_zip_are_found(bare, changed: dict[str, Any], said: str) -> None:
    assert any(said in line for line in bare(**changed))
