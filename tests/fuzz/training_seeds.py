"""Small good files of training, networks and runs; :mod:`.seeds` has those of the product."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from .seeds import seed_body


def weights(folder: Path) -> None:
    """A network's."""
    from safetensors.numpy import save_file

    arrays = {"weight": np.ones((3, 2), np.float32), "bias": np.ones(3, np.float32)}
    save_file(arrays, folder / "decoder.safetensors")


def backbones(folder: Path) -> None:
    """Weights of a perceptual loss, as torch saves them and as safetensors."""
    import torch
    from safetensors.numpy import save_file

    arrays = {"features.0.weight": np.ones((4, 3, 3, 3), np.float32)}
    torch.save({name: torch.from_numpy(a) for name, a in arrays.items()}, folder / "a.pth")
    save_file(arrays, folder / "b.safetensors")


def garments(folder: Path) -> None:
    """A garment in MakeHuman's format."""
    (folder / "g.obj").write_text(
        "\n".join(
            [
                "# a square",
                "v 0 0 0",
                "v 1 0 0",
                "v 1 1 0",
                "v 0 1 0",
                "vt 0 0",
                "vt 1 0",
                "vt 1 1",
                "vt 0 1",
                "f 1/1 2/2 3/3 4/4",
            ]
        )
    )
    (folder / "g.mhclo").write_text(
        "basemesh hm08\nx_scale 5399 11998 1.4\nobj_file g.obj\nmaterial g.mhmat\nverts 0\n"
        "10 11 12 0.3 0.3 0.4 0.1 0 0\n11\n12\n13 14 15 1 0 0 0 0 0\ndelete_verts\n1 5 - 7 9\n"
    )
    (folder / "g.mhmat").write_text(
        "name cloth\ndiffuseColor 1 0.5 0.5\nshininess 0.2\ntransparent True\n"
        "diffuseTexture g.png\nnormalmapIntensity 1.0\n"
    )
    Image.new("RGB", (16, 16), (40, 60, 160)).save(folder / "g.png")


def shards(folder: Path) -> None:
    """One shard of one subject."""
    from likeness.engine.core.cameras import intrinsics, look_at
    from likeness.engine.core.types import Camera
    from likeness.engine.dataset.picture_codec import encode_depth, encode_labels, encode_rgba
    from likeness.engine.dataset.shards import write_index, write_shard
    from likeness.engine.dataset.subjects import Subject, SubjectView

    body = seed_body()
    size = 24
    camera = Camera(look_at(np.zeros(3), 3.0, 0.0, 0.0), intrinsics(40.0, size, size), size, size)
    rgba = np.ones((size, size, 4), np.float32)
    views = tuple(
        SubjectView(
            f"v{k}",
            0,
            "front",
            0.0,
            camera,
            k == 1,
            encode_rgba(rgba),
            depth=encode_depth(rgba[..., 0]),
            labels=encode_labels(np.ones((size, size), np.uint8)),
        )
        for k in range(2)
    )
    subject = Subject(
        "box_000",
        "rendered",
        "full",
        0,
        np.zeros(body.num_betas, np.float32),  # type: ignore[attr-defined]
        np.zeros((1, 55, 3), np.float32),
        np.zeros((1, 3), np.float32),
        np.zeros((1, body.num_expression), np.float32),
        views,
        {"number": 0},  # type: ignore[attr-defined]
    )
    write_shard(folder, 0, [subject])
    write_index(folder)


def configs(folder: Path) -> None:
    """The JSON files of networks."""
    from likeness.engine.network.config import NetworkConfig, save_config

    save_config(NetworkConfig(), folder)


def training(folder: Path) -> None:
    """The settings of a training run."""
    from likeness.engine.network.config import config_to_dict
    from likeness.engine.training.config import TRAINING

    (folder / "run.json").write_text(json.dumps(config_to_dict(next(iter(TRAINING.values())))))


def vocabularies(folder: Path) -> None:
    """The words of 'likeness generate'."""
    from likeness.engine.generative.vocabulary import FOLDER

    for path in FOLDER.glob("*.toml"):
        (folder / path.name).write_bytes(path.read_bytes())


def reports(folder: Path) -> None:
    """What 'likeness eval' wrote."""
    from likeness.engine.evaluation.protocols.report_folder import ITEMS_FILE, REPORT_FILE, VERSION

    record = {
        "protocol": "input",
        "key": "a",
        "person": "a",
        "kind": "photo",
        "counts": True,
        "about": {},
        "groups": {},
        "figures": {"lift": {"psnr": 20.5}},
        "pictures": {"input": "pictures/a.jpg"},
    }
    (folder / REPORT_FILE).write_text(json.dumps({"version": VERSION}))
    (folder / ITEMS_FILE).write_text(json.dumps(record) + "\n")


def checkpoints(folder: Path) -> None:
    """What a stopped tracking of a video leaves."""
    np.savez(folder / "clip.resume.npz", key=np.array("k"), **{"a/b": np.zeros(3)})


def prompts(folder: Path) -> None:
    """A scene of 'likeness generate'."""
    from likeness.engine.generative.compose import compose_prompt
    from likeness.engine.generative.vocabulary import load_vocabulary

    (folder / "prompt.json").write_text(compose_prompt(3, 5, load_vocabulary()).line())


def networks(folder: Path) -> None:
    """A tiny ONNX file."""
    from onnx import TensorProto, helper, save

    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 4]) for n in ("x", "y")]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 4], np.eye(4).ravel())
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", values[:1], values[1:], [weight])
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        folder / "decoder.onnx",
    )
