"""``import likeness``: exactly these names, documented, and nothing loaded before it is used."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import warnings
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import FunctionType
from typing import Any

import likeness
import numpy as np
import pytest
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import JOINT_INDEX
from likeness.engine.core.version import VERSION
from likeness.engine.motion.io import save_motion
from likeness.engine.motion.prepare_motion import motion_from_poses
from likeness.engine.pipeline import build as pipeline
from PIL import Image

from .recipe_stand_in import person

ROOT = Path(__file__).resolve().parents[1]

FUNCTIONS = {
    "build": "photo, options=None, *, views=(), out=None, preview=True, body=None, progress=None",
    "camera": "avatar, pose=None, *, focus='full', yaw=0.0, pitch=0.0, width=768, height=768",
    "clip": "avatar, out, options, progress=None",
    "edit": "avatar, out, *, add=(), values=None, remove=(), edited=None, portrait=None, "
    "part=None, tint=(), network=None, looks=(), restore=False, progress=None",
    "export": "avatar, out, pose=None, options=None, progress=None",
    "load": "avatar",
    "motion": "avatar, file, *, fps=None, frames=None, expression=None",
    "pose": "avatar, name=None, *, expression=None, frame=0",
    "render": "avatar, pose=None, camera=None, *, background=None, out=None, backend='auto', "
    "refiner=None, polish=False, light=None, light_turn=0.0, light_exposure=0.0, relight=1.0",
    "save": "avatar, out",
    "simplify": "avatar, max_gaussians",
    "speak": "audio, out, options=None, *, body=None, progress=None",
    "splats": "avatar, pose=None",
    "track": "media, out, options=None, *, overlay=None, body=None, progress=None",
}
"""What programs of others call. A change here is a change for them: say so where it is told what
is new, and do not take away what was there without a version of warnings."""

TYPES = {
    "Avatar",
    "BuildOptions",
    "BuildResult",
    "Camera",
    "Clip",
    "ClipOptions",
    "ExportOptions",
    "Gaussians",
    "LikenessError",
    "Motion",
    "Pose",
    "SpeakFiles",
    "SpeakOptions",
    "TrackFiles",
    "TrackOptions",
    "VrmOptions",
}
VALUES = {"JOINT_NAMES"}


# The list -----------------------------------------------------------------------------------


def test_these_are_the_public_names() -> None:
    assert sorted(likeness.__all__) == sorted({*FUNCTIONS, *TYPES, *VALUES})
    assert set(likeness.__all__) <= set(dir(likeness))
    assert likeness.__version__ == VERSION
    everything: dict[str, Any] = {}
    exec("from likeness import *", everything)
    assert set(likeness.__all__) <= set(everything)


def test_old_names_work_with_a_warning() -> None:
    avatar = person()
    with pytest.warns(DeprecationWarning, match="simplify"):
        level = likeness.level
    assert len(level(avatar, count=50).gaussians) == 50
    assert "level" not in likeness.__all__


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (n for n in tree.body if isinstance(n, ast.If) and isinstance(n.test, ast.Name))
    told = {
        alias.asname: alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == {name: name for name in likeness.__all__}
    assert (ROOT / "py.typed").is_file()


def plain(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(annotation=inspect.Parameter.empty)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_typed_and_documented(name: str) -> None:
    function = getattr(likeness, name)
    assert isinstance(function, FunctionType)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    parameters = signature.parameters.values()
    assert all(p.annotation is not inspect.Parameter.empty for p in parameters)
    bare = signature.replace(
        parameters=[plain(p) for p in parameters], return_annotation=inspect.Signature.empty
    )
    assert str(bare) == f"({FUNCTIONS[name]})"
    text = inspect.getdoc(function) or ""
    assert name == "splats" or "LikenessError: " in text  # with when it is raised
    assert name == "splats" or "Raises:\n" in text
    words = set(re.findall(r"\w+", text))
    said = {"avatar", "progress", "options", "out"}  # what the first line or the type says
    assert not {p.name for p in parameters} - words - said
    returns = str(signature.return_annotation)
    if returns in ("Pose", "Gaussians", "FloatArray", "Motion"):
        assert re.search(r"Returns:\n.*\[", text, re.DOTALL), "the shapes"


@pytest.mark.parametrize("name", sorted(TYPES))
def test_types_are_documented(name: str) -> None:
    kind = getattr(likeness, name)
    assert is_dataclass(kind) or issubclass(kind, Exception)
    text = inspect.getdoc(kind) or ""
    assert not text.startswith(f"{name}("), "a docstring of its own"
    assert len(text) > 40


def test_what_is_not_there_is_told_as_ever() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'buidl'"):
        likeness.buidl  # noqa: B018
    assert not hasattr(likeness, "bl_info")
    with pytest.raises(ImportError):
        from likeness import buidl  # noqa: F401


LOADED = """
import sys, json
before = set(sys.modules)
import likeness
hasattr(likeness, "bl_info"); dir(likeness); likeness.register
first = sorted(m for m in set(sys.modules) - before if not m.startswith("_"))
likeness.LikenessError
second = sorted(m for m in ("numba", "scipy", "PIL", "torch", "bpy") if m in sys.modules)
print(json.dumps([first, second]))
"""


def test_importing_the_package_loads_nothing_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    first, second = json.loads(done.stdout)
    assert [name for name in first if name.startswith("likeness")] == ["likeness"]
    assert not {"numpy", "click", "importlib.metadata", "tomllib", "bpy"} & set(first)
    assert not second


UNDER_ANOTHER_NAME = """
import importlib.util, sys, types
folder = sys.argv[1]
for name in ("bl_ext", "bl_ext.user_default"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
name = "bl_ext.user_default.likeness"
spec = importlib.util.spec_from_file_location(
    name, folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules[name] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert module.Pose.__module__ == name + ".engine.core.types"
try:
    module.load("nobody.safetensors")
except module.LikenessError as error:
    print(error)
assert "likeness" not in sys.modules
"""


def test_it_works_as_an_extension_whose_name_is_another() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNDER_ANOTHER_NAME, str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "'nobody.safetensors' does not exist" in done.stdout


# What they do -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def avatar() -> likeness.Avatar:
    """The recipes' person of boxes, in one grey, before a small camera."""
    made = person()
    grey = np.full_like(made.gaussians.colors, 0.25)
    gaussians = replace(made.gaussians, colors=grey)
    return replace(made, gaussians=gaussians, camera=photo_camera(100, 64, 80))


def test_load_save_and_level(avatar: likeness.Avatar, tmp_path: Path) -> None:
    path = likeness.save(avatar, str(tmp_path / "a.safetensors"))
    again = likeness.load(path)
    np.testing.assert_array_equal(again.gaussians.triangle, avatar.gaussians.triangle)
    few = likeness.simplify(again, 100)
    assert len(few.gaussians) == 100
    assert few.gaussians.scales[0, 0] > again.gaussians.scales[0, 0]  # grown to fill in


def test_pose(avatar: likeness.Avatar, tmp_path: Path) -> None:
    assert likeness.pose(avatar) is avatar.pose
    wave = likeness.pose(avatar, "wave", expression="smile=0.5,jawOpen=0.2")
    assert wave.full_pose.shape == (55, 3)
    assert np.abs(wave.full_pose[JOINT_INDEX["right_shoulder"]]).max() > 0.1
    np.testing.assert_array_equal(wave.transl, avatar.pose.transl)
    assert wave.expression[avatar.body.expression_index["jawOpen"]] == 0.2
    open_mouth = likeness.pose(avatar, expression={"jawOpen": 0.7})
    assert open_mouth.expression.sum() == 0.7
    full_pose = np.zeros((3, 55, 3))
    full_pose[2, JOINT_INDEX["left_elbow"], 1] = -0.5
    moving = motion_from_poses(full_pose, np.zeros((3, 3)), avatar.body.num_expression, 30.0)
    save_motion(moving, tmp_path / "m.npz", avatar.body)
    third = likeness.pose(avatar, tmp_path / "m.npz", frame=2)
    assert third.full_pose[JOINT_INDEX["left_elbow"], 1] == pytest.approx(-0.5)
    for wrong in (
        lambda: likeness.pose(avatar, "dab"),
        lambda: likeness.pose(avatar, "no.npz"),
        lambda: likeness.pose(avatar, expression="grin"),
        lambda: likeness.pose(avatar, expression={"grin": 1.0}),
    ):
        with pytest.raises(likeness.LikenessError):
            wrong()


def test_splats_stand_where_the_body_does(avatar: likeness.Avatar) -> None:
    wave = likeness.pose(avatar, "wave")
    splats = likeness.splats(avatar, wave)
    vertices, _ = avatar.body.vertices(wave)
    corners = vertices[avatar.body.f[avatar.gaussians.triangle]]
    middle = (corners * avatar.gaussians.bary[..., None]).sum(1)
    np.testing.assert_allclose(splats.means, middle, atol=1e-5)
    assert splats.means.dtype == np.float32


def test_render(avatar: likeness.Avatar, tmp_path: Path) -> None:
    transparent = likeness.render(avatar)
    assert transparent.shape == (80, 64, 4)
    assert transparent.dtype == np.float32
    shown = transparent[..., 3] > 0.99
    assert 0.05 < shown.mean() < 0.6
    np.testing.assert_allclose(transparent[shown][:, :3], 0.25, atol=0.01)
    side = likeness.camera(avatar, yaw=90, focus="upper", width=48, height=40)
    picture = likeness.render(
        avatar, camera=side, background="white", out=tmp_path / "new" / "a.png"
    )
    assert picture.shape == (40, 48, 3)
    assert picture[0, 0].tolist() == [1, 1, 1]
    with Image.open(tmp_path / "new" / "a.png") as kept:
        np.testing.assert_array_equal(np.asarray(kept), np.round(picture * 255).astype(np.uint8))
    for options in (
        {"background": "greenish"},
        {"out": tmp_path / "a.txt"},
        {"backend": "paper"},
        {"out": tmp_path / "a.jpg"},
        {"out": tmp_path / "a.mp4"},
    ):
        with pytest.raises(likeness.LikenessError) as refused:
            likeness.render(avatar, **options)
        assert refused.value.remedy
    with pytest.raises(likeness.LikenessError, match="toes"):
        likeness.camera(avatar, focus="toes")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_motion_export_and_clip(avatar: likeness.Avatar, tmp_path: Path) -> None:
    full_pose = np.zeros((4, 55, 3))
    full_pose[:, JOINT_INDEX["left_elbow"], 1] = np.linspace(0, -1, 4)
    moving = motion_from_poses(full_pose, np.zeros((4, 3)), avatar.body.num_expression, 30.0)
    save_motion(moving, tmp_path / "m.npz", avatar.body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        motion = likeness.motion(avatar, tmp_path / "m.npz", frames=(1, 3), expression="smile")
    assert len(motion) == 2
    assert motion.pose(1).full_pose[JOINT_INDEX["left_elbow"], 1] == pytest.approx(-2 / 3)
    assert motion.expression.max() > 0.3
    files = likeness.export(avatar, tmp_path / "me_%04d.ply", motion)
    assert [file.name for file in files] == ["me_0000.ply", "me_0001.ply"]
    options = likeness.ExportOptions(texture=64)
    (scene,) = likeness.export(avatar, str(tmp_path / "me.glb"), options=options)
    assert scene.read_bytes()[:4] == b"glTF"
    still = likeness.ClipOptions(turntable=True, seconds=0.1, width=32, height=32)
    clip = likeness.clip(avatar, tmp_path / "turn", still)
    assert clip.frames == len(list((tmp_path / "turn").iterdir())) == 3
    with pytest.raises(likeness.LikenessError, match="no format"):
        likeness.export(avatar, tmp_path / "me.doc")


def test_build_hands_on_what_it_is_given(
    avatar: likeness.Avatar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/test_recipes.py builds a real one."""
    asked: list[Any] = []

    def built(*given: Any) -> likeness.BuildResult:
        asked.append(given)
        nothing: Any = None
        return likeness.BuildResult(avatar, {"warnings": ["w"]}, nothing, nothing, nothing, nothing)

    monkeypatch.setattr(pipeline, "build_avatar", built)
    options = likeness.BuildOptions(refine="off")
    out = tmp_path / "new" / "anna"
    made = likeness.build("a.jpg", options, views={"back": "b.jpg"}, out=out, preview=False)
    assert made.avatar is avatar
    photo, given, progress, body, others = asked[0]
    assert (photo, given, progress, body) == (Path("a.jpg"), options, None, None)
    assert [(other.path, other.direction) for other in others] == [(Path("b.jpg"), "back")]
    assert sorted(path.name for path in out.iterdir()) == ["avatar.safetensors", "report.json"]
    likeness.build(Path("a.jpg"), views=["b.jpg"], body="own.npz")
    assert asked[1][3] == Path("own.npz")
    assert asked[1][4][0].direction == "any"
    (tmp_path / "taken").write_text("")
    with pytest.raises(likeness.LikenessError, match="a file, not a folder"):
        likeness.build("a.jpg", out=tmp_path / "taken")
    with pytest.raises(likeness.LikenessError, match="above"):
        likeness.build("a.jpg", views={"above": "b.jpg"})
    assert len(asked) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_gaussians": 3},
        {"person": -1},
        {"person": 0},
        {"fov": float("nan")},
        {"fov": 170},
        {"person": True},
        {"max_gaussians": None},
        {"refine": "well"},
    ],
)
def test_options_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(likeness.LikenessError) as refused:
        likeness.BuildOptions(**wrong)
    assert refused.value.remedy


def test_build_and_track_refuse_what_is_no_photo(tmp_path: Path) -> None:
    for call in (
        lambda: likeness.build(tmp_path / "no.jpg", out=tmp_path / "out"),
        lambda: likeness.track(tmp_path / "no.jpg", tmp_path / "out.npz"),
    ):
        with pytest.raises(likeness.LikenessError, match=r"no\.jpg") as refused:
            call()
        assert refused.value.remedy
    assert not list(tmp_path.iterdir())
