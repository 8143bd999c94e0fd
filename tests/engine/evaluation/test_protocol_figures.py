"""Figures of the protocols: pictures, means over people, and faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.evaluation.protocols import eval_run
from likeness.engine.evaluation.protocols.compare import (
    ComparedImage,
    Comparer,
    DetectedFace,
    landmark_error,
    load_lpips,
)
from likeness.engine.evaluation.protocols.face_identity import (
    ARCFACE_POINTS,
    SIDE,
    FaceModel,
    align_face,
)
from likeness.engine.evaluation.protocols.metric_summary import method_gains, summarize_protocol
from likeness.engine.training import perceptual
from likeness.engine.training.perceptual import MultiScaleSSIM
from likeness.engine.visual.metrics import ms_ssim, psnr

from .no_faces import NoFaces


def test_the_person_counts_and_the_whole_picture() -> None:
    """By hand: 4 of 16 x 16 pixels are off by a half, another 4 in the truth alone."""
    truth = ComparedImage(np.full((16, 16, 3), 0.5), np.zeros((16, 16)))
    drawn = ComparedImage(truth.rgb.copy(), truth.alpha.copy())
    drawn.rgb[0, :4], drawn.alpha[0, :4] = 1.0, 1.0
    truth.alpha[0, 2:8] = 1.0
    figures = Comparer(NoFaces()).figures(drawn, truth)
    assert figures["psnr"] == pytest.approx(-10 * np.log10(4 * 0.25 / 256))
    assert figures["psnr_fg"] == pytest.approx(-10 * np.log10(4 * 0.25 / 8))
    assert figures["iou"] == pytest.approx(2 / 8)
    assert figures["lpips"] is None
    assert "identity" not in figures
    same = Comparer(NoFaces()).figures(truth, truth)
    assert same["psnr"] == 100.0
    assert psnr(truth.rgb, truth.rgb) == np.inf


def test_lpips_is_taken_where_its_weights_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first backbone that is there; without any the reason; an error where one was named."""

    def create(kind: str) -> MultiScaleSSIM:
        if kind not in there:
            raise LikenessError(f"No weights of {kind}.", "Get them.")
        measure = MultiScaleSSIM()
        measure.name = kind
        return measure

    there = {"lpips-alex", "lpips-vgg"}
    monkeypatch.setattr(perceptual, "create_perceptual", create)
    rng = np.random.default_rng(6)
    a, b = rng.random((2, 40, 44, 3))
    for name in ("lpips-alex", "lpips-vgg"):
        measure, found, why = load_lpips("auto")
        assert (found, why) == (name, "")
        assert measure is not None
        assert measure(a, b) == pytest.approx(1 - ms_ssim(a, b), abs=1e-5)
        there.remove(name)
    alpha = np.ones((40, 44))
    figures = Comparer(NoFaces(), measure).figures(ComparedImage(a, alpha), ComparedImage(b, alpha))
    assert figures["lpips"] == pytest.approx(1 - figures["ms_ssim"], abs=1e-5)
    assert load_lpips("auto") == (None, "", "No weights of lpips-alex. Get them.")
    assert load_lpips("none")[0] is None
    with pytest.raises(LikenessError, match="lpips-vgg"):
        load_lpips("lpips-vgg")


