"""The run time without torch, on ONNX files made by hand: they say what must come out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.sampling import bilinear
from likeness.engine.core.types import FloatArray, LikenessError
from likeness.engine.files.digests import file_sha256
from likeness.engine.network import runtime
from likeness.engine.network.config import CONFIG_FILE, save_config
from likeness.engine.network.context import HEAD_CHANNELS
from likeness.engine.network.inputs import PhotoInputs
from likeness.engine.network.runtime import (
    ATTRIBUTES,
    DECODER_INPUTS,
    DECODER_ONNX,
    ENCODER_ONNX,
    NOTE,
    average_tokens,
    export_note,
    load_runtime,
)
from onnx import TensorProto, helper, numpy_helper

from .conftest import SmallPerson

SIZES = {"offset": 3, "quats": 4, "scales": 3, "opacities": 0, "colors": 3}


def model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[int | str]],
    outputs: dict[str, list[int | str]],
    constants: dict[str, FloatArray],
    note: dict | None,
) -> bytes:
    """An ONNX file of float32 tensors, the batch left out of the sizes."""
    ends = [
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", *s]) for n, s in of.items()]
        for of in (inputs, outputs)
    ]
    given = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    made = helper.make_model(
        helper.make_graph(nodes, "by hand", *ends, given),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    if note is not None:
        made.metadata_props.add(key=NOTE, value=json.dumps(note))
    return made.SerializeToString()


def write_network(person: SmallPerson, folder: Path, nan: bool = False) -> Path:
    """A network whose encoder averages blocks of 8 x 8 pixels into all channels, and whose
    decoder adds the mean of all core features to the colours and copies the rest."""
    config, grids = person.config, person.grids
    encoder, decoder = config.encoder, config.decoder
    folder.mkdir(exist_ok=True)
    save_config(config, folder)
    note = export_note(config, grids, "")
    side, channels = encoder.image_size, encoder.channels
    kernel = np.full((channels, 3, 8, 8), 1 / 192, np.float32)
    conv = helper.make_node("Conv", ["images", "kernel"], ["features"], strides=[8, 8])
    (folder / ENCODER_ONNX).write_bytes(
        model(
            [conv],
            {"images": [3, side, side]},
            {"features": [channels, side // 8, side // 8]},
            {"kernel": kernel},
            note,
        )
    )
    core, shell = len(grids.core_cells), len(grids.shell_cells)
    each = {n: ["gaussians", size] if size else ["gaussians"] for n, size in SIZES.items()}
    sizes = [
        [core, decoder.features],
        [core],
        [shell, decoder.features],
        [shell],
        [core, 4 * decoder.patch**2],
        ["gaussians", 2],
        ["gaussians", HEAD_CHANNELS],
        *each.values(),
    ]
    nodes = [helper.make_node("Identity", [f"base_{n}"], [n]) for n in ATTRIBUTES[:-1]]
    nodes += [
        helper.make_node("ReduceMean", ["core"], ["mean"], axes=[1, 2], keepdims=1),
        helper.make_node("Add", ["base_colors", "mean"], ["plain"]),
        helper.make_node("Div" if nan else "Mul", ["plain", "factor"], ["colors"]),
    ]
    factor = np.float32(0.0 if nan else 1.0)
    (folder / DECODER_ONNX).write_bytes(
        model(nodes, dict(zip(DECODER_INPUTS, sizes)), each, {"factor": factor}, note)
    )
    return folder


@pytest.fixture(scope="module")
def network(person: SmallPerson, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(person, tmp_path_factory.mktemp("made") / "net")


def core_mean(person: SmallPerson) -> float:
    """What the decoder by hand adds to the colours, point by point."""
    (photo,) = person.inputs.photos
    side = person.config.encoder.image_size // 8
    blocks = photo.image.reshape(side, 8, side, 8, 3).mean((1, 3, 4))[..., None]
    total = 0.0
    for token in range(len(person.grids.core_cells)):
        mine = (person.grids.core_token == token) & photo.core_seen
        if mine.any():
            total += float(bilinear(blocks, photo.core_xy[mine] * side).mean())
    return total / len(person.grids.core_cells)


def test_it_runs_the_files_and_carries_features_to_the_tokens(
    person: SmallPerson, network: Path
) -> None:
    told: list[float] = []
    ready = load_runtime(network, person.body, threads=1)
    out = ready.run(person.inputs, lambda stage, fraction, message: told.append(fraction))
    base = person.inputs.base
    for name in ("offset", "quats", "scales", "opacities", "triangle", "bary", "layer"):
        np.testing.assert_array_equal(getattr(out, name), getattr(base, name))
    moved = core_mean(person)
    assert moved > 0.05
    np.testing.assert_allclose(out.colors, base.colors + moved, atol=1e-5)
    assert ready.backend == "onnx"
    assert ready.warnings == ()
    digests = {n: file_sha256(network / n) for n in (DECODER_ONNX, ENCODER_ONNX)}
    assert ready.sha256 == digests
    assert told == sorted(told)
    assert told[0] == 0.0 < told[-1] < 1.0


def test_many_gaussians_go_in_parts(
    person: SmallPerson, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = load_runtime(network, person.body, threads=1)
    whole = ready.run(person.inputs)
    monkeypatch.setattr(runtime, "AT_ONCE", 250)
    parts = ready.run(person.inputs)
    for name in ATTRIBUTES:
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-6)
    none = person.inputs.base.take(slice(0, 0))
    nothing = replace(
        person.inputs, base=none, uv=person.inputs.uv[:0], facing=person.inputs.facing[:0]
    )
    assert len(ready.run(nothing)) == 0


def test_several_photos_count_by_the_points_that_they_show() -> None:
    rng = np.random.default_rng(3)
    count, points = 5, 40
    token = rng.integers(0, count - 1, points)
    token[token == 2] = 1  # a token that no point lies in
    features = [rng.normal(size=(4, 6, 6)), rng.normal(size=(4, 6, 6))]
    seen_at = [(rng.uniform(0, 1, (points, 2)), rng.uniform(size=points) > 0.4) for _ in range(2)]
    values, known = average_tokens(features, seen_at, token, count)
    for k in range(count):
        read = [
            bilinear(f.transpose(1, 2, 0), xy[i : i + 1] * 6)[0]
            for f, (xy, seen) in zip(features, seen_at)
            for i in range(points)
            if seen[i] and token[i] == k
        ]
        assert known[k] == bool(read)
        np.testing.assert_allclose(values[k], np.mean(read, 0) if read else 0.0, atol=1e-5)
    assert not known[2]
    assert not known[4]


def test_a_photo_that_shows_nothing_changes_nothing(person: SmallPerson, network: Path) -> None:
    ready = load_runtime(network, person.body, threads=1)
    (photo,) = person.inputs.photos
    blind = replace(
        photo, core_seen=np.zeros_like(photo.core_seen), shell_seen=np.zeros_like(photo.shell_seen)
    )
    both: tuple[PhotoInputs, ...] = (photo, blind)
    out = ready.run(replace(person.inputs, photos=both))
    np.testing.assert_allclose(out.colors, ready.run(person.inputs).colors, atol=1e-6)


def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)


def cut(folder: Path) -> None:
    path = folder / DECODER_ONNX
    path.write_bytes(path.read_bytes()[:200])


def other_config(person: SmallPerson) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        changed = replace(person.config, decoder=replace(person.config.decoder, layers=7))
        save_config(changed, folder)

    return change


def other_note(text: str | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        made = onnx.load(folder / ENCODER_ONNX)
        del made.metadata_props[:]
        if text is not None:
            made.metadata_props.add(key=NOTE, value=text)
        onnx.save(made, folder / ENCODER_ONNX)

    return change


def other_size(folder: Path) -> None:
    made = onnx.load(folder / ENCODER_ONNX)
    made.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 72
    made.graph.output[0].type.tensor_type.shape.dim[2].dim_value = 9
    onnx.save(made, folder / ENCODER_ONNX)


def older_field(folder: Path) -> None:
    path = folder / CONFIG_FILE
    values = json.loads(path.read_text())
    del values["decoder"]["masking"]
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut, "decoder.onnx' cannot be read"),
        (other_note(None), "encoder.onnx' was not exported"),
        (other_note('{"version": 0}'), "encoder.onnx' was not exported"),
        (other_size, "encoder.onnx': 'images'"),
        (older_field, "missing: masking"),
        (lambda folder: (folder / CONFIG_FILE).unlink(), "config.json"),
        (lambda folder: (folder / CONFIG_FILE).write_text("{"), "config.json"),
        (lambda folder: (folder / "decoder.safetensors").write_text("newer"), "is older than"),
    ],
)
def test_what_is_wrong_with_the_files_is_said(
    harm: Callable[[Path], None], said: str, person: SmallPerson, tmp_path: Path
) -> None:
    folder = write_network(person, tmp_path / "net")
    harm(folder)
    with pytest.raises(LikenessError, match=said) as caught:
        load_runtime(folder, person.body)
    assert str(folder) in caught.value.message
    assert caught.value.remedy


def test_a_config_of_another_network_is_told_by_its_fields(
    person: SmallPerson, tmp_path: Path
) -> None:
    folder = write_network(person, tmp_path / "net")
    other_config(person)(folder)
    with pytest.raises(LikenessError, match=r"decoder\.layers: 2, not 7"):
        load_runtime(folder, person.body)


def test_another_body_is_refused(person: SmallPerson, network: Path) -> None:
    body = make_synthetic_body()
    shifted = replace(body, atlas_vt=0.5 * body.atlas_vt)
    with pytest.raises(LikenessError, match="another atlas"):
        load_runtime(network, shifted)
    fewer = replace(body, f=body.f[:-1], atlas_ft=body.atlas_ft[:-1])
    with pytest.raises(LikenessError, match=f"this one has {len(fewer.f):,}"):
        load_runtime(network, fewer)


def test_no_folder_is_no_network(person: SmallPerson, tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="not a network's folder") as caught:
        load_runtime(tmp_path / "nothing", person.body)
    assert "folder that training wrote" in caught.value.remedy


@pytest.mark.parametrize("name", [DECODER_ONNX, ENCODER_ONNX])
def test_without_torch_the_files_are_needed(
    name: str, person: SmallPerson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_network(person, tmp_path / "net")
    (folder / name).unlink()
    without_torch(monkeypatch)
    with pytest.raises(LikenessError, match=f"lacks {name}"):
        load_runtime(folder, person.body)


def test_encoders_of_others_need_torch(
    person: SmallPerson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_network(person, tmp_path / "net")
    (folder / ENCODER_ONNX).unlink()
    encoder = replace(person.config.encoder, kind="dinov2", source="some/where")
    save_config(replace(person.config, encoder=encoder), folder)
    without_torch(monkeypatch)
    with pytest.raises(LikenessError, match=r"needs torch.*dinov2") as caught:
        load_runtime(folder, person.body)
    assert "'encoders'" in caught.value.remedy


def test_what_is_no_number_is_not_passed_on(person: SmallPerson, tmp_path: Path) -> None:
    folder = write_network(person, tmp_path / "net", nan=True)
    with pytest.raises(LikenessError, match="'colors' that are not finite"):
        load_runtime(folder, person.body).run(person.inputs)


def test_torch_is_not_loaded(network: Path, person: SmallPerson) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from likeness.engine.body.synthetic import make_synthetic_body\n"
        "from likeness.engine.network.apply import resolve_network\n"
        "print(resolve_network(sys.argv[1], make_synthetic_body).backend)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(network)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "onnx", done.stderr
    assert done.stderr == ""
