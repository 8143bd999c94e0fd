"""The rule of the house: who may import whom (DESIGN section 2), read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from likeness.engine.workflows.batch.code_version import code_files

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("engine", "addon", "operators", "panels")
MAY_IMPORT = {
    "engine": {"engine"},
    "addon": {"addon", "engine"},
    "operators": {"operators", "addon", "engine.core.types"},
    "panels": {"panels", "addon", "engine.core.types"},
}
BLENDER = {"bpy", "bmesh", "mathutils", "gpu", "blf", "bl_math", "addon_utils", "bpy_extras"}
NEVER = {"cv2", "mediapipe", "skimage", "pickle", "smplx"}
TORCH_FILES = {
    "engine/body/skinning_torch.py",
    "engine/evaluation/protocols/lpips.py",
    "engine/gaussians/posing_torch.py",
    "engine/generative/loading.py",
    "engine/network/tensor_batch.py",
    "engine/network/decoder.py",
    "engine/network/encoders/__init__.py",
    "engine/network/encoders/encoder.py",
    "engine/network/encoders/hub.py",
    "engine/network/encoders/compact_encoder.py",
    "engine/network/encoders/torchscript.py",
    "engine/network/network_files.py",
    "engine/network/dual_uv_network.py",
    "engine/network/onnx_export.py",
    "engine/network/shipping.py",
    "engine/network/torch_runtime.py",
    "engine/render/autograd.py",
    "engine/render/cuda.py",
    "engine/render/gpu.py",
    "engine/render/mesh_cuda.py",
    "engine/render/reference.py",
    "engine/render/tensors.py",
    "engine/tracking/estimators/sapiens.py",
    "engine/training/batches.py",
    "engine/training/checkpoint.py",
    "engine/training/config.py",
    "engine/training/data.py",
    "engine/training/devices.py",
    "engine/training/ema.py",
    "engine/training/evaluate.py",
    "engine/training/loop.py",
    "engine/training/lifting.py",
    "engine/training/losses.py",
    "engine/training/monitor.py",
    "engine/training/tensor_packing.py",
    "engine/training/perceptual.py",
    "engine/training/run_folder.py",
    "engine/training/schedule.py",
    "engine/training/step.py",
    "engine/training/trainer.py",
}


@dataclass(frozen=True)
class Import:
    """``module`` with leading dots resolved: relative ones start with a room, or are outside."""

    file: str
    line: int
    module: str
    relative: bool
    at_top: bool


def imports(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    file = path.relative_to(ROOT).as_posix()
    package = path.relative_to(ROOT).parent.parts
    in_functions = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) or _for_types_alone(outer)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        top = id(node) not in in_functions
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, False, top)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield Import(file, node.lineno, node.module or "", False, top)
        elif isinstance(node, ast.ImportFrom):
            up = node.level - 1
            assert up <= len(package), f"{file}:{node.lineno} imports from above the package"
            base = [*package[: len(package) - up], *(node.module or "").split(".")]
            base = [part for part in base if part]
            for alias in node.names:
                whole = [*base, alias.name]
                # "from .. import engine" names a room; "from ..engine import types" a module.
                names_module = (ROOT / Path(*whole)).is_dir() or (
                    ROOT / Path(*whole[:-1], f"{whole[-1]}.py")
                ).is_file()
                target = whole if names_module else base
                yield Import(file, node.lineno, ".".join(target), True, top)


def _for_types_alone(node: ast.AST) -> bool:
    """``if TYPE_CHECKING:``, which is never run."""
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def sources(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


ALL = [i for path in sources(*ROOMS) for i in imports(path)]
TOP = [i for name in ("__init__.py", "__main__.py") for i in imports(ROOT / name)]


def within(module: str, allowed: str) -> bool:
    return module == allowed or module.startswith(allowed + ".")


def where(found: list[Import]) -> str:
    return "; ".join(f"{i.file}:{i.line} imports {i.module}" for i in found)


def test_there_is_something_to_check():
    assert len(sources("engine")) > 10
    assert any(i.relative and i.module == "engine.core.types" for i in ALL)


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_what_they_may(room):
    wrong = [
        i
        for i in ALL
        if i.file.startswith(room + "/")
        and i.relative
        and not any(within(i.module, allowed) for allowed in MAY_IMPORT[room])
    ]
    assert not wrong, where(wrong)


def test_the_engine_does_not_know_blender():
    wrong = [i for i in ALL if i.file.startswith("engine/") and i.module.split(".")[0] in BLENDER]
    assert not wrong, where(wrong)


def test_inside_the_package_imports_are_relative():
    own = {"likeness", *ROOMS}
    wrong = [i for i in [*ALL, *TOP] if not i.relative and i.module.split(".")[0] in own]
    assert not wrong, where(wrong)


def test_loading_the_package_does_not_load_blender():
    wrong = [i for i in TOP if i.at_top and (i.module.split(".")[0] in BLENDER or i.relative)]
    wrong = [i for i in wrong if not i.file.endswith("__main__.py")]
    assert not wrong, where(wrong)


def test_torch_only_where_the_file_says_so_and_some_packages_nowhere():
    wrong = [
        i
        for i in ALL
        if i.module.split(".")[0] in NEVER
        or (i.module.split(".")[0] == "torch" and i.file not in TORCH_FILES)
    ]
    assert not wrong, where(wrong)


def test_torch_is_imported_only_when_asked_for():
    wrong = [i for i in ALL if i.relative and i.at_top and i.file not in TORCH_FILES]
    wrong = [i for i in wrong if f"{i.module.replace('.', '/')}.py" in TORCH_FILES]
    assert not wrong, where(wrong)


def needed_by(*files: str) -> set[str]:
    """What these files import, within functions too, and what those import in turn."""
    waiting, found = [*files], set[str]()
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        waiting += [f"{parent.as_posix()}/__init__.py" for parent in Path(file).parents[:-1]]
        for one in imports(ROOT / file):
            path = one.module.replace(".", "/")
            if one.relative and path:
                module = (ROOT / f"{path}.py").is_file()
                waiting.append(f"{path}.py" if module else f"{path}/__init__.py")
    return found


def test_all_code_that_makes_a_portrait_decides_whether_it_is_made_again():
    """A batch keeps results only of the same code (engine/workflows/batch/code_version.py)."""
    counts = {path.relative_to(ROOT).as_posix() for path in code_files()}
    needed = needed_by("engine/workflows/batch/make.py", "addon/blend_file.py")
    assert len(needed) > 100
    assert not needed - counts
    tables = {
        p.relative_to(ROOT).as_posix()
        for r in ("engine", "addon")
        for p in (ROOT / r).rglob("*")
        if p.suffix in (".toml", ".csv")
    }
    of_others = ("engine/generative/", "engine/synth/characters/")
    assert not {name for name in tables if not name.startswith(of_others)} - counts
    assert not {name for name in counts if name.startswith("engine/training/")}


def test_preferences_are_left_alone() -> None:
    """Factory settings switch this extension off, and Blender takes its packages away."""
    for path in sorted((ROOT / "addon").rglob("*.py")):
        assert "read_factory_settings" not in path.read_text(encoding="utf-8"), path
