"""The label network at run time, with stand-ins whose answers are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from likeness.engine.body import Body  # noqa: E402
from likeness.engine.core.types import LikenessError  # noqa: E402
from likeness.engine.files.onnx_session import NOTE  # noqa: E402
from likeness.engine.gaussians.lift.garments.labels_network import (  # noqa: E402
    LABELS_ONNX,
    VERSION,
    LabelNetworkRuntime,
    cells_digest,
    cells_to_vertices,
    labels_of_cells,
    observe_cells,
)
from likeness.engine.gaussians.lift.garments.labels_surface import (  # noqa: E402
    S,
    find_seen_labels,
    label_surface,
    mix_with_rules,
    surface_vertices,
)
from likeness.engine.gaussians.lift.surface.atlas_cells import (  # noqa: E402
    CELL_LABELS,
    CHANNELS,
    GRID,
    NOT_SEEN,
    NUMBERS,
    AtlasCells,
    atlas_cells,
)
from likeness.engine.gaussians.lift.surface.labels import (  # noqa: E402
    HAIR,
    HAT,
    LABELS,
    SHOES,
    SKIN,
    UPPER,
)
from likeness.engine.gaussians.lift.surface.limbs import ARMS, FOREARM_JOINTS, TORSO  # noqa: E402

from .test_lift_labels import Sitter, label, sitter  # noqa: E402, F401


@pytest.fixture(scope="module")
def cells(average: Body) -> AtlasCells:
    return atlas_cells(average)


def write_network(path: Path, cells: AtlasCells, version: int = VERSION, scale: float = 20.0):
    """A network that says of each cell what the nearest seen one is; it never says ``outer``."""
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.zeros((len(CELL_LABELS), CHANNELS, 1, 1), np.float32)
    for row in range(6):
        kernel[row, CHANNELS - 10 + row] = scale
    kernel[6, 0] = -scale
    grids = helper.make_tensor_value_info("grids", TensorProto.FLOAT, [1, CHANNELS, GRID, GRID])
    numbers = helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [1, NUMBERS])
    logits = helper.make_tensor_value_info(
        "logits", TensorProto.FLOAT, [1, len(CELL_LABELS), GRID, GRID]
    )
    graph = helper.make_graph(
        [helper.make_node("Conv", ["grids", "kernel"], ["logits"])],
        "nearest",
        [grids, numbers],
        [logits],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    entry = model.metadata_props.add()
    entry.key = NOTE
    entry.value = json.dumps({"version": version, "cells": cells_digest(cells.samples)})
    path.write_bytes(model.SerializeToString())
    return path


def test_probabilities_are_the_networks(average: Body, cells: AtlasCells, tmp_path: Path) -> None:
    network = LabelNetworkRuntime(write_network(tmp_path / LABELS_ONNX, cells))
    label = np.full(len(cells.place), NOT_SEEN)
    front = cells.normal[:, 2] > 0.3
    label[front & (cells.part == "torso")] = CELL_LABELS.index("upper")
    label[front & (cells.part == "leg")] = CELL_LABELS.index("lower")
    likely = network.probabilities(cells, label, np.zeros((len(label), 3)))
    np.testing.assert_allclose(likely.sum(1), 1.0)
    said = likely.argmax(1)
    np.testing.assert_array_equal(said[label >= 0], label[label >= 0])
    assert (said[(cells.part == "torso") & (cells.place[:, 1] > 0.2)] == 2).all()
    assert (said[cells.part == "foot"] == 3).all()
    assert likely.max(1).min() > 0.99


def test_a_network_of_something_else_is_refused(
    average: Body, box_body: Body, cells: AtlasCells, tmp_path: Path
) -> None:
    path = write_network(tmp_path / LABELS_ONNX, cells)
    network = LabelNetworkRuntime(path)
    shape = np.linspace(-1, 1, average.num_betas)
    assert network.fits(average)
    assert network.fits(average.personalised(shape))
    assert not network.fits(box_body)
    with pytest.raises(LikenessError, match="another version"):
        LabelNetworkRuntime(write_network(path, cells, VERSION + 1))
    endless = LabelNetworkRuntime(write_network(path, cells, scale=np.inf))
    nothing = np.full(len(cells.place), NOT_SEEN)
    with pytest.raises(LikenessError, match="does not give numbers"):
        endless.probabilities(cells, nothing, np.zeros((len(nothing), 3)))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(LikenessError, match="cannot be read"):
        LabelNetworkRuntime(path)
    with pytest.raises(LikenessError, match="is missing"):
        LabelNetworkRuntime(tmp_path / "none.onnx")


def test_a_shoulder_sees_the_skin_of_the_arm_that_it_passes_into(
    sitter: Sitter,  # noqa: F811
) -> None:
    """Where the pixels of a shoulder are the arm's; cloth of the arm is its sleeve's."""
    regions, _ = label(sitter)
    body = sitter.body
    points = surface_vertices(regions, body, sitter.vertices)
    trunk = points.groups == TORSO
    assert not (points.shoulder & (body.sum_weights(FOREARM_JOINTS) > 0.1)).any()  # no elbow
    for kind in (SKIN, UPPER):
        worn = replace(regions, label=np.full_like(regions.label, kind))
        own, of_arm = (
            find_seen_labels(
                replace(worn, group=np.full_like(regions.group, group)), sitter.camera, points
            )[1]
            for group in (TORSO, ARMS[0])
        )
        assert (own[trunk & points.shoulder] > 0.0).any()
        assert (of_arm[trunk & ~points.shoulder] == 0.0).all()
        np.testing.assert_array_equal(
            of_arm[trunk & points.shoulder], own[trunk & points.shoulder] * (kind == SKIN)
        )


def test_cells_see_what_the_vertices_beside_them_see(
    sitter: Sitter,  # noqa: F811
    cells: AtlasCells,
) -> None:
    regions, _ = label(sitter)
    body = sitter.body
    colors = np.zeros((*regions.label.shape, 3))
    colors[..., 0] = regions.label / 10.0
    found, weight, color = observe_cells(
        regions, sitter.camera, body, sitter.vertices, cells, colors
    )
    named, trust = find_seen_labels(
        regions, sitter.camera, surface_vertices(regions, body, sitter.vertices)
    )
    corner = body.f[cells.samples.triangle, cells.samples.bary.argmax(1)]
    both = (weight > 0.5) & (trust[corner] > 0.5)
    assert both.sum() > 500
    names = np.array(CELL_LABELS)[found[both]]
    assert (names == np.array(LABELS)[named[corner[both]]]).mean() > 0.95
    assert (found[weight == 0] == NOT_SEEN).all()
    bare = np.isin(cells.part, ["ear", "face", "neck"])  # hair may hang over these
    np.testing.assert_allclose(
        color[both & ~bare, 0] * 10, [LABELS.index(CELL_LABELS[k]) for k in found[both & ~bare]]
    )


def test_vertices_take_the_cells_around_them(average: Body, cells: AtlasCells) -> None:
    of_part = np.where(cells.part == "torso", CELL_LABELS.index("outer"), 0)
    of_part[cells.part == "foot"] = CELL_LABELS.index("shoes")
    shares = cells_to_vertices(np.eye(len(CELL_LABELS))[of_part], average, cells)
    np.testing.assert_allclose(shares.sum(1), 1.0)
    again = labels_of_cells(shares, average, cells)
    outer, upper = CELL_LABELS.index("outer"), CELL_LABELS.index("upper")
    expected = np.where(of_part == outer, upper, of_part)  # the lift knows no outer garments
    assert (again == expected).mean() > 0.97
    assert {int(k) for k in shares.argmax(1)} == {SKIN, UPPER, SHOES}


def test_rules_are_a_prior() -> None:
    hidden = np.zeros((3, len(LABELS)))
    hidden[:, HAIR], hidden[:, SKIN] = 0.7, 0.3
    hidden[2, HAT], hidden[2, HAIR] = 0.1, 0.6
    mixed = mix_with_rules(hidden, np.array([HAIR, SKIN, HAT]))
    np.testing.assert_allclose(mixed.sum(1), 1.0)
    rest = (1 - S.rules) / len(LABELS)
    odds = 0.3 / 0.7 * (S.rules + rest) / rest
    assert mixed[1, SKIN] / mixed[1, HAIR] == pytest.approx(odds)
    assert mixed[0, HAIR] > hidden[0, HAIR]
    assert mixed[2].argmax() == HAT
    assert mixed[0, UPPER] == 0.0
    hidden[:, HAIR], hidden[:, SKIN] = 0.01, 0.99  # a network that has seen no long hair
    hair = np.array([HAIR, SKIN, HAIR])
    assert mix_with_rules(hidden, hair)[0].argmax() == SKIN
    np.testing.assert_array_equal(mix_with_rules(hidden, hair, True).argmax(1), hair)


def test_what_is_seen_keeps_its_label_and_the_rest_takes_the_networks(
    sitter: Sitter,  # noqa: F811
) -> None:
    regions, _ = label(sitter)
    args = (regions, sitter.camera, sitter.body, sitter.vertices)
    named, weight = find_seen_labels(
        regions, sitter.camera, surface_vertices(regions, sitter.body, sitter.vertices)
    )
    hidden = np.eye(len(LABELS))[np.full(len(weight), SHOES)]
    found = label_surface(*args, hidden).argmax(1)
    rules = label_surface(*args).argmax(1)
    part = surface_vertices(regions, sitter.body, sitter.vertices).part
    torso = part == "torso"
    sure = torso & (weight > 0.9)
    assert sure.sum() > 100
    assert (found == named)[sure].mean() > 0.9
    back = torso & (sitter.body.v_template[:, 2] < -0.05) & (weight == 0)
    assert (found[back] == SHOES).mean() > 0.9
    assert not (rules[back] == SHOES).any()
