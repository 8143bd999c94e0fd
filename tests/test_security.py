"""What SECURITY.md promises, held by reading the source and by trying it."""

from __future__ import annotations

import ast
import os
import pickle
import re
import signal
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("engine", "addon", "operators", "panels", "tasks")
SOURCES = [p for room in ROOMS for p in sorted((ROOT / room).rglob("*.py"))] + [
    ROOT / "build.py",
    ROOT / "__init__.py",
    ROOT / "__main__.py",
]

RUNS_FILES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}
"""Modules that make objects, and so programs, out of files."""

FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "os.execv",
    "os.execvp",
    "os.spawnl",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "tempfile.mktemp",
    "shutil.unpack_archive",
    "pty.spawn",
}

MAY = {
    "np.load": {"engine/tracking/estimators/dump.py", "engine/tracking/checkpoint.py"},
    "torch.load": {"engine/training/perceptual.py"},
    "torch.jit.load": {"engine/network/encoders/torchscript.py"},
    "urllib.request.urlopen": {"engine/files/downloads.py"},
    "subprocess.run": {
        "addon/workers/plan.py",
        "addon/scene_export.py",
        "build.py",
        "engine/bake/assets.py",
    },
    "subprocess.Popen": {
        "addon/blend_file.py",
        "addon/workers/watchdog.py",
        "engine/imaging/video_writer.py",
        "engine/workflows/worker/library.py",
    },
}
"""Calls that need care, and the only files that may have them (tasks/ is the developers' own)."""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def given(call: ast.Call, name: str) -> Any:
    for keyword in call.keywords:
        if keyword.arg == name:
            return ast.literal_eval(keyword.value)
    return None


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_runs_what_a_file_says(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
        assert not {m.partition(".")[0] for m in modules} & RUNS_FILES, f"{path}:{node.lineno}"
    for function, call in calls(path):
        where = f"{named(path)}:{call.lineno} calls {function}"
        assert function not in FORBIDDEN, where
        assert function.rpartition(".")[2] not in ("extractall", "read_pickle", "gopen") or (
            named(path).startswith("tasks/")
        ), where
        if function in MAY and not named(path).startswith("tasks/"):
            assert named(path) in MAY[function] or function == "np.load", where
        for keyword in call.keywords:
            assert keyword.arg != "shell", where
            assert keyword.arg != "trust_remote_code" or given(call, keyword.arg) is False, where
        if function in ("np.load", "numpy.load"):
            assert given(call, "allow_pickle") is False, where
        if function == "torch.load":
            assert given(call, "weights_only") is True, where


def test_untrusted_arrays_go_through_one_place() -> None:
    """np.load takes memory by what a header says; formats/untrusted.py looks first."""
    readers = {named(p) for p in SOURCES for function, _ in calls(p) if function == "np.load"}
    own = {"addon/scene/dressed_body.py"}  # what our worker wrote a moment ago
    assert readers <= MAY["np.load"] | own


# A pickle in every disguise -----------------------------------------------------------------


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return (open, (str(self.marker), "w"))


def body(path: Path) -> object:
    from likeness.engine.body.body_file import load_body

    return load_body(path)


def motion(path: Path) -> object:
    from likeness.engine.motion.io import load_motion

    return load_motion(path, 52)


def avatar(path: Path) -> object:
    from likeness.engine.formats.avatar import load_avatar

    return load_avatar(path)


def network(path: Path) -> object:
    torch = pytest.importorskip("torch")
    from likeness.engine.network.network_files import load_weights

    return load_weights(torch.nn.Linear(2, 2), path)


def backbone(path: Path) -> object:
    pytest.importorskip("torch")
    from likeness.engine.training.perceptual import _read

    return _read(path)


def script(path: Path) -> object:
    pytest.importorskip("torch")
    from likeness.engine.network.encoders.torchscript import load_torchscript

    return load_torchscript(path)


def estimate(path: Path) -> object:
    from likeness.engine.tracking.estimators.dump import read_dump

    found = read_dump(path)
    if not found.arrays:  # pickled ones are left out, which is as good as refused
        raise LikenessError(f"'{path}' has no arrays.", "Choose another file.")
    return found


def parts(path: Path) -> object:
    from likeness.engine.synth.parts_file import load_parts

    path.rename(path.with_name("parts.npz"))
    return load_parts(path.parent)


def disguised(trap: Trap, path: Path, form: str) -> Path:
    plain = pickle.dumps(trap)
    if form == "plain":
        path.write_bytes(plain)
    elif form == "npy":
        np.save(path.with_suffix(".npy"), np.array([trap], object), allow_pickle=True)
        path.with_suffix(".npy").replace(path)
    elif form == "npz":
        arrays = {name: np.array([trap], object) for name in ("poses", "v_template", "f", "about")}
        with path.open("wb") as file:
            np.savez(file, **arrays)
    else:
        with zipfile.ZipFile(path, "w") as archive:  # as torch.save writes it
            archive.writestr("archive/data.pkl", plain)
            archive.writestr("archive/version", "3\n")
            archive.writestr("archive/byteorder", "little")
    return path


@pytest.mark.parametrize("form", ["plain", "npy", "npz", "torch"])
@pytest.mark.parametrize(
    ("read", "name"),
    [
        (body, "a.npz"),
        (body, "a.pkl"),
        (motion, "a.npz"),
        (motion, "a.npy"),
        (motion, "a.pkl"),
        (avatar, "avatar.safetensors"),
        (network, "decoder.safetensors"),
        (backbone, "a.pth"),
        (backbone, "a.safetensors"),
        (script, "a.pt2"),
        (script, "a.ckpt"),
        (estimate, "a.npz"),
        (estimate, "a.pkl"),
        (parts, "a.npz"),
    ],
)
def test_a_pickle_is_refused_and_does_not_run(
    read: Callable[[Path], object], name: str, form: str, tmp_path: Path
) -> None:
    trap = Trap(tmp_path / "ran")
    path = disguised(trap, tmp_path / name, form)
    with pytest.raises(LikenessError) as refused:
        read(path)
    assert refused.value.remedy
    assert not trap.marker.exists()


def test_the_trap_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "ran"))).close()
    assert (tmp_path / "ran").exists()


