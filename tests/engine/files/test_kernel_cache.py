"""The folder of compiled kernels follows the sources."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import likeness.engine
import pytest
from likeness.engine.files.kernel_cache import MAX_OTHERS, cache_folder, sources_digest

CALLEE = "import numba\n\n@numba.njit(cache=True)\ndef answer():\n    return {}\n"
CALLER = (
    "import numba\nfrom .callee import answer\n\n"
    "@numba.njit(cache=True)\ndef ask():\n    return answer()\n"
)
ASK = """
import os, sys
from pathlib import Path
from likeness.engine.files.kernel_cache import cache_folder
sources, caches = Path(sys.argv[1]), Path(sys.argv[2])
os.environ["NUMBA_CACHE_DIR"] = str(cache_folder(caches, "kernels", sources))
sys.path.insert(0, str(sources.parent))
from kernels.caller import ask
print(ask(), sum(ask.stats.cache_hits.values()))
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "callee.py").write_text(CALLEE.format(1))
    (folder / "caller.py").write_text(CALLER)
    return folder


def test_a_change_in_a_called_file_is_noticed(sources: Path, tmp_path: Path) -> None:
    def asked() -> str:
        command = [sys.executable, "-c", ASK, str(sources), str(tmp_path / "caches")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert asked() == "1 0"
    assert asked() == "1 1"
    (sources / "callee.py").write_text(CALLEE.format(22))
    assert asked() == "22 0"


def test_only_files_with_kernels_count(sources: Path) -> None:
    before = sources_digest(sources)
    (sources / "words.py").write_text("TEXT = 'nothing compiled'\n")
    (sources / "notes.txt").write_text("numba\n")
    assert sources_digest(sources) == before
    (sources / "callee.py").rename(sources / "called.py")
    assert sources_digest(sources) != before


def test_old_folders_go_and_fresh_ones_stay(sources: Path, tmp_path: Path) -> None:
    caches = tmp_path / "caches"
    for age in range(MAX_OTHERS + 4):  # two of today, the others of the days before
        folder = caches / f"a_b-{age:016d}"
        folder.mkdir(parents=True)
        stamp = time.time() - age * 12 * 3600.0 - 60.0
        os.utime(folder, (stamp, stamp))
    (caches / "another-0").mkdir()
    own = cache_folder(caches, "a.b", sources)
    assert own.parent == caches
    left = {path.name for path in caches.iterdir()} - {own.name, "another-0"}
    assert left == {f"a_b-{age:016d}" for age in range(MAX_OTHERS)}
    assert (caches / "another-0").is_dir()
    assert cache_folder(caches, "a.b", sources) == own


def test_a_folder_that_cannot_be_made_is_no_error(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert cache_folder(tmp_path / "file", "a", sources).parent == tmp_path / "file"


def test_the_engine_has_the_folder_of_its_sources() -> None:
    code = "import likeness.engine, os; print(os.environ['NUMBA_CACHE_DIR'])"
    env = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert likeness.engine.__file__
    digest = sources_digest(Path(likeness.engine.__file__).parent)
    assert Path(done.stdout.strip()).name == f"likeness_engine-{digest}"


def test_another_folder_has_a_part_for_each_state_of_the_sources(tmp_path: Path) -> None:
    code = "import likeness.engine, os; print(os.environ['NUMBA_CACHE_DIR'])"
    given = {"LIKENESS_KERNELS": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "none")}
    told = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **given}, capture_output=True, text=True
    ).stdout
    assert Path(told.strip()).parent == tmp_path
    assert Path(told.strip()).name.startswith("likeness_engine-")
