"""One Blender with a window for all of these tests. See docs/gui_tests.md."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from likeness.benchmarks.figures.random_scenes import cover_body
from likeness.engine.body import load_body
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.formats.avatar import load_avatar, save_avatar
from likeness.engine.gaussians.swing_rig import make_swing_rig
from PIL import Image

from tests.blender.inside import load

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

Scenario = Callable[..., Any]


def module_at(name: str, path: Path, package: bool = False) -> Any:
    """A file of this tree that is not part of the package ``likeness``."""
    return sys.modules[name] if name in sys.modules else load(name, path, package)


window = module_at("gui_window", HERE / "window.py")


def zip_for(python: str, folder: Path) -> Path:
    """The extension for a Python: the one that LIKENESS_ZIP names, or made now."""
    given = os.environ.get("LIKENESS_ZIP")
    if given:
        return Path(shutil.copy2(given, folder))
    module_at("tasks", ROOT / "tasks" / "__init__.py", package=True)
    tasks = importlib.import_module("tasks.extension")
    if python not in tasks.BLENDER_RANGES:
        pytest.skip(f"No extension is made for Python {python}.")
    made: Path = tasks.build_extension(
        Path(sys.executable), asset_path("body").parent, tasks.detect_platform(), folder, python
    )
    return made


@pytest.fixture(scope="session")
def blender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The running Blender, nothing installed."""
    executable = os.environ.get("BLENDER")
    reason = window.missing(executable)
    if reason:
        pytest.skip(reason)
    shots = os.environ.get("LIKENESS_SHOTS")
    with window.blender_window(
        executable, tmp_path_factory.mktemp("blender"), shots=Path(shots) if shots else None
    ) as running:
        yield running


@pytest.fixture(scope="session")
def installed(blender: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the installation of the zip gave."""
    pytest.importorskip("bpy", reason="Blender's builder of extensions comes with bpy")
    path = zip_for(blender.python, tmp_path_factory.mktemp("zip"))
    answer: dict[str, Any] = blender.run(HERE / "scenarios.py", "install", 120, zip_path=str(path))
    return answer


@pytest.fixture
def gui(blender: Any, installed: dict[str, Any]) -> Scenario:
    """``gui(scenario, **arguments)`` plays a scenario and gives its answer.

    Those of other files than scenarios.py are named with their file: ``job_scenarios.cancel``.
    """

    def play(scenario: str, limit: float = 600, **arguments: Any) -> Any:
        file, _, function = scenario.rpartition(".")
        return blender.run(HERE / f"{file or 'scenarios'}.py", function, limit, **arguments)

    return play


@pytest.fixture(scope="session")
def photo(sample_portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sample portrait, where Blender can see it."""
    return str(shutil.copy2(sample_portrait, tmp_path_factory.mktemp("photo") / "somebody.png"))


@pytest.fixture(scope="session")
def video(sample_portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Six frames of the sample portrait, which moves a little."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    picture = np.asarray(Image.open(sample_portrait).convert("RGB").resize((480, 600)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=24)
        stream.width, stream.height, stream.pix_fmt = 480, 600, "yuv420p"
        for k in range(6):
            moved = np.ascontiguousarray(np.roll(picture, 2 * k, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode(None))
    return str(path)


@pytest.fixture(scope="session")
def voice(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording of three vowels with pauses: pulses of 120 Hz through two formants."""
    rate, path = 16000, tmp_path_factory.mktemp("voice") / "voice.wav"
    time = np.arange(rate // 2) / rate
    parts = [np.zeros(rate // 4)]
    for formants in ((750.0, 1250.0), (320.0, 2350.0), (360.0, 850.0)):
        pulses = np.zeros(len(time))
        pulses[:: rate // 120] = 1.0
        for formant in formants:
            ringing = np.exp(-250.0 * time) * np.sin(2 * np.pi * formant * time)
            pulses = np.convolve(pulses, ringing)[: len(time)]
        parts += [0.5 * pulses / np.abs(pulses).max(), np.zeros(rate // 4)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((32767 * np.concatenate(parts)).astype("<i2").tobytes())
    return str(path)


@pytest.fixture(scope="session")
def long_video(sample_portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Twenty seconds of the sample portrait's face, which sways."""
    path = tmp_path_factory.mktemp("video") / "face.mp4"
    picture = np.asarray(Image.open(sample_portrait).convert("RGB").resize((320, 320)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 320, "yuv420p"
        for k in range(200):
            moved = np.ascontiguousarray(np.roll(picture, round(4 * np.sin(k)), axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode(None))
    return str(path)


@pytest.fixture(scope="session")
def nobody(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A photo without a person."""
    path = tmp_path_factory.mktemp("nobody") / "nobody.png"
    noise = np.random.default_rng(0).integers(90, 130, (240, 320, 3))
    Image.fromarray(noise.astype(np.uint8)).save(path)
    return str(path)


def sample_avatar(path: Path, splats: int) -> None:
    """Write the default body under random splats."""
    save_avatar(cover_body(load_body(asset_path("body")), splats), path)


@pytest.fixture(scope="session")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small avatar's file."""
    path = tmp_path_factory.mktemp("avatar") / "somebody.safetensors"
    sample_avatar(path, 10_000)
    return str(path)


@pytest.fixture(scope="session")
def person(sample_portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real avatar: the file in LIKENESS_AVATAR, or one built from the sample portrait."""
    folder = tmp_path_factory.mktemp("person")
    given = os.environ.get("LIKENESS_AVATAR")
    if given:
        return str(shutil.copy2(given, folder / "somebody.safetensors"))
    options = ("--no-blend", "--refine", "off", "--max-gaussians", "60000")
    command = [sys.executable, "-m", "likeness", "build", str(sample_portrait), "-o", str(folder)]
    subprocess.run([*command, *options], check=True)
    return str(folder / "avatar.safetensors")


@pytest.fixture(scope="session")
def long_haired(person: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The person, who is given a curtain of hair if nothing on them could swing."""
    avatar = load_avatar(Path(person))
    try:
        make_swing_rig(avatar)
    except LikenessError:
        hair = module_at("synthetic_hair", HERE.parent / "blender" / "hair.py")
        path = tmp_path_factory.mktemp("hair") / "avatar.safetensors"
        save_avatar(hair.with_hair(avatar), path)
        return str(path)
    return person


@pytest.fixture(scope="session")
def cast(person: str, sample_portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of avatars as a batch leaves it: one has a picture."""
    folder = tmp_path_factory.mktemp("cast")
    for name in ("Ann", "Bob"):
        (folder / name).mkdir()
        shutil.copy2(person, folder / name / "avatar.safetensors")
    Image.open(sample_portrait).convert("RGB").resize((256, 256)).save(
        folder / "Ann" / "avatar.png"
    )
    return str(folder)


@pytest.fixture(scope="session")
def motions(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two jittery motions of a second each: raised arms, and a bending left knee."""
    folder, out = tmp_path_factory.mktemp("motions"), []
    for name, joints in (("arms", (16, 17)), ("knee", (4,))):
        poses = np.zeros((30, 55, 3))
        for sign, joint in zip((1, -1), joints):
            angle = np.linspace(0.2, 1.2, 30) + 0.1 * (np.arange(30) % 2)
            poses[:, joint, 2 if len(joints) > 1 else 0] = sign * angle
        path = folder / f"{name}.npz"
        np.savez(path, poses=poses.reshape(30, 165), trans=np.zeros((30, 3)), mocap_frame_rate=24.0)
        out.append(str(path))
    return out
