"""Every reader of files that users and other programs hand in, and how its files are broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from . import estimator_seeds, mutate, mutate_pictures, readers, seeds, training_seeds

GIB = 1 << 30


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        name: for reports. make: writes good files into a folder.
        read: takes a file, or the folder, and a folder for what it writes.
        mutations: by suffix; other files stay as they are.
        modules: imported once, before the children are forked.
        whole: ``read`` takes the folder. needs: packages without which it is left out.
        memory: bytes that a child may take. seconds: that it may take, where that is more than of
            the others: what starts another program, which has limits of its own.
    """

    name: str
    make: Callable[[Path], None]
    read: Callable[[Path, Path], object]
    mutations: Mapping[str, mutate.Mutation]
    modules: tuple[str, ...] = ()
    whole: bool = False
    needs: tuple[str, ...] = ()
    memory: int = 3 * GIB
    seconds: float = 0.0

    @property
    def available(self) -> bool:
        return all(find_spec(name) is not None for name in self.needs)


PICTURES = {
    ".png": mutate_pictures.png,
    **dict.fromkeys(
        (".jpg", ".webp", ".tif", ".bmp", ".jp2", ".ppm", ".tga", ".gif"), mutate.mutated
    ),
}
ARRAYS = {".npz": mutate.npz, ".npy": mutate.npy}
_MEMBERS = {"npz": mutate.npz, "json": mutate.json_text, "png": mutate_pictures.png}


def _member(name: str) -> mutate.Mutation:
    return _MEMBERS.get(name.rpartition(".")[2], mutate.mutated)


