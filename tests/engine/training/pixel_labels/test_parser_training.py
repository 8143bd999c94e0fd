"""The parser learns from labelled pictures, and ships as the network that it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from likeness.engine.body import Body  # noqa: E402
from likeness.engine.core.cameras import photo_camera  # noqa: E402
from likeness.engine.core.types import FloatArray, IntArray, LikenessError, Pose  # noqa: E402
from likeness.engine.files.digests import file_sha256  # noqa: E402
from likeness.engine.gaussians.lift.pixels.labels_parser import (  # noqa: E402
    CHANNELS,
    MIRROR,
    PARSED,
    PARSER_ONNX,
    SIDE,
    ParserRuntime,
    Square,
    body_layers,
    person_square,
    stack_inputs,
)
from likeness.engine.gaussians.lift.surface.labels import standard_rest  # noqa: E402
from likeness.engine.render.mesh import rasterize_mesh  # noqa: E402
from likeness.engine.training.pixel_labels import photo_errors  # noqa: E402
from likeness.engine.training.pixel_labels.batches import (  # noqa: E402
    PictureFolder,
    cut_square,
    random_sample,
)
from likeness.engine.training.pixel_labels.export import PARSER, export_parser  # noqa: E402
from likeness.engine.training.pixel_labels.measure import (  # noqa: E402
    format_counts,
    measure_parser,
)
from likeness.engine.training.pixel_labels.people import UNKNOWN, read_picture  # noqa: E402
from likeness.engine.training.pixel_labels.train import (  # noqa: E402
    ParserTrainConfig,
    load_parser_network,
    train_parser,
)

SKIN, UPPER, LOWER = (PARSED.index(name) for name in ("skin", "upper", "lower"))
SMALL = ParserTrainConfig(batch=1, rate=1e-2, warm_up=5, average=0.9)


def store_picture(folder: Path, body: Body, number: int, size: int = 96) -> IntArray:
    """A person in a shirt and trousers, as labelled [size, size]."""
    pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, 0.1, -3.0]))
    vertices, _ = body.vertices(pose)
    camera = photo_camera(1.3 * size, size, size)
    buffer = rasterize_mesh(vertices, body.f, camera)
    height = standard_rest(body)[body.f[buffer.face, 0], 1]
    label = np.where(height > 0.4, SKIN, np.where(height > 0.0, UPPER, LOWER))
    label = np.where(buffer.face >= 0, label, UNKNOWN)
    rgba = np.zeros((size, size, 4), np.uint8)
    rgba[..., :3] = np.array([[0, 0, 0], [200, 150, 130], [0, 0, 0], [40, 60, 160], [60, 60, 50]])[
        np.where(label == UNKNOWN, 0, label)
    ]
    rgba[..., 3] = 255 * (buffer.face >= 0)
    np.savez(
        folder / f"person_{number:06d}_0.npz",
        rgba=rgba,
        label=label.astype(np.uint8),
        piece=np.where(np.isin(label, [UPPER, LOWER]), label, 0).astype(np.uint8),
        betas=np.zeros(body.num_betas, np.float32),
        full_pose=pose.full_pose,
        transl=pose.transl,
        expression=pose.expression,
        viewmat=camera.viewmat,
        K=camera.K,
        framing=np.frombuffer(b"full", np.uint8),
        kind=np.frombuffer(b"front", np.uint8),
    )
    return label


@pytest.fixture(scope="module")
def pictures(default_body: Body, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(2):
        store_picture(folder, default_body, number)
    return folder


def test_a_cut_has_the_labels_of_its_pixels(default_body: Body, tmp_path: Path) -> None:
    label = store_picture(tmp_path, default_body, 3)
    picture = read_picture(tmp_path / "person_000003_0.npz")
    cut = cut_square(picture, Square(0, 0, 96))
    rows = np.minimum(((np.arange(SIDE // 2) * 2 + 1.5) * 96 / SIDE).astype(int), 95)
    known = (coarse := cut.label[1::2, 1::2]) != 0
    np.testing.assert_array_equal(coarse[known], label[np.ix_(rows, rows)][known])
    assert (cut.label[cut.alpha == 0] == 0).all()
    shirt = (cut.label == UPPER) & (cut.alpha > 0.999)
    np.testing.assert_allclose(cut.rgb[shirt].mean(0), np.array([40, 60, 160]) / 255, atol=0.03)
    beyond = cut_square(picture, Square(-96, -96, 96))
    assert not beyond.alpha.any()
    assert not beyond.label.any()
    (tmp_path / "person_000003_0.npz").write_bytes(b"damaged")
    with pytest.raises(LikenessError, match="cannot be read as a labelled picture"):
        read_picture(tmp_path / "person_000003_0.npz")


def test_samples_ask_for_what_the_mask_shows(default_body: Body, pictures: Path) -> None:
    folder = PictureFolder(pictures, default_body, 1)
    posed = folder.refresh()[0]
    for seed in range(6):
        one = random_sample(posed, folder, np.random.default_rng(seed))
        again = random_sample(posed, folder, np.random.default_rng(seed))
        np.testing.assert_array_equal(one.inputs, again.inputs)
        assert one.inputs.shape == (CHANNELS, SIDE, SIDE)
        mask = one.inputs[3] > 0
        assert (one.label[~mask] == UNKNOWN).all()
        assert (one.label[mask] < len(PARSED)).mean() > 0.8  # of so coarse a picture: rims
        assert not one.inputs[:3, ~mask].any()
        assert np.isfinite(one.inputs).all()


def test_recolouring_keeps_light_and_what_is_not_cloth(monkeypatch: pytest.MonkeyPatch) -> None:
    keep = replace(photo_errors.S, recolor=1.0, pattern=0.0, other_skin=0.0, other_hair=0.0)
    monkeypatch.setattr(photo_errors, "S", keep)
    label = np.full((SIDE, SIDE), SKIN)
    label[:, SIDE // 2 :] = UPPER
    light = np.linspace(0.3, 0.9, SIDE)[:, None, None]
    rgb: FloatArray = light * np.where(label[..., None] == SKIN, [0.8, 0.6, 0.5], [0.2, 0.3, 0.7])
    out = photo_errors.recolor_people(rgb, label, label, np.random.default_rng(2))
    np.testing.assert_array_equal(out[:, : SIDE // 2], rgb[:, : SIDE // 2])
    assert np.abs(out - rgb)[:, SIDE // 2 :].mean() > 0.05
    assert (np.diff(out[:, -20].sum(-1)) > -1e-6).all()


def clean_batch(pictures: Path, body: Body) -> tuple[FloatArray, IntArray]:
    """The first picture without any mistakes, and its labels."""
    posed = PictureFolder(pictures, body, 0).refresh()[0]
    square = person_square(posed.picture.rgba[..., 3] > 127)
    cut = cut_square(posed.picture, square)
    rest, vertices, camera = posed.bodies[0]
    layers, part = body_layers(rest, body, vertices, square.camera(camera))
    inputs = stack_inputs(cut.rgb, cut.alpha > 0.5, layers, part, body)
    return inputs[None], np.where(cut.alpha > 0.5, cut.label, UNKNOWN)[None]


def test_it_learns_and_ships(
    default_body: Body, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.engine.training.pixel_labels.model.WIDTHS", (8, 16))
    clean = clean_batch(pictures, default_body)
    monkeypatch.setattr(
        "likeness.engine.training.pixel_labels.train.random_batch", lambda *given: clean
    )
    said: list[str] = []
    trainer = train_parser(
        pictures, tmp_path / "run", default_body, 40, config=SMALL, say=said.append
    )
    assert trainer.step == 40
    assert "2 pictures" in said[0]
    files = export_parser(tmp_path / "run", tmp_path / "out", default_body, {"limits": "All."})
    path = tmp_path / "out" / PARSER_ONNX
    assert path in files
    assert path.stat().st_size <= PARSER.max_bytes
    assert str(tmp_path).encode() not in path.read_bytes()
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert (card["steps"], card["sha256"]) == (40, file_sha256(path))
    counts = measure_parser(ParserRuntime(path), pictures, default_body)
    table = counts["true body"]
    assert table[[SKIN, UPPER, LOWER]].sum() > 0.9 * table.sum() > 0
    assert table.trace() > 0.9 * table.sum()
    right = 100 * sum(table[k, k] for k in range(1, len(PARSED))) / table[1:].sum()
    assert f"| true body | {right:.1f} |" in format_counts(counts)


def test_the_file_gives_what_the_network_gives(
    default_body: Body, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.engine.training.pixel_labels.model.WIDTHS", (8, 16))
    train_parser(pictures, tmp_path / "run", default_body, 1, config=SMALL, say=lambda text: None)
    export_parser(tmp_path / "run", tmp_path / "out", default_body, {})
    network, steps = load_parser_network(tmp_path / "run")
    assert steps == 1
    given = np.random.default_rng(0).normal(size=(CHANNELS, SIDE, SIDE)).astype(np.float32)
    both = np.stack([given, (MIRROR * given)[:, :, ::-1]])
    with torch.no_grad():
        likely = network(torch.from_numpy(both)).softmax(1).numpy()
    mean = 0.5 * (likely[0] + likely[1, :, :, ::-1])
    found = ParserRuntime(tmp_path / "out" / PARSER_ONNX).run(given)
    np.testing.assert_allclose(found, np.moveaxis(mean, 0, -1), atol=2e-3)
