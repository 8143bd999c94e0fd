"""The Blenders that the checks run in: bpy 4.5 and 5.0, and the executable named by ``BLENDER``.

That executable needs the core's packages for its own Python: put their folder, which must be called
``site-packages`` for the worker to get it, into PYTHONPATH.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import Avatar, BoundGaussians, Pose
from likeness.engine.files.weights import asset_path
from likeness.engine.formats.avatar import save_avatar
from PIL import Image

from tests.blender import inside
from tests.blender.versions import USUAL_VERSIONS
from tests.engine.wardrobe.conftest import person, person_file
from tests.extension_zip import extension_tasks
from tests.made_once import make_once

__all__ = ["person", "person_file"]

HERE, ROOT = inside.HERE, inside.ROOT


_AS_EXECUTABLE = (("-b", "--factory-startup", "--python-use-system-env", "-P"), ("--",))
"""What stands before and after the script's name."""


def blender_python(version: str) -> Path | None:
    """The interpreter with that Blender's bpy; None when it is not installed.

    4.5 is this environment's own; 5.0 lies in ``.venv-bpy50`` (``build.py test`` makes it) or
    where ``LIKENESS_BPY50`` says.
    """
    if version == "4.5":
        return Path(sys.executable) if importlib.util.find_spec("bpy") else None
    if version == "executable":
        return Path(os.environ["BLENDER"])
    folder = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    python = Path(os.environ.get("LIKENESS_BPY50") or ROOT / ".venv-bpy50" / folder)
    return python if python.exists() else None


class Blenders:
    """The checks of one version of Blender, with a user profile of their own below ``folder``.

    On Linux a Blender stays ready, and each check runs in a fork of it. Elsewhere, and in an
    executable, each check starts its own.

    Attributes:
        version: Of the Blender.
        longest: Seconds after which a check has hung. The longest take one minute on two slow
            cores.
    """

    longest = 1200.0

    def __init__(self, version: str, folder: Path) -> None:
        python = blender_python(version)
        if python is None:
            pytest.skip(f"No bpy {version}. Run 'python build.py test'.")
        self.version, self._folder, self._python = version, folder, python
        self._environment = {**os.environ, "BLENDER_USER_RESOURCES": str(folder / "user")}
        self._environment["NUMBA_NUM_THREADS"] = "2"  # with one, no thread would start
        self._forks = sys.platform == "linux" and version != "executable"
        self._ready: dict[str, subprocess.Popen[str]] = {}

    def __call__(self, module: str, function: str, **arguments: Any) -> Any:
        """Run a check, and return its answer."""
        return self._run(self._fork if self._forks else self._start, module, function, arguments)

    def alone(self, module: str, function: str, **arguments: Any) -> Any:
        """The same in a Blender of its own: a fork lacks OpenEXR's threads, and waits for them."""
        return self._run(self._start, module, function, arguments)

    def _run(
        self,
        run: Callable[[list[str], Path], bool],
        module: str,
        function: str,
        arguments: dict[str, Any],
    ) -> Any:
        result, log = self._folder / "result.json", self._folder / "log.txt"
        result.unlink(missing_ok=True)
        given = [module, function, json.dumps(arguments), str(result)]
        ended = run(given, log)
        said = log.read_text(encoding="utf-8", errors="replace").splitlines()
        where = f"{function} in Blender {self.version}"
        if not ended:
            tail = "\n".join(said[-40:])
            pytest.fail(f"{where} was not done after {self.longest} s:\n{tail}", pytrace=False)
        assert result.is_file(), f"{where}:\n" + "\n".join(said[-40:])
        return json.loads(result.read_text(encoding="utf-8"))

    def close(self) -> None:
        """End the Blenders that are ready."""
        for process in self._ready.values():
            process.communicate()

    def _start(self, given: list[str], log: Path) -> bool:
        before, after = _AS_EXECUTABLE if self.version == "executable" else ((), ())
        command = [self._python, *before, HERE / "inside.py", *after, *given]
        with log.open("w") as said:
            try:
                subprocess.run(
                    command,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    check=False,
                    timeout=self.longest,
                )
            except subprocess.TimeoutExpired:
                return False
        return True

    def _fork(self, given: list[str], log: Path) -> bool:
        kind = "bare" if inside.says(given[0], "INSTALLED") else "tree"
        if kind not in self._ready:
            with log.open("w") as said:
                self._ready[kind] = subprocess.Popen(
                    [self._python, HERE / "serving.py", kind],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    text=True,
                    env=self._environment,
                )
        process = self._ready[kind]
        assert process.stdin
        assert process.stdout
        request = {"arguments": given, "log": str(log), "timeout": self.longest}
        print(json.dumps(request), file=process.stdin, flush=True)
        answer = process.stdout.readline()
        assert answer, log.read_text(encoding="utf-8", errors="replace")
        return bool(json.loads(answer))


@pytest.fixture(scope="session")
def blenders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Blenders]]:
    """The checks of a version; its Blenders stay ready until all tests have run."""
    made: dict[str, Blenders] = {}

    def checks_in(version: str) -> Blenders:
        if version not in made:
            made[version] = Blenders(version, tmp_path_factory.mktemp(f"blender-{version}"))
        return made[version]

    yield checks_in
    for checks in made.values():
        checks.close()


@pytest.fixture(scope="session", params=USUAL_VERSIONS)
def blender(request: pytest.FixtureRequest, blenders: Callable[[str], Blenders]) -> Blenders:
    return blenders(request.param)


@pytest.fixture(scope="session")
def blender_lts(blenders: Callable[[str], Blenders]) -> Blenders:
    """Only Blender 4.5, for what takes long and does not depend on the version."""
    return blenders("4.5")


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension without wheels: both environments have the packages already."""
    pytest.importorskip("bpy", reason="Blender's builder comes with bpy")
    return make_once(tmp_path_factory, "extension", build_without_wheels) / "likeness.zip"


def build_without_wheels(folder: Path) -> None:
    """Write ``likeness.zip``, not compressed: ``whole_zip`` is built by Blender's own tool."""
    stage = folder / "likeness"
    stage.mkdir()
    extension_tasks().stage_extension(stage, asset_path("body").parent)
    (stage / "blender_manifest.toml").write_bytes((ROOT / "blender_manifest.toml").read_bytes())
    with zipfile.ZipFile(folder / "likeness.zip", "w") as archive:
        for path in sorted(file for file in stage.rglob("*") if file.is_file()):
            archive.write(path, path.relative_to(stage))


@pytest.fixture(scope="session")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An avatar of the synthetic body with 200 splats."""
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    n = 200
    gaussians = BoundGaussians(
        triangle=np.arange(n, dtype=np.int32) % len(body.f),
        bary=np.full((n, 3), 1 / 3, np.float32),
        offset=np.zeros((n, 3), np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)),
        scales=np.full((n, 3), (0.02, 0.02, 0.001), np.float32),
        opacities=np.full(n, 0.9, np.float32),
        colors=np.full((n, 3), 0.5, np.float32),
        layer=np.zeros(n, np.uint8),
    )
    pose = Pose.rest(body.num_expression)
    path = tmp_path_factory.mktemp("avatar") / "someone.safetensors"
    save_avatar(Avatar(body, gaussians, pose, photo_camera(100, 64, 80), "half"), path)
    return path


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "someone.png"
    Image.fromarray(np.full((80, 64, 3), 128, np.uint8)).save(path)
    return path
