"""Readers of texts, tables and headers under what hypothesis makes up, in this process.

It shrinks what fails to the smallest input; :mod:`.test_fuzz` hands in broken files.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from likeness.engine.core.types import LikenessError
from likeness.engine.files.folders import safe_join
from likeness.engine.files.untrusted import CorruptFileError, decompress, parse_json, read_npz
from likeness.engine.formats.ply import read_ply
from likeness.engine.motion.bone_maps import read_bone_map
from likeness.engine.motion.bvh import read_bvh
from likeness.engine.network.config import NetworkConfig, config_from_dict, config_to_dict
from likeness.engine.workflows.worker.main import parse_request

few = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def refused_or_read(read: Any, *arguments: object) -> None:
    try:
        read(*arguments)
    except LikenessError as error:
        assert error.remedy  # noqa: PT017 (both ends are good)


WORDS = (
    "HIERARCHY",
    "MOTION",
    "ROOT",
    "JOINT",
    "End Site",
    "{",
    "}",
    "OFFSET 0 1 0",
    "hips",
    "CHANNELS 3 Xrotation Yrotation Zrotation",
    "CHANNELS 1 Xposition",
    "Frames: 1",
    "Frames: 99999999999",
    "Frame Time: 0.03",
    "0 0 0",
    "nan",
    "1e999",
    "\n",
)


@few
@given(words=st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=40))
def test_bvh_of_any_words(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.bvh").write_text(
        "HIERARCHY\n" + "\n".join(words), encoding="utf-8", errors="replace"
    )
    refused_or_read(read_bvh, tmp_path / "a.bvh")


@few
@given(tables=TREES, sides=TREES)
def test_bone_maps_of_any_values(tables: Any, sides: Any, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        f"label = {json.dumps(str(tables)[:9])}\n[joints]\npelvis = {json.dumps(tables)}\n"
        f"[sides]\nX = {json.dumps(sides)}\n",
        encoding="utf-8",
        errors="replace",
    )
    refused_or_read(read_bone_map, tmp_path / "a.toml")


@few
@given(tree=TREES)
def test_requests_and_configs_of_any_values(tree: Any) -> None:
    for task in ({"task": tree}, {"portrait": tree, "output": tree}, tree):
        refused_or_read(parse_request, json.dumps(task))
    config = config_to_dict(NetworkConfig())
    for name in ("encoder", "max_gaussians", "name"):
        refused_or_read(config_from_dict, NetworkConfig, {**config, name: tree}, "it")


@few
@given(text=st.text() | st.binary())
def test_json_of_anything(text: str | bytes) -> None:
    for whole in (text, "[" * 100_000, b'{"a":' * 50_000, "NaN", "9" * 10_000):
        try:
            parse_json(whole)
        except CorruptFileError as error:
            assert str(error)  # noqa: PT017


@few
@given(
    shape=st.lists(st.integers(-1, 2**65), max_size=4),
    kind=st.sampled_from(["<f4", "<U9", "|O", "|V3", "<i8", "|S0", "<M8[s]"]),
    data=st.binary(max_size=64),
    size=st.integers(0, 2**40),
)
def test_no_header_takes_memory(shape: list[int], kind: str, data: bytes, size: int) -> None:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(shape)}, }}".encode()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr(
            "a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data
        )
    try:
        arrays = read_npz(whole)
    except CorruptFileError as error:
        assert str(error)  # noqa: PT017
    else:
        assert arrays["a"].nbytes == len(data)


@few
@given(rows=st.integers(-(2**65), 2**65), widths=st.integers(0, 60), data=st.binary(max_size=99))
def test_ply_headers_that_announce(rows: int, widths: int, data: bytes, tmp_path: Path) -> None:
    properties = "".join(f"property float p{k}\n" for k in range(widths))
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {rows}\n{properties}end_header\n"
    )
    (tmp_path / "a.ply").write_bytes(header.encode() + data)
    refused_or_read(read_ply, tmp_path / "a.ply")


@few
@given(name=st.text(max_size=20) | st.lists(st.sampled_from(["..", "a", ".", ""])).map("/".join))
def test_no_name_leads_out(name: str, tmp_path: Path) -> None:
    try:
        path = safe_join(tmp_path, name)
    except LikenessError as error:
        assert error.remedy  # noqa: PT017 (both ends are good)
    else:
        assert path.resolve() != tmp_path
        assert path.resolve().is_relative_to(tmp_path)


def test_bombs_are_not_unpacked() -> None:
    bomb = zlib.compress(bytes(1 << 26))
    with pytest.raises(CorruptFileError, match="more than"):
        decompress(bomb, 1 << 20)
    whole = io.BytesIO()
    with (
        zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w") as file,
    ):
        np.save(file, np.zeros(1 << 20))
    with pytest.raises(CorruptFileError, match="GiB"):
        read_npz(whole, most=1 << 20)
