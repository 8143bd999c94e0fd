"""Inputs of the network in the cache of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.core.types import BoundGaussians, LikenessError
from likeness.engine.dataset.shards import Subject
from likeness.engine.files.atomic import atomic_write
from likeness.engine.network.config import NetworkConfig
from likeness.engine.network.inputs import atlas_places
from likeness.engine.network.uv_grids import uv_grids
from likeness.engine.training.data import DataOptions, SampleStream
from likeness.engine.training.input_files import CorruptFileError, load_inputs, save_inputs
from likeness.engine.training.lifting import lift_references
from likeness.engine.training.references import References
from safetensors import SafetensorError

MakeSubject = Callable[..., Subject]


def some_inputs(body: Body, network: NetworkConfig, subject: Subject) -> Any:
    blank = References(body, network, None).inputs(subject, 0).inputs
    rng = np.random.default_rng(0)
    n = 4000
    bary = rng.dirichlet(np.ones(3), n).astype(np.float32)
    quats = rng.normal(size=(n, 4))
    base = BoundGaussians(
        rng.integers(0, len(body.f), n).astype(np.int32),
        bary,
        rng.normal(0, 0.05, (n, 3)).astype(np.float32),
        (quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        np.exp(rng.uniform(-11, -3, (n, 3))).astype(np.float32),
        rng.random(n).astype(np.float32),
        rng.random((n, 3)).astype(np.float32),
        rng.integers(0, 3, n).astype(np.uint8),
    )
    grids = uv_grids(body, network.decoder)
    facing = rng.uniform(-1, 1, n).astype(np.float32)
    return replace(blank, base=base, facing=facing, uv=atlas_places(base, body, grids)), grids


def test_kept_inputs_are_nearly_exact(
    box_body: Body, blank_network: NetworkConfig, make_subject: MakeSubject, tmp_path: Path
) -> None:
    inputs, grids = some_inputs(box_body, blank_network, make_subject(1))
    path = tmp_path / "a.safetensors"
    save_inputs(inputs, path)
    back = load_inputs(path, grids.places)
    a, b = inputs.base, back.base
    np.testing.assert_array_equal(a.triangle, b.triangle)
    np.testing.assert_array_equal(a.layer, b.layer)
    for name, most in (
        ("bary", 4e-5),
        ("offset", 1e-5),
        ("quats", 4e-5),
        ("opacities", 2e-5),
        ("colors", 2e-5),
    ):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=most)
        assert getattr(b, name).dtype == np.float32
    np.testing.assert_allclose(a.scales, b.scales, rtol=2e-4)
    np.testing.assert_allclose(np.linalg.norm(b.quats, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(inputs.uv, back.uv, atol=1e-5)
    np.testing.assert_allclose(inputs.facing, back.facing, atol=2e-5)
    np.testing.assert_allclose(inputs.color_map, back.color_map, atol=0.5 / 255 + 1e-6)
    for x, y in zip(inputs.photos, back.photos, strict=True):
        np.testing.assert_allclose(x.image, y.image, atol=0.5 / 255 + 1e-6)
        for name in ("core", "shell"):
            np.testing.assert_array_equal(getattr(x, f"{name}_seen"), getattr(y, f"{name}_seen"))
            np.testing.assert_allclose(
                getattr(x, f"{name}_xy"), getattr(y, f"{name}_xy"), atol=1e-5
            )
    assert path.stat().st_size < 40 * len(a) + 20_000


def test_blank_gaussians_are_not_kept(
    box_body: Body, blank_network: NetworkConfig, make_subject: MakeSubject, tmp_path: Path
) -> None:
    references = References(box_body, blank_network, tmp_path)
    fresh = References(box_body, blank_network, None).inputs(make_subject(1), 4).inputs
    kept = references.inputs(make_subject(1), 4).inputs
    again = references.inputs(make_subject(1), 4).inputs
    assert len(kept.base) == len(fresh.base) > 300
    for name in ("triangle", "bary", "scales", "opacities", "colors"):
        np.testing.assert_array_equal(getattr(again.base, name), getattr(fresh.base, name))
    np.testing.assert_array_equal(again.facing, kept.facing)
    np.testing.assert_allclose(again.uv, fresh.uv, atol=1e-6)
    (file,) = tmp_path.rglob("*.safetensors")
    assert file.stat().st_size < 33_000


@pytest.mark.parametrize("damage", ["short", "empty", "text", "version", "triangle"])
def test_a_damaged_file_is_made_anew_and_told(
    box_body: Body,
    blank_network: NetworkConfig,
    make_subject: MakeSubject,
    tmp_path: Path,
    damage: str,
) -> None:
    subject = make_subject(2)
    references = References(box_body, blank_network, tmp_path)
    expected = references.inputs(subject, 1)
    assert expected.note is None
    (file,) = tmp_path.rglob("*.safetensors")
    data = file.read_bytes()
    if damage == "triangle":
        inputs, grids = some_inputs(box_body, blank_network, subject)
        other = tmp_path / "x.safetensors"
        wrong = replace(inputs.base, triangle=inputs.base.triangle + len(box_body.f))
        save_inputs(replace(inputs, base=wrong), other)
        with pytest.raises(CorruptFileError, match="triangles"):
            load_inputs(other, grids.places)
        return
    file.write_bytes(
        {
            "short": data[: len(data) // 2],
            "empty": b"",
            "text": b"no safetensors at all",
            "version": data.replace(b'"version":"3"', b'"version":"0"'),
        }[damage]
    )
    made = references.inputs(subject, 1)
    assert made.note is not None
    assert str(file) in made.note
    np.testing.assert_array_equal(made.inputs.photos[0].image, expected.inputs.photos[0].image)
    assert file.read_bytes() == data
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [file.name]


def test_what_inputs_depend_on_is_in_their_name(
    box_body: Body, blank_network: NetworkConfig, make_subject: MakeSubject, tmp_path: Path
) -> None:
    subject = make_subject(0)

    def path(
        network: NetworkConfig = blank_network,
        body: Body = box_body,
        who: Subject = subject,
        view: int = 0,
    ) -> Path | None:
        return References(body, network, tmp_path)._path(who, view)

    def decoder(**changes: Any) -> NetworkConfig:
        return replace(blank_network, decoder=replace(blank_network.decoder, **changes))

    lifted = decoder(residual=True)
    others = [
        path(view=1),
        path(who=make_subject(1)),
        path(decoder(shell_grid=4)),
        path(decoder(patch=8)),
        path(decoder(shell_offset=0.03)),
        path(lifted),
        path(replace(lifted, max_gaussians=9000)),
        path(replace(blank_network, encoder=replace(blank_network.encoder, image_size=64))),
        path(body=replace(box_body, v_template=box_body.v_template * 1.01)),
    ]
    assert len({path(), *others}) == 1 + len(others)
    # Settings inside the network do not change the inputs; without a lift, budgets do not either.
    same = [
        path(decoder(layers=2)),
        path(decoder(width=32)),
        path(decoder(masking=0.0)),
        path(replace(blank_network, max_gaussians=9000)),
    ]
    assert set(same) == {path()}


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_everything_is_lifted_ahead(
    box_shards: Path,
    blank_network: NetworkConfig,
    box_body: Body,
    tmp_path: Path,
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = DataOptions(24, 2, cache=tmp_path, references=2)
    told: list[float] = []
    kept = lift_references(
        box_shards,
        blank_network,
        options,
        box_body,
        workers,
        lambda _, share, __: told.append(share),
    )
    assert (kept.usable, kept.refused, kept.skipped) == (12, 0, ())
    assert told[-1] == 1.0
    assert len(list(tmp_path.rglob("*.safetensors"))) == 12
    # A run finds all that it needs.
    monkeypatch.setattr(References, "_lifted", lambda *_: pytest.fail("made again"))
    drawn = list(islice(SampleStream(box_shards, blank_network, options, box_body), 30))
    assert len({tuple(sample.key.split("/")[:2]) for sample in drawn}) <= 12


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """safetensors reports it with an error of its own, which is no OSError."""
    path = tmp_path / "kept" / "a.safetensors"
    with (
        pytest.raises(LikenessError, match=r"a\.safetensors"),
        atomic_write(path, shared=True, make_parent=True),
    ):
        raise SafetensorError("I/O error: No space left on device")
    assert list(path.parent.iterdir()) == []
