"""Public functions of the engine say what arrays they take and which errors they raise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[1] / "engine"
ARRAYS = re.compile(r"\b(FloatArray|IntArray|BoolArray|NDArray|ndarray|Tensor)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_functions() -> Iterator[tuple[str, Function]]:
    """Every function and method without a leading underscore, with its place."""
    for path in sorted(ENGINE.rglob("*.py")):
        waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
        while waiting:
            for node in getattr(waiting.pop(), "body", []):
                if getattr(node, "name", "_").startswith("_"):
                    continue
                if isinstance(node, ast.ClassDef):
                    waiting.append(node)
                elif isinstance(node, Function):
                    yield f"{path.relative_to(ENGINE.parent)}:{node.lineno} {node.name}", node


def names_arrays(node: Function) -> bool | None:
    """Whether the docstring has shapes and names each array argument; None without arrays."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    typed = [a for a in arguments if a.annotation and ARRAYS.search(ast.unparse(a.annotation))]
    returned = node.returns is not None and ARRAYS.search(ast.unparse(node.returns))
    if not typed and not returned:
        return None
    text = ast.get_docstring(node) or ""
    return "[" in text and all(re.search(rf"\b{a.arg}\b", text) for a in typed)


def names_errors(node: Function) -> bool | None:
    """Whether the docstring has a section of errors; None where nothing is raised."""
    if not any(isinstance(inner, ast.Raise) and inner.exc for inner in ast.walk(node)):
        return None
    return "Raises:" in (ast.get_docstring(node) or "")


def test_arrays_have_shapes_and_errors_are_listed() -> None:
    functions = list(public_functions())
    for check in (names_arrays, names_errors):
        found = {place: check(node) for place, node in functions}
        judged = {place: good for place, good in found.items() if good is not None}
        missing = [place for place, good in judged.items() if not good]
        assert len(judged) > 200
        assert not missing
