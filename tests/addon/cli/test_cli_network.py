"""``likeness build --network`` from outside."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from likeness.addon.cli.main import main
from likeness.engine.body import Body
from likeness.engine.core.settings import overridden_settings
from likeness.engine.formats.avatar import load_avatar, load_editable_avatar
from likeness.engine.network.config import save_config
from likeness.engine.network.create import create_network
from likeness.engine.network.network_files import save_network
from likeness.engine.network.onnx_export import export_onnx
from likeness.engine.network.presets import NETWORKS
from likeness.engine.pipeline import build as pipeline
from likeness.engine.pipeline.build import LiftedPortrait
from PIL import Image


@pytest.fixture
def lifted(lifted_portrait: LiftedPortrait, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds take the fit and the lift that were made before; the networks are their own."""
    monkeypatch.setattr("likeness.engine.pipeline.build_networks.load_label_network", lambda: None)
    monkeypatch.setattr(pipeline, "_tracked", lambda *_: [lifted_portrait.tracked])
    monkeypatch.setattr(pipeline, "lift_photo", lambda *_, **__: lifted_portrait.lift)


def build(photo: Path, out: Path, *more: str) -> int:
    return main(["build", str(photo), "-o", str(out), "--no-blend", "--no-preview", *more])


@pytest.mark.parametrize(
    ("choice", "said", "remedy"),
    [
        ("nowhere", "nowhere", "Give the folder"),
        ("photo.png", "not a network's folder", "Give the folder"),
        ("empty", "config.json", "Use a folder"),
        ("damaged", "config.json", "Use a folder"),
        ("half", "decoder.safetensors", "Use the files"),
        ("default", "no trained network", "give the folder"),
    ],
)
def test_networks_that_cannot_be_used(
    choice: str,
    said: str,
    remedy: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line with a remedy, before any work, and nothing written."""
    monkeypatch.setenv("LIKENESS_WEIGHTS", "")
    monkeypatch.setattr("likeness.engine.files.weights.user_weights_dir", lambda: tmp_path / "none")
    monkeypatch.setattr("likeness.engine.files.weights.BUNDLED_WEIGHTS", tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(photo)
    for name in ("empty", "damaged", "half"):
        (tmp_path / name).mkdir()
    (tmp_path / "damaged" / "config.json").write_text('{"name": "tiny"')
    save_config(NETWORKS["tiny"], tmp_path / "half")
    before = sorted(tmp_path.rglob("*"))
    assert build(photo, tmp_path / "out", "--network", choice) == 2
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if line.startswith("likeness: ")]
    assert said in line
    assert remedy in line
    assert not any(line.strip().startswith("load") for line in lines)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.usefixtures("lifted")
def test_guavas_network_builds_an_avatar_that_its_refiner_draws(
    default_body: Body, small_portrait: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "net", tmp_path / "out"
    network = create_network(NETWORKS["guava-tiny"], default_body)
    with torch.no_grad():
        network.template.heads["color"].last.bias[3:] = 0.3
        network.refiner.unet.last.bias[0] = 0.2  # redder
    save_network(network, folder)
    assert build(small_portrait, out, "--network", str(folder)) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["refine"]["level"] == "off"
    assert any("latent features" in warning for warning in report["warnings"])
    made = load_avatar(out / "avatar.safetensors")
    assert made.gaussians.features.shape[1] == 5
    assert made.gaussians.features.max() == pytest.approx(0.3, abs=1e-3)
    size = ["--width", "64", "--background", "#808080"]
    drawn = []
    for name, more in (("coarse", []), ("refined", ["--refiner", str(folder)])):
        picture = tmp_path / f"{name}.png"
        avatar = str(out / "avatar.safetensors")
        assert main(["render", avatar, "-o", str(picture), *size, *more]) == 0
        with Image.open(picture) as opened:
            drawn.append(np.asarray(opened, np.float64)[..., :3].mean((0, 1)))
    redder = drawn[1] - drawn[0]
    assert redder[0] > 2.0
    assert abs(redder[1:]).max() < 1.0


@pytest.mark.slow
@pytest.mark.usefixtures("lifted")
def test_perses_network_builds_an_avatar_that_takes_its_looks(
    default_body: Body, small_portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "net", tmp_path / "out"
    network = create_network(NETWORKS["perse-tiny"], default_body)
    torch.nn.init.normal_(network.attributes.weight, std=0.5)
    hat, scarf = (network.config.decoder.category_names.index(n) for n in ("hat", "scarf"))
    network.codes.seen[hat * network.codes.looks] = True
    network.codes.seen[scarf * network.codes.looks] = True
    save_network(network, folder)
    assert build(small_portrait, out, "--network", str(folder), "--refine", "off") == 0
    avatar, worn = str(out / "avatar.safetensors"), str(tmp_path / "worn.safetensors")
    learned = ["--network", str(folder), "--look", "hat=0.5", "--look", "scarf=1"]
    assert main(["edit", avatar, *learned, "--set", "hat=0.5", "-o", worn]) == 0
    before, after = load_editable_avatar(Path(avatar)), load_editable_avatar(Path(worn))
    assert [(one.name, one.value) for one in after.attributes] == [("hat", 0.5), ("scarf", 1.0)]
    own = np.all([one.factors(0.0) == 1.0 for one in after.attributes], axis=0)
    np.testing.assert_array_equal(after.gaussians.take(own).colors, before.gaussians.colors)
    again = ["--network", str(folder), "--look", "hat=0"]
    assert main(["edit", worn, *again, "-o", worn]) == 0
    names = [one.name for one in load_editable_avatar(Path(worn)).attributes]
    assert sorted(names) == ["hat", "scarf"]
    capsys.readouterr()
    with Image.open(small_portrait) as picture:
        pixels = np.array(picture.convert("RGB"))
    height, width = pixels.shape[:2]
    pixels[height // 8 : height // 4, width // 3 : 2 * width // 3] = (200, 20, 20)
    edited = tmp_path / "edited.png"
    Image.fromarray(pixels).save(edited)
    shown = ["--network", str(folder), "--look", f"hat={edited}"]
    assert main(["edit", avatar, *shown, "-o", worn]) == 2
    assert "needs the portrait" in capsys.readouterr().err
    with overridden_settings({"network.transfer.steps": 2}):
        assert main(["edit", avatar, *shown, "--portrait", str(small_portrait), "-o", worn]) == 0
    (record,) = load_editable_avatar(Path(worn)).provenance["edits"]
    assert (record["add"], record["item"], record["from"]) == ("hat", "transferred", "edited.png")
    assert main(["edit", avatar, *shown, "--portrait", str(edited), "-o", worn]) == 2
    assert "is not the portrait" in capsys.readouterr().err
    assert main(["edit", avatar, "--network", str(folder), "--look", "wig=1", "-o", worn]) == 2
    assert "no looks of 'wig'" in capsys.readouterr().err


@pytest.mark.soak
def test_a_portrait_is_built_through_a_network(
    default_body: Body, small_portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("likeness.engine.pipeline.build_networks.load_label_network", lambda: None)
    folder = tmp_path / "net"
    decoder = replace(NETWORKS["tiny"].decoder, keep_shown=False)
    config = replace(NETWORKS["tiny"], decoder=decoder)
    network = create_network(config, default_body)
    with torch.no_grad():  # brighter, a little more solid, and else as it was
        network.decoder.heads["color"].last.bias.fill_(0.1)
        network.decoder.heads["opacity"].last.bias.fill_(0.2)
    save_network(network, folder)
    export_onnx(network, folder)
    options = ("--max-gaussians", "12000", "--refine", "off")
    assert build(small_portrait, tmp_path / "with", *options, "--network", str(folder)) == 0
    assert build(small_portrait, tmp_path / "without", *options, "--network", "none") == 0
    made, plain = (
        load_avatar(tmp_path / name / "avatar.safetensors") for name in ("with", "without")
    )
    report = json.loads((tmp_path / "with" / "report.json").read_text())
    told = report["network"]
    assert (told["name"], told["backend"]) == ("tiny", "onnx")
    assert told["folder"] == str(folder)
    assert made.provenance["network"]["folder"] == "net"
    assert made.provenance["network"]["sha256"] == told["sha256"]
    assert told["change"]["offset_mm"] == 0
    colors = np.sort(plain.gaussians.colors, axis=0)
    brighter = np.minimum(colors * (decoder.max_gain * decoder.max_tint) ** np.tanh(0.1), 1.0)
    np.testing.assert_allclose(np.sort(made.gaussians.colors, axis=0), brighter, atol=2e-3)
    assert "network" not in plain.provenance