def test_data_is_sorted_by_kind(tmp_path: Path) -> None:
    """Contact sheets, hidden files and texts do not count as photos."""
    for name in (
        "set/contact.jpg",
        "set/shard-000000.tar",
        "set/.shard-000001.part.tar",
        "media/a.JPG",
        "media/b.mp4",
        "media/notes.md",
        "media/.c.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"something")
    pattern = str(tmp_path / "set" / "shard-*.tar")
    found = eval_run.find_sources((str(tmp_path / "set"), str(tmp_path / "media"), pattern), [])
    assert [Path(shard).name for shard in found.shards] == ["shard-000000.tar"]
    assert [path.name for path in found.photos] == ["a.JPG"]
    assert [path.name for path in found.videos] == ["b.mp4"]


def test_means_are_over_people() -> None:
    """Ann has two views, Bob one: (mean(10, 20) + 30) / 2; the input view counts apart."""

    def record(person: str, kind: str, value: float | None, sex: str, counts: bool = True):
        return {
            "protocol": "crossview",
            "key": f"{person}{value}",
            "person": person,
            "kind": kind,
            "counts": counts,
            "about": {},
            "groups": {"sex": sex},
            "pictures": {},
            "figures": {"lift": {"psnr_fg": value, "ssim_fg": None}},
        }

    whole = summarize_protocol(
        [
            record("ann", "30-60", 10.0, "f"),
            record("ann", "0-30", 20.0, "f"),
            record("bob", "120-180", 30.0, "m"),
            record("bob", "60-120", None, "m"),
            record("bob", "input", 99.0, "m", counts=False),
        ]
    )
    assert (whole["items"], whole["people"]) == (4, 2)
    assert whole["mean"]["lift"] == {"psnr_fg": 22.5, "ssim_fg": None}
    assert list(whole["kinds"]) == ["input", "0-30", "30-60", "60-120", "120-180", "30-180"]
    assert whole["kinds"]["30-180"]["mean"]["lift"]["psnr_fg"] == 20.0
    assert whole["kinds"]["input"]["mean"]["lift"]["psnr_fg"] == 99.0
    (worst,) = whole["worst"]
    assert (worst["by"], worst["group"], worst["people"]) == ("sex", "f", 1)
    assert worst["worse_by_pct"] == pytest.approx(100 * 7.5 / 22.5, abs=0.01)


def test_gains_are_of_the_same_views() -> None:
    """Ann gains 1 and 3 dB, Bob 6 where both have a figure: mean(2, 6) ± std / sqrt 2. Errors of
    SSIM go from mean(0.4, 0.2) to mean(0.3, 0.1), a third less."""

    def record(person: str, psnr: tuple[float, float | None], ssims: tuple[float, float]):
        return {
            "person": person,
            "figures": {
                method: {"psnr_fg": psnr[k], "ssim_fg": ssims[k]}
                for k, method in enumerate(("lift", "network"))
            },
        }

    found = method_gains(
        [
            record("ann", (10.0, 11.0), (0.6, 0.7)),
            record("ann", (10.0, 13.0), (0.6, 0.7)),
            record("bob", (20.0, 26.0), (0.8, 0.9)),
            record("bob", (20.0, None), (0.8, 0.9)),
        ]
    )
    assert list(found) == ["network"]
    psnr_gain, ssim_gain = found["network"]["psnr_fg"], found["network"]["ssim_fg"]
    assert psnr_gain == {"gain": 4.0, "sem": 2.0, "people": 2}
    assert ssim_gain["gain"] == pytest.approx(0.1)
    assert ssim_gain["error_less_pct"] == pytest.approx(100 / 3, abs=0.01)


@pytest.fixture
def face_model(tmp_path: Path) -> Path:
    """The mean colour of each quarter of a face, as a network."""
    helper = onnx.helper
    graph = helper.make_graph(
        [
            helper.make_node(
                "AveragePool", ["face"], ["small"], kernel_shape=[56, 56], strides=[56, 56]
            ),
            helper.make_node("Flatten", ["small"], ["vector"]),
        ],
        "quarters",
        [helper.make_tensor_value_info("face", onnx.TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("vector", onnx.TensorProto.FLOAT, [1, 12])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "quarters.onnx"
    onnx.save(model, path)
    return path


def landmarks_at(points: np.ndarray) -> np.ndarray:
    out = np.zeros((478, 2))
    out[[468, 473, 4, 61, 291]] = points
    return out


def test_faces_are_laid_on_arcface_points(face_model: Path) -> None:
    """A face that lies there already stays; turned, moved and larger it gives the same vector."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    face = np.stack([x, y, (x > 0.5) * 1.0], -1)
    np.testing.assert_allclose(
        align_face(face, landmarks_at(ARCFACE_POINTS + 0.5)), face, atol=0.02
    )
    model = FaceModel(face_model)
    vector = model.vector(face, landmarks_at(ARCFACE_POINTS + 0.5))
    quarters = face.reshape(2, 56, 2, 56, 3).mean((1, 3)).transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(vector, quarters / np.linalg.norm(quarters), atol=5e-3)

    angle, size, shift = 0.3, 1.5, np.array([60.0, 40.0])
    R = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rows, columns = np.mgrid[:260, :260] + 0.5
    place = (np.stack([columns, rows], -1) - shift) @ np.linalg.inv(R).T - 0.5
    near = np.clip(place.round().astype(int), 0, SIDE - 1)
    large = face[near[..., 1], near[..., 0]]
    points = (ARCFACE_POINTS + 0.5) @ R.T + shift
    turned = model.vector(large, landmarks_at(points))
    assert vector @ turned > 0.999
    assert vector @ model.vector(large[::-1], landmarks_at(points)) < 0.99


def test_networks_of_faces_that_are_none(tmp_path: Path, face_model: Path) -> None:
    with pytest.raises(LikenessError, match=r"nowhere\.onnx"):
        FaceModel(tmp_path / "nowhere.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(LikenessError, match="cannot be read"):
        FaceModel(tmp_path / "text.onnx")
    model = onnx.load(face_model)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    model.graph.node[0].input[0] = "face"
    onnx.save(model, tmp_path / "four.onnx")
    with pytest.raises(LikenessError, match="112"):
        FaceModel(tmp_path / "four.onnx")


def test_landmarks_are_measured_by_the_eyes() -> None:
    points = np.random.default_rng(4).uniform(0, 100, (478, 2))
    points[[33, 133]], points[[263, 362]] = [30.0, 40.0], [70.0, 40.0]
    moved = points + np.array([3.0, 4.0])
    assert landmark_error(DetectedFace(moved, None), DetectedFace(points, None)) == pytest.approx(
        100 * 5 / 40
    )
