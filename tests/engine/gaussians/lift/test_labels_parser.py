"""The parser at run time, with stand-ins whose answers are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from likeness.engine.body import Body  # noqa: E402
from likeness.engine.core.cameras import project  # noqa: E402
from likeness.engine.core.types import FloatArray, LikenessError  # noqa: E402
from likeness.engine.files.onnx_session import NOTE  # noqa: E402
from likeness.engine.gaussians.lift.garments.labels_surface import vertex_parts  # noqa: E402
from likeness.engine.gaussians.lift.pixels.labels_cleanup import find_parsed_hat  # noqa: E402
from likeness.engine.gaussians.lift.pixels.labels_parser import (  # noqa: E402
    CHANNELS,
    PARSED,
    PARSER_ONNX,
    SIDE,
    VERSION,
    ParserRuntime,
    Square,
    body_digest,
    body_layers,
    person_square,
)
from likeness.engine.gaussians.lift.pixels.regions import find_regions  # noqa: E402
from likeness.engine.gaussians.lift.surface.labels import (  # noqa: E402
    GLASSES,
    HAIR,
    HAT,
    LABELS,
    LOWER,
    NONE,
    SKIN,
    UPPER,
    standard_rest,
)
from likeness.engine.render.mesh import rasterize_mesh  # noqa: E402

from .test_lift_labels import COLORS, Sitter, label, move_closer, sitter  # noqa: E402, F401

PLACE_X, PLACE_Y = 4, 5  # channels of the input


def write_parser(
    path: Path, body: Body, weights: dict[tuple[str, int], float], version: int = VERSION
) -> Path:
    """A parser whose logits are weighted channels of its input, pixel by pixel."""
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.zeros((len(PARSED), CHANNELS, 1, 1), np.float32)
    for (name, channel), weight in weights.items():
        kernel[PARSED.index(name), channel] = weight
    given = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, CHANNELS, SIDE, SIDE])
    logits = helper.make_tensor_value_info(
        "logits", TensorProto.FLOAT, [1, len(PARSED), SIDE, SIDE]
    )
    graph = helper.make_graph(
        [helper.make_node("Conv", ["picture", "kernel"], ["logits"])],
        "linear",
        [given],
        [logits],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    entry = model.metadata_props.add()
    entry.key = NOTE
    entry.value = json.dumps({"version": version, "body": body_digest(body)})
    path.write_bytes(model.SerializeToString())
    return path


def drawn(sitter: Sitter) -> tuple[FloatArray, FloatArray]:  # noqa: F811
    """Where the sitter is [H, W], and the place at rest of each pixel [H, W, 3]."""
    body = sitter.body
    buffer = rasterize_mesh(sitter.vertices, body.f, sitter.camera)
    corners = standard_rest(body)[body.f[buffer.face]]
    return buffer.face >= 0, np.einsum("hwk,hwkd->hwd", buffer.bary, corners)


def test_the_network_gets_the_place_of_each_pixel(sitter: Sitter, tmp_path: Path) -> None:  # noqa: F811
    path = write_parser(
        tmp_path / PARSER_ONNX, sitter.body, {("upper", PLACE_Y): 200.0, ("lower", PLACE_Y): -200.0}
    )
    mask, place = drawn(sitter)
    photo = np.full((800, 600, 3), 0.5, np.float32)
    parser = ParserRuntime(path)
    assert parser.fits(sitter.body)
    said = parser.parse(photo, mask, sitter.camera, sitter.body, sitter.vertices)
    np.testing.assert_allclose(said.sum(-1), 1.0, atol=1e-5)
    names = np.array(PARSED)[said.argmax(-1)]
    assert (names[mask & (place[..., 1] > 0.05)] == "upper").mean() > 0.98
    assert (names[mask & (place[..., 1] < -0.05)] == "lower").mean() > 0.98


def test_left_and_right_are_alike(sitter: Sitter, tmp_path: Path) -> None:  # noqa: F811
    weights = {("upper", PLACE_X): 200.0, ("lower", PLACE_X): -200.0}
    parser = ParserRuntime(write_parser(tmp_path / PARSER_ONNX, sitter.body, weights))
    mask, place = drawn(sitter)
    photo = np.full((*mask.shape, 3), 0.5, np.float32)
    said = parser.parse(photo, mask, sitter.camera, sitter.body, sitter.vertices)
    aside = mask & (np.abs(place[..., 0]) > 0.08)
    upper = said[aside][:, PARSED.index("upper")]
    assert np.median(np.abs(upper - 0.5)) < 0.01


def test_places_are_those_of_the_vertices(sitter: Sitter) -> None:  # noqa: F811
    body, rest = sitter.body, standard_rest(sitter.body)
    mask, _ = drawn(sitter)
    camera = person_square(mask).camera(sitter.camera)
    layers, part = body_layers(rest, body, sitter.vertices, camera)
    on = part >= 0
    xy, z = project(sitter.vertices, camera)
    depth = rasterize_mesh(sitter.vertices, body.f, camera).depth
    col, row = np.clip(xy, 0, SIDE - 1).astype(int).T
    seen = on[row, col] & (np.abs(depth[row, col] - z) < 0.003)
    assert seen.sum() > 500
    off = np.linalg.norm(layers[:3, row, col].T[seen] - rest[seen], axis=1)
    assert np.median(off) < 0.01
    np.testing.assert_allclose(np.linalg.norm(layers[5:, on], axis=0), 1.0, atol=1e-4)
    assert (layers[5:].transpose(1, 2, 0)[on] @ [0, 0, -1] > 0).mean() > 0.95  # towards the camera
    assert (layers[4] > 0.99)[on].all()
    nothing, empty = body_layers(rest, body, sitter.vertices + np.array([0, 50, 0]), camera)
    assert (empty == -1).all()
    assert not nothing.any()


def test_squares_hold_the_person() -> None:
    mask = np.zeros((100, 80), bool)
    mask[20:80, 30:50] = True
    square = person_square(mask)
    assert square.left < 30 < 50 < square.left + square.side
    assert square.top < 20 < 80 < square.top + square.side
    assert square.side == pytest.approx(66.0)
    corner = Square(10, 20, 64).matrix(2.0) @ [SIDE, SIDE, 1]
    np.testing.assert_allclose(corner, [148, 168])


def test_a_parser_of_something_else_is_refused(
    average: Body, box_body: Body, tmp_path: Path
) -> None:
    path = write_parser(tmp_path / PARSER_ONNX, average, {})
    parser = ParserRuntime(path)
    assert parser.fits(average.personalised(np.ones(average.num_betas)))
    assert not parser.fits(box_body)
    with pytest.raises(LikenessError, match="another version"):
        ParserRuntime(write_parser(path, average, {}, VERSION + 1))
    endless = ParserRuntime(write_parser(path, average, {("hat", 3): np.inf}))
    with pytest.raises(LikenessError, match="does not give numbers"):
        endless.run(np.ones((CHANNELS, SIDE, SIDE), np.float32))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(LikenessError, match="cannot be read"):
        ParserRuntime(path)


class ScriptedParser(ParserRuntime):
    """Answers with given labels, [H, W] names of ``PARSED``, with a probability."""

    def __init__(self, rows: FloatArray, sure: float = 0.97) -> None:
        self.rows, self.sure = rows, sure

    def parse(self, photo, mask, camera, body, vertices):  # type: ignore[no-untyped-def]
        rest = (1.0 - self.sure) / (len(PARSED) - 1)
        return np.where(np.eye(len(PARSED), dtype=bool)[self.rows], self.sure, rest)


def relabel(sitter: Sitter, colors, parser) -> FloatArray:  # type: ignore[no-untyped-def]  # noqa: F811
    body, camera = sitter.body, sitter.camera
    buffer = rasterize_mesh(sitter.vertices, body.f, camera)
    mask = buffer.face >= 0
    truth = np.where(mask, sitter.worn[body.f[buffer.face, buffer.bary.argmax(-1)]], NONE)
    tone = np.array([colors.get(k, (0.5, 0.5, 0.5)) for k in range(len(LABELS))])[truth]
    noise = np.random.default_rng(0).normal(0, 0.015, tone.shape)
    picture = np.clip(tone + noise, 0, 1)
    seen = sitter.observation
    return find_regions(
        picture, mask, camera, sitter.vertices, body, seen, 1.0, picture, parser
    ).label


def test_the_parser_tells_trousers_from_skin_of_their_colour(sitter: Sitter) -> None:  # noqa: F811
    colors = {**COLORS, LOWER: COLORS[SKIN]}
    _, truth = label(sitter)
    rows = np.array([PARSED.index(n) if n in PARSED else 0 for n in LABELS])[truth]
    alone = relabel(sitter, colors, None)
    guided = relabel(sitter, colors, ScriptedParser(rows))
    assert (alone == LOWER)[truth == LOWER].mean() < 0.5
    assert (guided == LOWER)[truth == LOWER].mean() > 0.9
    assert (guided == truth)[truth != NONE].mean() > 0.95


def test_the_parser_does_not_make_sleeves_of_bare_arms(sitter: Sitter) -> None:  # noqa: F811
    _, truth = label(sitter)
    rows = np.array([PARSED.index(n) if n in PARSED else 0 for n in LABELS])[truth]
    sleeves = np.where(rows == PARSED.index("skin"), PARSED.index("upper"), rows)
    guided, alone = (relabel(sitter, COLORS, said) for said in (ScriptedParser(sleeves), None))
    np.testing.assert_array_equal(guided == UPPER, alone == UPPER)


def test_fallen_hair_does_not_teach_what_cloth_is(sitter: Sitter) -> None:  # noqa: F811
    """Tan tips over the chest, which no scalp has, beside tanned arms."""
    part, rest = vertex_parts(sitter.body), np.asarray(sitter.body.v_template)
    fallen = np.isin(part, ["torso", "neck", "ear"]) & (rest[:, 0] > 0.02) & (rest[:, 0] < 0.14)
    fallen &= rest[:, 1] > 0.15
    worn = np.where((part == "arm") & (np.abs(rest[:, 0]) > 0.19), SKIN, sitter.worn)
    tan = np.where(fallen, HAT, np.where((part == "arm") & (worn == SKIN), GLASSES, worn))
    colors = {**COLORS, HAT: (0.55, 0.34, 0.19), GLASSES: (0.55, 0.36, 0.24)}
    painted = replace(sitter, worn=tan)
    _, seen = label(painted, colors)
    truth = np.select([seen == HAT, seen == GLASSES], [HAIR, SKIN], seen)
    rows = np.array([PARSED.index(n) if n in PARSED else 0 for n in LABELS])[truth]
    doubted = np.where(seen == GLASSES, PARSED.index("upper"), rows)  # it may take arms for sleeves
    guided = relabel(painted, colors, ScriptedParser(doubted))
    assert (guided == HAIR)[seen == HAT].mean() > 0.9
    assert (guided == SKIN)[seen == GLASSES].mean() > 0.9


def test_a_collar_below_the_chin_is_neither_skin_nor_hair(sitter: Sitter) -> None:  # noqa: F811
    """The frame ends at the neck: only the parser has seen what clothes look like."""
    worn = np.where(vertex_parts(sitter.body) == "neck", UPPER, sitter.worn)
    close = move_closer(replace(sitter, worn=worn), 4.0, 0.52)
    colors = {**COLORS, UPPER: (0.12, 0.14, 0.26)}
    _, truth = label(close, colors)
    assert close.observation.face is not None
    collar = truth == UPPER
    collar[: int(close.observation.face[152, 1])] = False  # the chin's row
    assert 200 < collar.sum() < 0.3 * (truth != NONE).sum()
    rows = np.array([PARSED.index(n) if n in PARSED else 0 for n in LABELS])[truth]
    alone = relabel(close, colors, None)
    guided = relabel(close, colors, ScriptedParser(rows))
    assert (alone == UPPER)[collar].mean() < 0.5
    assert (guided == UPPER)[collar].mean() > 0.8
    assert (guided == truth)[truth != NONE].mean() > 0.93


def test_a_parser_that_knows_nothing_leaves_the_rules(sitter: Sitter) -> None:  # noqa: F811
    regions, truth = label(sitter)
    mask = truth != NONE
    guided = relabel(sitter, COLORS, ScriptedParser(np.zeros(truth.shape, int), sure=0.999))
    assert (guided == truth)[mask].mean() > 0.95
    assert (regions.label == truth)[mask].mean() > 0.95


def test_a_hat_is_hair_that_the_parser_calls_a_hat() -> None:
    label_ = np.full((60, 60), SKIN)
    label_[5:25, 15:45] = HAIR
    head = np.ones((60, 60), bool)
    parsed = np.zeros((60, 60, len(PARSED)))
    parsed[..., PARSED.index("hair")] = 1.0
    parsed[5:20] = np.eye(len(PARSED))[PARSED.index("hat")]
    out = find_parsed_hat(label_, parsed, head, 10.0)
    assert (out[6:18, 16:44] == HAT).all()
    assert (out[22:25, 16:44] == HAIR).all()
    assert (out[30:] == SKIN).all()
    assert not (find_parsed_hat(label_, parsed, head, 40.0) == HAT).any()  # a hairband at most


def test_a_hat_reaches_as_far_as_the_parser_finds_it_likely() -> None:
    """Sure in its midst, it ends where hair is likelier; what is never sure is hair."""
    label_ = np.full((60, 60), HAIR)
    head = np.ones((60, 60), bool)
    parsed = np.zeros((60, 60, len(PARSED)))
    hat = np.repeat(
        np.interp(np.arange(60), [0, 20, 40, 59], [0.95, 0.9, 0.1, 0.05])[:, None], 60, 1
    )
    parsed[..., PARSED.index("hat")], parsed[..., PARSED.index("hair")] = hat, 1.0 - hat
    rows = np.nonzero((find_parsed_hat(label_, parsed, head, 10.0) == HAT).all(1))[0]
    assert rows[0] == 0
    assert abs(rows[-1] - 30) <= 1
    parsed[..., PARSED.index("hat")], parsed[..., PARSED.index("hair")] = 0.85 * hat, 1 - 0.85 * hat
    assert not (find_parsed_hat(label_, parsed, head, 10.0) == HAT).any()