# Things that are no files -------------------------------------------------------------------


def bvh(path: Path) -> object:
    from likeness.engine.motion.bvh import read_bvh

    return read_bvh(path)


def bones(path: Path) -> object:
    from likeness.engine.motion.bone_maps import read_bone_map

    return read_bone_map(path)


def picture(path: Path) -> object:
    from likeness.engine.imaging.load import load_portrait

    return load_portrait(path)


def texture(path: Path) -> object:
    from likeness.engine.wardrobe.asset_files import load_picture

    return load_picture(path)


def ply(path: Path) -> object:
    from likeness.engine.scene.static_splats import check_ply_fields

    check_ply_fields(path)
    from likeness.engine.formats.ply import read_ply

    return read_ply(path)


def spz(path: Path) -> object:
    from likeness.engine.formats.spz import read_spz

    return read_spz(path)


def clip(path: Path) -> object:
    from likeness.engine.imaging.video import VideoReader

    return VideoReader(path)


def garment(path: Path) -> object:
    from likeness.engine.wardrobe.asset_files import load_garment

    return load_garment(path)


READERS = (picture, clip, avatar, body, motion, bvh, bones, ply, spz, texture, garment)


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


def _empty(folder: Path) -> Path:
    (folder / "a b\nü 人.x").write_bytes(b"")
    return folder / "a b\nü 人.x"


def _endless(folder: Path) -> Path:
    return Path("/dev/zero")


def _long(folder: Path) -> Path:
    return folder / ("x" * 5000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes and devices of Unix")
@pytest.mark.parametrize("make", [_pipe, _loop, _empty, _endless, _long, lambda folder: folder])
@pytest.mark.parametrize("read", READERS)
def test_what_is_no_file_is_refused_at_once(
    read: Callable[[Path], object], make: Callable[[Path], Path], tmp_path: Path
) -> None:
    class WaitsForever(BaseException):
        """No reader catches it, as it would a TimeoutError."""

    def stop(*_: object) -> None:
        raise WaitsForever

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    try:
        with pytest.raises(LikenessError) as refused:
            read(make(tmp_path))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert refused.value.remedy


def test_odd_names_are_only_names(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a b.png", "ü 人物.png", "two\nlines.png", "-rf.png", "$(touch x).png", "a;b.png"):
        Image.new("RGB", (80, 80)).save(tmp_path / name)
        picture(tmp_path / name)


def test_no_picture_is_drawn_by_another_program(tmp_path: Path) -> None:
    """Pillow hands PostScript to Ghostscript."""
    from PIL import Image

    Image.new("RGB", (80, 80)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    with pytest.raises(LikenessError, match="not a picture"):
        picture(tmp_path / "a.png")


def test_a_jpeg_of_endless_passes_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "a.jpg"
    Image.new("RGB", (2000, 2000)).save(path, progressive=True)
    whole = path.read_bytes()
    last = whole.rindex(b"\xff\xda")
    path.write_bytes(whole[:last] + whole[last:-2] * 3000 + whole[-2:])
    with pytest.raises(LikenessError, match="passes"):
        picture(path)


# Names from tables and archives -------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "a/b", "ü x/y", "a b", "..a", "-x"])
def test_names_inside(name: str, tmp_path: Path) -> None:
    from likeness.engine.files.folders import safe_join

    assert safe_join(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/../../b", "/etc/x", "//host/x", "C:\\x", "..\\x", "a\0b", "link/x"],
)
def test_names_outside(name: str, tmp_path: Path) -> None:
    from likeness.engine.files.folders import safe_join

    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(LikenessError, match="not lie inside") as refused:
        safe_join(folder, name)
    assert refused.value.remedy


# The network --------------------------------------------------------------------------------


def test_addresses_of_weights_are_encrypted_and_hold_no_pickles() -> None:
    from likeness.engine.files.downloads import SNAPSHOT_FILES
    from likeness.engine.files.weights import WEIGHTS

    for entry in WEIGHTS.values():
        assert not entry.url or entry.url.startswith("https://")
        for file in entry.files:
            pickled = Path(file.name).suffix in (".pth", ".pt", ".bin", ".ckpt", ".pkl")
            assert not pickled or file.sha256, f"{file.name} needs a digest"
    ends = {Path(pattern).suffix for pattern in SNAPSHOT_FILES}
    assert not ends & {".bin", ".pt", ".pth", ".pkl", ".ckpt", ".py", ""}


def test_permissions_are_few_and_explained() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert set(manifest["permissions"]) == {"files", "network", "camera"}
    for name, reason in manifest["permissions"].items():
        assert reason
        assert re.search(rf"^\| `{name}` \|", page, re.MULTILINE)