ENGINE = "likeness.engine."
TARGETS: tuple[Target, ...] = (
    Target("picture", seeds.pictures, readers.portrait, PICTURES, (ENGINE + "imaging.media",)),
    Target(
        "texture", seeds.pictures, readers.texture, PICTURES, (ENGINE + "wardrobe.asset_files",)
    ),
    Target(
        "avatar",
        seeds.avatars,
        readers.avatar,
        {".safetensors": mutate.safetensors},
        (ENGINE + "workflows.export_files",),
    ),
    Target(
        "avatar level",
        seeds.avatars,
        readers.level,
        {".safetensors": mutate.safetensors},
        (ENGINE + "scene.files", ENGINE + "gaussians.lod"),
    ),
    Target(
        "kept avatar",
        seeds.kept,
        readers.kept,
        {".zlib": mutate.zlibbed(mutate.safetensors)},
        (ENGINE + "scene.files",),
    ),
    Target("scene", seeds.scenes, readers.scene, ARRAYS, (ENGINE + "scene.files",)),
    Target(
        "scene frames",
        seeds.frames,
        readers.frames,
        {**ARRAYS, ".safetensors": mutate.safetensors},
        (ENGINE + "scene.frames", ENGINE + "gaussians.lod"),
        whole=True,
    ),
    Target("body", seeds.bodies, readers.body, ARRAYS, (ENGINE + "body",)),
    Target("head", seeds.heads, readers.head, ARRAYS, (ENGINE + "bake.flame",)),
    Target("MHR", seeds.mhr, readers.mhr, ARRAYS, (ENGINE + "bake.mhr_body",), whole=True),
    Target("motion", seeds.motions, readers.motion, ARRAYS, (ENGINE + "motion.prepare_motion",)),
    Target("pose", seeds.motions, readers.pose, ARRAYS, (ENGINE + "motion.pose_file",)),
    Target("hands", seeds.hands, readers.hands, ARRAYS, (ENGINE + "motion.io",)),
    Target(
        "bvh", seeds.bvh, readers.motion, {".bvh": mutate.text}, (ENGINE + "motion.prepare_motion",)
    ),
    Target(
        "face capture",
        seeds.face_captures,
        readers.motion,
        {".csv": mutate.text, ".json": mutate.json_text},
        (ENGINE + "motion.prepare_motion",),
    ),
    Target(
        "lip sync",
        seeds.lip_sync,
        readers.lip_sync,
        {
            **dict.fromkeys((".tsv", ".xml", ".dat", ".pgo"), mutate.text),
            **dict.fromkeys((".json", ".pg2"), mutate.json_text),
            ".wav": mutate.mutated,
        },
        (ENGINE + "motion.speech.performance", "av"),
    ),
    Target(
        "bone map",
        seeds.bone_maps,
        readers.bone_map,
        {".toml": mutate.text},
        (ENGINE + "motion.bone_maps",),
    ),
    Target(
        "ply",
        seeds.splats,
        readers.ply,
        {".ply": mutate.mutated},
        (ENGINE + "scene.static_splats", ENGINE + "formats.spz"),
    ),
    Target("spz", seeds.spz, readers.spz, {".spz": mutate.gzipped}, (ENGINE + "formats.spz",)),
    Target(
        "character",
        seeds.characters,
        readers.character,
        {**ARRAYS, ".png": mutate_pictures.png},
        (ENGINE + "synth.characters.character",),
        whole=True,
    ),
    Target(
        "character file",
        seeds.character_files,
        readers.character_file,
        {".blend": mutate.mutated, ".fbx": mutate.mutated, ".glb": mutate.glb, ".obj": mutate.text},
        ("likeness.addon.cli.convert", ENGINE + "synth.characters.character"),
        needs=("bpy",),
        memory=12 * GIB,
        seconds=readers.CHARACTER_SECONDS + 20,
    ),
    Target(
        "subject",
        seeds.subjects,
        readers.subject,
        {**ARRAYS, ".json": mutate.json_text, ".png": mutate_pictures.png},
        (ENGINE + "synth.characters.conversion",),
        whole=True,
    ),
    Target(
        "batch",
        seeds.batches,
        readers.batch,
        {".json": mutate.json_text, ".jsonl": mutate.json_text},
        (ENGINE + "workflows.batch.batch_run", ENGINE + "workflows.batch.report_page", "jinja2"),
        whole=True,
    ),
    Target(
        "network weights",
        training_seeds.weights,
        readers.weights,
        {".safetensors": mutate.safetensors},
        (ENGINE + "network.network_files", "torch"),
        needs=("torch",),
    ),
    Target(
        "backbone",
        training_seeds.backbones,
        readers.backbone,
        {".pth": mutate.torch_zip, ".safetensors": mutate.safetensors},
        (ENGINE + "training.perceptual",),
        needs=("torch",),
    ),
    Target(
        "garment",
        training_seeds.garments,
        readers.garment,
        {**dict.fromkeys((".obj", ".mhclo", ".mhmat"), mutate.text), ".png": mutate_pictures.png},
        (ENGINE + "wardrobe.asset_files",),
        whole=True,
    ),
    Target(
        "shard",
        training_seeds.shards,
        readers.shard,
        {".tar": mutate.tar(_member)},
        (ENGINE + "dataset.shards", "webdataset"),
        needs=("webdataset",),
    ),
    Target(
        "stored shard",
        training_seeds.shards,
        readers.stored,
        {".tar": mutate.tar(_member)},
        (ENGINE + "dataset.stored_subjects",),
    ),
    Target(
        "shard index",
        training_seeds.shards,
        readers.index,
        {".json": mutate.json_text},
        (ENGINE + "dataset.shards", "webdataset"),
        needs=("webdataset",),
    ),
    Target(
        "network config",
        training_seeds.configs,
        readers.config,
        {".json": mutate.json_text},
        (ENGINE + "network.config",),
    ),
    Target(
        "onnx",
        training_seeds.networks,
        readers.network,
        {".onnx": mutate.mutated},
        (ENGINE + "network.runtime",),
        needs=("onnx", "onnxruntime"),
    ),
    Target(
        "request",
        seeds.requests,
        readers.request,
        {".json": mutate.json_text},
        (ENGINE + "workflows.worker.main",),
    ),
    Target(
        "prompt",
        training_seeds.prompts,
        readers.prompt,
        {".json": mutate.json_text},
        (ENGINE + "generative.compose",),
    ),
    Target(
        "batch table",
        seeds.tables,
        readers.table,
        {".toml": mutate.text, ".csv": mutate.text, ".jsonl": mutate.text},
        (ENGINE + "workflows.batch.tables", ENGINE + "workflows.batch.result_names"),
    ),
    Target(
        "training config",
        training_seeds.training,
        readers.training,
        {".json": mutate.json_text},
        (ENGINE + "training.config",),
        needs=("torch",),
    ),
    Target(
        "vocabulary",
        training_seeds.vocabularies,
        readers.vocabulary,
        {".toml": mutate.text},
        (ENGINE + "generative.compose",),
        whole=True,
    ),
    Target(
        "eval report",
        training_seeds.reports,
        readers.report,
        {".json": mutate.json_text, ".jsonl": mutate.json_text},
        (ENGINE + "evaluation.protocols.report_folder",),
        whole=True,
    ),
    Target(
        "checkpoint",
        training_seeds.checkpoints,
        readers.checkpoint,
        ARRAYS,
        (ENGINE + "tracking.checkpoint",),
    ),
    Target(
        "estimate",
        estimator_seeds.dumps,
        readers.dump,
        {**ARRAYS, ".json": mutate.json_text},
        (ENGINE + "tracking.estimators.dump",),
    ),
    Target(
        "visibility map",
        estimator_seeds.visibility_maps,
        readers.visibility,
        {".toml": mutate.text},
        (ENGINE + "tracking.estimators.visibility",),
    ),
    Target(
        "video",
        seeds.videos,
        readers.video,
        dict.fromkeys((".mp4", ".mkv", ".webm", ".avi"), mutate.mutated),
        (ENGINE + "imaging.media", "av"),
        needs=("av",),
    ),
    Target(
        "environment",
        seeds.environments,
        readers.environment,
        {".exr": mutate_pictures.exr, ".hdr": mutate_pictures.hdr},
        (ENGINE + "imaging.environment", "OpenEXR"),
        needs=("OpenEXR",),
        memory=GIB,
    ),
)
