"""The rule of rooms (docs/ARCHITECTURE.md): who may import whom, read from the source.

Imports within functions and those for type checkers count like any others.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from likeness.engine.workflows.batch.code_version import code_files

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("engine", "addon", "operators", "panels")
MAY_IMPORT = {
    "engine": {"engine"},
    "addon": {"addon", "engine"},
    "operators": {
        "operators",
        "addon",
        "engine.core.types",
        "engine.pipeline.options",  # descriptions of options, light to import
        "engine.workflows.options",
    },
    "panels": {"panels", "addon", "engine.core.types"},
}
PRODUCT = (
    "core",
    "files",
    "render",
    "imaging",
    "body",
    "dual_uv",
    "formats",
    "poses",
    "gaussians",
    "wardrobe",
    "network",
    "visual",
    "scene",
    "motion",
    "tracking",
    "pipeline",
    "workflows",
)
"""The rooms of engine/ that users run, from the ground up: each may import those before it."""
WING = ("dataset", "bake", "synth", "training", "generative", "evaluation")
"""The training wing: it may import the product and what stands before it here, never the
reverse."""
LIFT = (
    "grids",
    "surface",
    "face",
    "pixels",
    "occlusion",
    "garments",
    "shape",
    "skirts",
    "photo",
    "colors",
    "splats",
    "hair",
    "accessories",
)
"""The rooms of engine/gaussians/lift/, likewise from the ground up."""
MAX_FLAT_ROOMS = 33
BLENDER = {"bpy", "bmesh", "mathutils", "gpu", "blf", "bl_math", "addon_utils", "bpy_extras"}
NEVER = {"cv2", "mediapipe", "skimage", "pickle", "smplx"}
TORCH_ROOM = "engine/training/"
TORCH_FILES = {
    "engine/body/skinning_torch.py",
    "engine/gaussians/posing_torch.py",
    "engine/generative/gpu.py",
    "engine/generative/loading.py",
    "engine/network/create.py",
    "engine/network/guava/branches.py",
    "engine/network/guava/guava_network.py",
    "engine/network/guava/refined_render.py",
    "engine/network/guava/style_unet.py",
    "engine/network/perse/learned_looks.py",
    "engine/network/perse/lora.py",
    "engine/network/perse/perse_network.py",
    "engine/network/perse/transfer.py",
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
    "engine/tracking/estimators/torchscript_model.py",
}


@dataclass(frozen=True)
class Import:
    """``module`` with leading dots resolved: relative ones start with a room, or are outside."""

    file: str
    line: int
    module: str
    relative: bool
    at_top: bool


@cache
def imports(path: Path) -> tuple[Import, ...]:
    return tuple(_read_imports(path))


@cache
def is_module(name: str) -> bool:
    """Whether a dotted name, without leading dots, is a folder or a file of the package."""
    place = ROOT / name.replace(".", "/")
    return place.is_dir() or place.with_suffix(".py").is_file()


def _read_imports(path: Path) -> Iterator[Import]:
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
                target = whole if is_module(".".join(whole)) else base
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


@cache
def all_imports() -> list[Import]:
    """Every import of every room; seconds, which collecting the tests need not take."""
    return [i for path in sources(*ROOMS) for i in imports(path)]


TOP = [i for name in ("__init__.py", "__main__.py") for i in imports(ROOT / name)]


def within(module: str, allowed: str) -> bool:
    return module == allowed or module.startswith(allowed + ".")


def where(found: list[Import]) -> str:
    return "; ".join(f"{i.file}:{i.line} imports {i.module}" for i in found)


def test_there_is_something_to_check():
    assert len(sources("engine")) > 10
    assert any(i.relative and i.module == "engine.core.types" for i in all_imports())


@pytest.mark.parametrize("room", ROOMS)
def test_top_rooms_import_only_what_they_may(room):
    wrong = [
        i
        for i in all_imports()
        if i.file.startswith(room + "/")
        and i.relative
        and not any(within(i.module, allowed) for allowed in MAY_IMPORT[room])
    ]
    assert not wrong, where(wrong)


def engine_room(path: str) -> str:
    """The room of a file of engine/; empty for ``engine/__init__.py``."""
    parts = path.split("/")
    return parts[1] if parts[0] == "engine" and len(parts) > 2 else ""


def imported_files() -> dict[str, set[str]]:
    """Every file of the package with the files that it imports."""
    graph: dict[str, set[str]] = {p.relative_to(ROOT).as_posix(): set() for p in sources(*ROOMS)}
    for one in all_imports():
        path = one.module.replace(".", "/")
        target = f"{path}.py" if f"{path}.py" in graph else f"{path}/__init__.py"
        if one.relative and target in graph and target != one.file:
            graph[one.file].add(target)
    return graph


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """Some files that import one another in a circle; empty where none do."""
    finished: set[str] = set()
    for start in graph:
        path: list[str] = []
        waiting = [(start, iter(sorted(graph[start])))] if start not in finished else []
        path += [start] if waiting else []
        while waiting:
            file, following = waiting[-1]
            target = next(following, None)
            if target is None:
                finished.add(file)
                waiting.pop()
                path.pop()
            elif target in path:
                return [*path[path.index(target) :], target]
            elif target not in finished:
                waiting.append((target, iter(sorted(graph[target]))))
                path.append(target)
    return []


def test_every_room_of_the_engine_is_on_the_list():
    folders = {p.parent.name for p in (ROOT / "engine").glob("*/__init__.py")}
    assert folders == {*PRODUCT, *WING}
    assert [p.name for p in (ROOT / "engine").glob("*.py")] == ["__init__.py"]
    outside = [p for p in ROOT.iterdir() if p.suffix == ".py" or any(p.glob("*.py"))]
    assert len(folders) + len([p for p in outside if p.name != "engine"]) <= MAX_FLAT_ROOMS


def test_rooms_import_only_rooms_below():
    order = [*PRODUCT, *WING]
    wrong = []
    for file, targets in imported_files().items():
        room = engine_room(file)
        for target in sorted(targets) if room else ():
            other = engine_room(target)
            if other and order.index(other) > order.index(room):
                wrong.append(f"{file} imports {target}")
    assert not wrong, wrong


def test_rooms_of_the_lift_import_only_rooms_below():
    folder = "engine/gaussians/lift/"
    rooms = {p.parent.name for p in (ROOT / folder).glob("*/__init__.py")}
    assert rooms == set(LIFT)
    within = {f: t for f, t in imported_files().items() if f.startswith(folder)}
    assert len(within) > 100
    wrong = []
    for file, targets in within.items():
        room = file.removeprefix(folder).split("/")[0]
        for target in sorted(targets) if room in LIFT else ():
            other = target.removeprefix(folder).split("/")[0]
            below = other in LIFT and LIFT.index(other) <= LIFT.index(room)
            if target.startswith(folder) and not below:
                wrong.append(f"{file} imports {target}")
    assert not wrong, wrong


def test_no_files_import_each_other_in_a_circle():
    graph = imported_files()
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert sum(map(len, graph.values())) > 1000
    assert not find_circle(graph)


def test_rooms_say_what_they_are_for():
    for room in (*PRODUCT, *WING, *(f"gaussians/lift/{name}" for name in LIFT)):
        tree = ast.parse((ROOT / "engine" / room / "__init__.py").read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), room
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    places = [text.index(f"`engine/gaussians/lift/{name}/`") for name in LIFT]
    assert places == sorted(places)


def test_a_build_loads_nothing_of_the_training_wing():
    code = (
        "import sys; import likeness.engine.workflows.build_files, likeness.engine.pipeline.build; "
        "print(*(m for m in sys.modules if m.startswith('likeness.engine.')))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.split(".")[2] for name in run.stdout.split()}
    assert "pipeline" in loaded
    assert not loaded & set(WING)
    needed = needed_by("engine/workflows/build_files.py")
    assert not {file for file in needed if engine_room(file) in WING}


def test_the_engine_does_not_know_blender():
    wrong = [
        i
        for i in all_imports()
        if i.file.startswith("engine/") and i.module.split(".")[0] in BLENDER
    ]
    assert not wrong, where(wrong)


def test_inside_the_package_imports_are_relative():
    own = {"likeness", *ROOMS}
    wrong = [i for i in [*all_imports(), *TOP] if not i.relative and i.module.split(".")[0] in own]
    assert not wrong, where(wrong)


def test_loading_the_package_does_not_load_blender():
    wrong = [i for i in TOP if i.at_top and (i.module.split(".")[0] in BLENDER or i.relative)]
    wrong = [i for i in wrong if not i.file.endswith("__main__.py")]
    assert not wrong, where(wrong)


def may_need_torch(file: str) -> bool:
    return file in TORCH_FILES or file.startswith(TORCH_ROOM)


def test_torch_only_where_the_file_says_so_and_some_packages_nowhere():
    wrong = [
        i
        for i in all_imports()
        if i.module.split(".")[0] in NEVER
        or (i.module.split(".")[0] == "torch" and not may_need_torch(i.file))
    ]
    assert not wrong, where(wrong)


def test_torch_is_imported_only_when_asked_for():
    """Loading a file loads what it imports at its top, and what that imports at its top."""
    needing = {i.file for i in all_imports() if i.at_top and i.module.split(".")[0] == "torch"}
    assert needing
    at_top = [i for i in all_imports() if i.relative and i.at_top]
    while True:
        more = {
            i.file
            for i in at_top
            if {f"{i.module.replace('.', '/')}.py", f"{i.module.replace('.', '/')}/__init__.py"}
            & needing
        } - needing
        if not more:
            break
        needing |= more
    assert not {file for file in needing if not may_need_torch(file)}


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
    of_others = ("engine/generative/", "engine/synth/characters/", "engine/evaluation/")
    assert not {name for name in tables if not name.startswith(of_others)} - counts
    assert not {name for name in counts if name.startswith("engine/training/")}


def test_preferences_are_left_alone() -> None:
    """Factory settings switch this extension off, and Blender takes its packages away."""
    for path in sorted((ROOT / "addon").rglob("*.py")):
        assert "read_factory_settings" not in path.read_text(encoding="utf-8"), path
