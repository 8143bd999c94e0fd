"""What a build makes of a network: its inputs, its Gaussians, its figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body import Body
from likeness.engine.body.extension import BodyPiece, extend_body
from likeness.engine.core.rotations import axis_angle_to_quaternion, quaternion_multiply
from likeness.engine.core.types import BoundGaussians, LikenessError, Progress
from likeness.engine.files import weights
from likeness.engine.gaussians.lift.lift_photo import LiftResult
from likeness.engine.network import apply
from likeness.engine.network.apply import (
    apply_network,
    blank_lift,
    keep_levels,
    lift_budget,
    mean_change,
    resolve_network,
)
from likeness.engine.network.config import NetworkConfig
from likeness.engine.network.context import (
    AROUND,
    AWAY,
    HEAD_CHANNELS,
    change_allowance,
    head_channels,
)
from likeness.engine.network.inputs import NetworkInputs

from .conftest import SmallPerson, random_gaussians, small_person


class Darker:
    """A network that makes everything darker, and keeps what it was given."""

    backend = "by hand"
    warnings = ()

    def __init__(self, person: SmallPerson) -> None:
        self.folder = Path("/nets/darker")
        self.config, self.grids = person.config, person.grids
        self.sha256 = {"decoder.onnx": "d1", "encoder.onnx": "e1"}
        self.given: list[NetworkInputs] = []

    def run(self, inputs: NetworkInputs, progress: Progress | None = None) -> BoundGaussians:
        self.given.append(inputs)
        if progress is not None:
            progress("network", 0.5, "darker")
        return replace(inputs.base, colors=0.5 * inputs.base.colors)


class Shadow(Darker):
    """A network that halves every colour as far as a change is allowed there."""

    def run(self, inputs: NetworkInputs, progress: Progress | None = None) -> BoundGaussians:
        free = change_allowance(head_channels(inputs, self.grids))
        factor = np.exp(np.log(0.5) * free).astype(np.float32)
        return replace(inputs.base, colors=factor * inputs.base.colors)


def with_skirt(body: Body) -> Body:
    piece = BodyPiece(
        "skirt",
        np.array([[-0.2, -0.5, 0.2], [0.2, -0.5, 0.2], [0.0, -0.1, 0.2]]),
        np.array([[0, 1, 2]]),
        np.eye(55)[[0, 0, 0]],
        np.array([[0.9, 0.9], [1.0, 0.9], [0.9, 1.0]]),
        np.array([[0, 1, 2]]),
        0.8,
    )
    return extend_body(body, piece)


def test_the_lift_is_changed_and_told(person: SmallPerson) -> None:
    network = Darker(person)
    lifted = LiftResult(person.lifted, person.body)
    told: list[tuple[str, float]] = []
    shots = [(person.matte, person.track)]
    out, figures = apply_network(
        lifted, network, shots, 600, lambda stage, f, m: told.append((stage, f))
    )
    np.testing.assert_array_equal(out.gaussians.colors, 0.5 * person.lifted.colors)
    np.testing.assert_array_equal(out.gaussians.offset, person.lifted.offset)
    assert out.body is person.body
    assert told == [("network", 0.5)]
    assert json.loads(json.dumps(figures)) == figures
    assert figures["name"] == "small"
    assert figures["folder"] == str(network.folder)
    assert figures["sha256"] == network.sha256
    assert figures["backend"] == "by hand"
    assert figures["change"]["color"] == pytest.approx(person.lifted.colors.mean() / 2, abs=1e-4)
    assert {v for k, v in figures["change"].items() if k != "color"} == {0.0}


def test_a_network_may_be_taken_by_half(person: SmallPerson) -> None:
    network = Darker(person)
    network.config = replace(person.config, strength=0.5)
    shots = [(person.matte, person.track)]
    lifted = LiftResult(person.lifted, person.body)
    out, _ = apply_network(lifted, network, shots, 600)
    np.testing.assert_allclose(out.gaussians.colors, 0.75 * person.lifted.colors, atol=1e-6)
    with pytest.raises(LikenessError, match=r"2\.0"):
        replace(person.config, strength=2.0)


def test_what_follows_from_a_colour_is_left_out(person: SmallPerson) -> None:
    """Of a change that pulls each part's colours to grey and shades them, the shading is left."""
    rng = np.random.default_rng(3)
    count = len(person.lifted)
    part = np.arange(count, dtype=np.uint8) % 2
    colors = rng.uniform(0.2, 0.6, (count, 3)).astype(np.float32)
    base = replace(person.lifted, colors=colors, part=part)
    lift = rng.normal(size=(count, HEAD_CHANNELS))
    lift[:, AWAY] = rng.choice([0.0, 0.2, 1.0], count)
    around = lift[:, AROUND]
    grey = np.where(part == 0, -0.4, 0.3)[:, None] - 0.1 * around
    shading = 0.05 * rng.normal(size=(count, 1))
    free = change_allowance(lift)
    gain = free * (grey + shading)
    changed = replace(base, colors=(colors * np.exp(gain)).astype(np.float32))
    out = keep_levels(base, changed, lift)
    left = np.log(out.colors / colors)
    shown = lift[:, AWAY] == 0.0
    np.testing.assert_allclose(out.colors[shown], colors[shown], rtol=1e-6)
    np.testing.assert_allclose(left, np.broadcast_to(free * shading, left.shape), atol=0.03)
    assert np.abs(left - free * shading).mean() < 0.1 * np.abs(free * grey).mean()
    for own in (0, 1):
        mine = part == own
        assert abs(np.corrcoef(left[mine, 0], (free * around)[mine, 0])[0, 1]) < 0.1
    assert out.part is base.part


