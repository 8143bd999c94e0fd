"""The real loading code on models of the real classes, as small as they can be."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import WEIGHTS
from likeness.engine.generative import models
from likeness.engine.generative.clip_generation import VideoOptions, open_video_model
from likeness.engine.generative.compose import Prompt, compose_prompt
from likeness.engine.generative.loading import translate_errors
from likeness.engine.generative.models import (
    MODELS,
    Placement,
    describe_models,
    missing_requirements,
    resolve_model,
)
from likeness.engine.generative.rewrite import RewriteOptions, open_language_model, rewrite_prompts
from likeness.engine.generative.view_editing import (
    BACK_PROMPT,
    SIDE_PROMPT,
    EditOptions,
    edit_side_views,
    open_editing_model,
)
from likeness.engine.generative.vocabulary import load_vocabulary
from PIL import Image

# Imported by what is tested: collecting the tests need not take its seconds.
pytestmark = pytest.mark.skipif(find_spec("diffusers") is None, reason="needs diffusers")

CPU = Placement("cpu", "float32", allow_download=False)


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    vocabulary = load_vocabulary()
    return [compose_prompt(number, 0, vocabulary) for number in range(2)]


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights of this computer's user, and no way to fetch any."""
    import huggingface_hub

    def refused(*arguments: object, **options: object) -> str:
        assert options.get("local_files_only")
        raise OSError("not here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refused)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *a: None)
    monkeypatch.setenv("LIKENESS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("likeness.engine.files.weights.user_weights_dir", lambda: tmp_path / "user")
    monkeypatch.delenv("LIKENESS_ALLOW_DOWNLOAD", raising=False)


def test_a_language_model_answers_the_same_for_a_seed(
    tmp_path: Path, tiny: SimpleNamespace, prompts: list[Prompt]
) -> None:
    source = str(tiny.language_model(tmp_path / "words"))
    complete, about = open_language_model(source, CPU, RewriteOptions(max_new_tokens=6))
    assert about["model"] == "words"
    assert about["temperature"] == 0.7
    scenes = [prompt.template for prompt in prompts]
    first = complete(scenes, 5)
    assert len(first) == 2
    assert complete(scenes, 5) == first
    assert complete(scenes, 6) != first
    kept = list(rewrite_prompts(prompts, complete, about))
    assert [p.rewriting["outcome"] for p in kept] == ["template kept"] * 2
    assert [p.text for p in kept] == scenes


def test_a_model_without_a_chat_template(tmp_path: Path, tiny: SimpleNamespace) -> None:
    folder = tiny.language_model(tmp_path / "words")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(LikenessError, match="no chat template"):
        open_language_model(str(folder), CPU)


def test_a_clip(tmp_path: Path, tiny: SimpleNamespace, prompts: list[Prompt]) -> None:
    source = str(tiny.video_pipeline(tmp_path / "film"))
    film, about = open_video_model(source, CPU, VideoOptions(64, 96, 5, steps=2))
    assert (about["width"], about["steps"], about["dtype"]) == (64, 2, "float32")
    frames = film(prompts[0])
    assert frames.shape == (5, 96, 64, 3)
    assert frames.dtype == np.uint8
    assert (film(prompts[0]) == frames).all()
    assert (film(prompts[1]) != frames).any()


@pytest.mark.parametrize("options", [{"width": 100}, {"height": 16}, {"frames": 80}])
def test_sizes_that_cannot_be(options: dict[str, int]) -> None:
    with pytest.raises(LikenessError, match="Clips cannot"):
        VideoOptions(**options)


@pytest.mark.usefixtures("small_edits")
def test_a_picture_is_edited(tmp_path: Path, tiny: SimpleNamespace) -> None:
    source = str(tiny.editing_pipeline(tmp_path / "edit"))
    edit, about = open_editing_model(source, CPU, EditOptions(steps=1, guidance=1.0))
    assert about["pipeline"] == "QwenImageEditPipeline"
    assert about["prompts"]["side"] == SIDE_PROMPT
    made = edit(Image.new("RGB", (64, 64), (200, 80, 40)), SIDE_PROMPT, 1)
    assert made.mode == "RGB"
    assert made.size == (256, 256)


@pytest.mark.soak
@pytest.mark.usefixtures("small_edits")
def test_a_picture_is_edited_by_the_later_pipeline(tmp_path: Path, tiny: SimpleNamespace) -> None:
    source = str(tiny.editing_pipeline(tmp_path / "edit", "QwenImageEditPlusPipeline"))
    edit, about = open_editing_model(source, CPU, EditOptions(steps=1, guidance=1.0))
    assert about["pipeline"] == "QwenImageEditPlusPipeline"
    assert edit(Image.new("RGB", (64, 64)), BACK_PROMPT, 1).mode == "RGB"


def test_both_sides_come_from_one_prompt(prompts: list[Prompt]) -> None:
    """The stand-in marks what it was given: the right side is asked for in a mirror."""
    asked: list[tuple[np.ndarray, str, int]] = []

    def edit(picture: Image.Image, text: str, seed: int) -> Image.Image:
        asked.append((np.asarray(picture), text, seed))
        out = np.asarray(picture).copy()
        out[:, 0] = 255  # the nose is at the left edge
        return Image.fromarray(out)

    rng = np.random.default_rng(0)
    reference = rng.integers(0, 200, (8, 12, 3), dtype=np.uint8)
    views = edit_side_views(reference, prompts[0], edit)
    assert [text for _, text, _ in asked] == [SIDE_PROMPT, SIDE_PROMPT, BACK_PROMPT]
    assert len({seed for _, _, seed in asked}) == 3
    assert (asked[0][0] == reference).all()
    assert (asked[1][0] == reference[:, ::-1]).all()
    assert (views["left"][:, 0] == 255).all()
    assert (views["right"][:, -1] == 255).all()
    assert (views["right"][:, :-1] == reference[:, :-1]).all()


def test_another_pipeline_is_refused(tmp_path: Path, tiny: SimpleNamespace) -> None:
    source = tiny.video_pipeline(tmp_path / "film")
    with pytest.raises(LikenessError, match="WanPipeline, not one of QwenImageEditPipeline"):
        open_editing_model(str(source), CPU, EditOptions())


def test_a_broken_transfer_is_noticed(tmp_path: Path, tiny: SimpleNamespace) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(LikenessError, match="neither model_index"):
        resolve_model(str(folder), CPU)
    (folder / "config.json").write_text("{}")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model-1.safetensors").write_bytes(b"")
    with pytest.raises(LikenessError, match=r"incomplete: model-2\.safetensors is missing"):
        resolve_model(str(folder), CPU)


def test_where_a_named_model_is_looked_for(tmp_path: Path, tiny: SimpleNamespace) -> None:
    folder = tmp_path / "user" / "wan2.2-ti2v-5b"
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    found, about = resolve_model("wan2.2-ti2v-5b", CPU)
    assert found == folder
    assert about["model"] == "Wan-AI/Wan2.2-TI2V-5B-Diffusers"


def test_what_is_needed_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = " ".join(
        missing_requirements(("rewrite", "videos", "views"), {}, Placement(allow_download=False))
    )
    for model in MODELS.values():
        entry = WEIGHTS[model.weights]
        assert f"{entry.repository} ({entry.gigabytes} GB, {entry.licence})" in said
    assert "64 GB (46 GB with --offload)" in said
    assert "torch finds none" in said
    assert "--allow-download: 122 GB" in said
    assert missing_requirements(("prompts", "shards"), {}, Placement(allow_download=False)) == []


def test_no_room_for_downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = models.shutil.disk_usage(tmp_path)._replace(free=10**10)
    monkeypatch.setattr(models.shutil, "disk_usage", lambda _: usage)
    consent = Placement("cpu", allow_download=True)
    said = missing_requirements(("rewrite",), {}, consent)
    assert len(said) == 1
    assert "about 30 GB" in said[0]
    assert "10 GB left" in said[0]


def test_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    find = models.importlib.util.find_spec
    monkeypatch.setattr(
        models.importlib.util, "find_spec", lambda name: None if name == "diffusers" else find(name)
    )
    said = missing_requirements(("videos",), {}, CPU)
    assert said[0].startswith("The packages diffusers are not installed: pip install")


def test_a_small_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Small:
        total_memory = 8 * 10**9

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Small)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Small One")
    said = missing_requirements(("videos",), {}, Placement(allow_download=False))
    assert "36 GB (24 GB with --offload); 'Small One' has 8 GB." in said[0]


def test_full_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def full() -> None:
        with translate_errors("filming"):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(LikenessError, match=r"too small for filming.*--offload"):
        full()


def test_what_will_be_used() -> None:
    lines = describe_models(("prompts", "videos"), {}, Placement())
    assert len(lines) == 1
    assert "Wan-AI/Wan2.2-TI2V-5B-Diffusers (Apache-2.0), about 34 GB on disk" in lines[0]
    assert "hours" in describe_models(("views",), {"views": "my-model"}, CPU)[0]


@pytest.mark.gpu
@pytest.mark.parametrize("offload", [False, True])
def test_models_on_a_gpu_draw_what_they_draw_on_the_cpu(
    tmp_path: Path, tiny: SimpleNamespace, prompts: list[Prompt], offload: bool
) -> None:
    """The noise comes from the CPU; pictures of it differ by rounding. Texts are not compared."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    gpu = replace(CPU, device="cuda", offload=offload)
    words = str(tiny.language_model(tmp_path / "words"))
    film = str(tiny.video_pipeline(tmp_path / "film"))
    edit = str(tiny.editing_pipeline(tmp_path / "edit"))
    picture = Image.new("RGB", (64, 64), (200, 80, 40))
    clips, pictures = [], []
    for placement in (CPU, gpu):
        complete, _ = open_language_model(words, placement, RewriteOptions(max_new_tokens=6))
        assert len(complete([prompt.template for prompt in prompts], 5)) == 2
        draw, _ = open_video_model(film, placement, VideoOptions(64, 96, 5, steps=2))
        clips.append(draw(prompts[0]).astype(float))
        change, _ = open_editing_model(edit, placement, EditOptions(steps=1, guidance=1.0))
        pictures.append(np.asarray(change(picture, SIDE_PROMPT, 1), float))
    assert np.abs(clips[1] - clips[0]).mean() < 1.0
    assert np.abs(pictures[1] - pictures[0]).mean() < 1.0
