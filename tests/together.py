"""Which tests one process of tests runs: a file's, and those of some files that start the same."""

from __future__ import annotations

import re

_NEWER_BLENDER = re.compile(r"tests/blender/.*[\[-]5\.0[\]-]")
_INSTALLED = tuple(f"tests/blender/test_{name}.py" for name in ("extension", "shipping", "usage"))
_IMPORTS_FOR_LONG = {
    "tests/addon/cli/test_cli_network.py": "onnx",
    "tests/engine/network/test_onnx_export.py": "onnx",
    "tests/engine/network/test_shipping_weights.py": "onnx",
    "tests/engine/network/encoders/test_own_encoder.py": "onnx",
    "tests/engine/training/atlas_labels/test_label_export.py": "onnx",
    "tests/engine/training/pixel_labels/test_parser_training.py": "onnx",
    "tests/engine/gaussians/test_polish.py": "onnx",
    "tests/engine/scene/test_polished_frames.py": "onnx",
    "tests/engine/generative/test_fill.py": "diffusers",
    "tests/engine/generative/test_models.py": "diffusers",
    "tests/engine/generative/test_run.py": "diffusers",
    "tests/engine/generative/test_text_edit.py": "diffusers",
}


def name_group(nodeid: str) -> str:
    """What a test runs with: its file, or a name of ours.

    >>> name_group("tests/test_docs.py::test_pages")
    'tests/test_docs.py'
    >>> name_group("tests/blender/test_scene.py::test_wide[5.0]")
    'Blender 5.0'
    >>> name_group("tests/blender/test_scene.py::test_wide[4.5]")
    'Blender'
    """
    file = nodeid.partition("::")[0]
    if _NEWER_BLENDER.match(nodeid):
        return "Blender 5.0"  # it starts, and installs the extension, once
    if file.startswith("tests/blender/"):
        return "extension" if file in _INSTALLED else "Blender"
    return _IMPORTS_FOR_LONG.get(file, file)