def test_levels_are_kept_if_the_config_says_so(person: SmallPerson) -> None:
    """A network that darkens all alike then changes nothing."""
    shots = [(person.matte, person.track)]
    changes = []
    for keep in (False, True):
        network = Shadow(person)
        network.config = replace(person.config, keep_levels=keep)
        out, _ = apply_network(LiftResult(person.lifted, person.body), network, shots, 600)
        changes.append(np.abs(out.gaussians.colors - person.lifted.colors))
    assert changes[0].mean() > 0.05
    assert changes[1].max() < 1e-5


def test_a_lift_is_as_large_as_the_network_knows_it(person: SmallPerson) -> None:
    network = Darker(person)
    assert network.config.max_gaussians == 600
    assert lift_budget(network, 262_144) == 600
    assert lift_budget(network, 500) == 500
    assert lift_budget(None, 262_144) == 262_144
    network.config = replace(person.config, usable_gaussians=2400)  # shown to work at any size
    assert lift_budget(network, 262_144) == 2400
    decoder = replace(person.config.decoder, residual=False)  # looks at no lift
    network.config = replace(person.config, decoder=decoder)
    assert lift_budget(network, 262_144) == 262_144


def test_several_photos_all_reach_the_network(person: SmallPerson) -> None:
    other = small_person(person.config, seed=9)
    network = Darker(person)
    shots = [(person.matte, person.track), (other.matte, other.track)]
    apply_network(LiftResult(person.lifted, person.body), network, shots, 600)
    photos = network.given[0].photos
    assert len(photos) == 2
    np.testing.assert_array_equal(photos[0].image, person.inputs.photos[0].image)
    np.testing.assert_array_equal(photos[1].image, other.inputs.photos[0].image)


def test_a_skirt_stays_on_the_body(person: SmallPerson) -> None:
    body = with_skirt(person.body)
    bound = random_gaussians(body, 80, 4)
    network = Darker(person)
    shots = [(person.matte, person.track)]
    out, _ = apply_network(LiftResult(bound, body), network, shots, 600)
    assert out.body is body
    np.testing.assert_array_equal(out.gaussians.triangle, bound.triangle)


def test_without_residual_the_network_makes_its_own(small_config: NetworkConfig) -> None:
    config = replace(small_config, decoder=replace(small_config.decoder, residual=False))
    person = small_person(small_config)
    network = Darker(replace(person, config=config))
    shots = [(person.matte, person.track)]
    out, figures = apply_network(blank_lift(network, person.body), network, shots, 400)
    assert len(network.given[0].base) == config.max_gaussians == 600
    assert len(out.gaussians) == 400, "never more than allowed"
    assert out.body is person.body
    assert out.skirt is None
    assert figures["change"]["color"] == pytest.approx(0.25)


def test_mean_change_by_hand(person: SmallPerson) -> None:
    before = person.lifted
    turn = axis_angle_to_quaternion(np.array([0.0, 0.0, np.radians(10.0)]))
    after = replace(
        before,
        colors=before.colors + 0.25,
        opacities=before.opacities - 0.125,
        offset=before.offset + np.array([0.003, 0.0, 0.004], np.float32),
        quats=-quaternion_multiply(before.quats, turn),  # the opposite turns the same
        scales=before.scales * 1.5,
    )
    change = mean_change(before, after)
    assert change["color"] == pytest.approx(0.25)
    assert change["opacity"] == pytest.approx(0.125)
    assert change["offset_mm"] == pytest.approx(5.0, abs=1e-3)
    assert change["rotation_degrees"] == pytest.approx(10.0, abs=1e-3)
    assert change["scale"] == pytest.approx(np.log(1.5), abs=1e-4)
    assert set(mean_change(before.take([]), after.take([])).values()) == {0.0}


def test_none_asks_for_no_body() -> None:
    def body() -> Body:
        raise AssertionError("the body was loaded")

    assert resolve_network("none", body) is None


def test_the_default_network_is_that_of_the_weights_table(
    monkeypatch: pytest.MonkeyPatch, person: SmallPerson, tmp_path: Path
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(weights, "find_weights", lambda name: asked.append(name) or tmp_path)
    monkeypatch.setattr(apply, "load_runtime", lambda folder, body: (folder, body))
    assert resolve_network("default", lambda: person.body) == (tmp_path, person.body)
    assert asked == ["default"]
    assert resolve_network("a/folder", lambda: person.body)[0] == Path("a/folder")


def test_without_the_bundled_weights_there_is_a_remedy(
    monkeypatch: pytest.MonkeyPatch, person: SmallPerson, tmp_path: Path
) -> None:
    monkeypatch.setenv("LIKENESS_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("LIKENESS_ASSETS", str(tmp_path))
    monkeypatch.setattr("likeness.engine.files.weights.user_weights_dir", lambda: tmp_path)
    monkeypatch.setattr("likeness.engine.files.weights.BUNDLED_WEIGHTS", tmp_path)
    with pytest.raises(LikenessError, match="no trained network") as caught:
        resolve_network("default", lambda: person.body)
    assert "that you have trained" in caught.value.remedy
