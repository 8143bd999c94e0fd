"""Every reader of files that users and other programs hand in, and how its files are broken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from . import mutate, seeds

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


def _portrait(path: Path, out: Path) -> None:
    from likeness.engine.imaging.load import load_portrait
    from likeness.engine.imaging.media import is_video

    if not is_video(path):
        load_portrait(path)


def _texture(path: Path, out: Path) -> None:
    from likeness.engine.synth.asset_files import load_picture, load_texture

    load_picture(path)
    load_texture(path)


def _avatar(path: Path, out: Path) -> None:
    """Read, posed and written for another program: what is read must also be usable."""
    from likeness.engine.formats.avatar import load_avatar, save_avatar
    from likeness.engine.workflows.export_files import export_avatar

    avatar = load_avatar(path)
    export_avatar(avatar, out / "avatar.ply", avatar.pose)
    save_avatar(avatar, out / "again.safetensors")


def _level(path: Path, out: Path) -> None:
    from likeness.engine.formats.avatar import load_avatar
    from likeness.engine.gaussians.lod import simplify_avatar
    from likeness.engine.scene.files import make_scene_avatar

    avatar = load_avatar(path)
    simplify_avatar(avatar, max(len(avatar.gaussians) // 2, 1))
    make_scene_avatar(avatar)


def _kept(path: Path, out: Path) -> None:
    from likeness.engine.scene.files import unpack_avatar

    unpack_avatar(path.read_bytes(), str(path))


def _scene(path: Path, out: Path) -> None:
    from likeness.engine.scene.files import load_scene_steps

    for _ in load_scene_steps(path):
        pass


def _frames(folder: Path, out: Path) -> None:
    from likeness.engine.scene.frames import SceneFrames

    scene = SceneFrames.load(folder)
    for t in range(len(scene)):
        scene.camera(t)
        scene.gaussians(t)


def _body(path: Path, out: Path) -> None:
    from likeness.engine.body.model import load_body, save_body
    from likeness.engine.core.types import Pose

    body = load_body(path)
    body.vertices(Pose.rest(body.num_expression))
    save_body(body, out / "body.npz")


def _target() -> object:
    import numpy as np
    from likeness.engine.body.synthetic import make_synthetic_body
    from likeness.engine.motion.placing import TargetAvatar as Mover

    body = make_synthetic_body()
    return Mover(
        body.J_template, -1.0, np.zeros(3), np.array([0.0, 0, 1]), -1.0, body.expression_names
    )


def _motion(path: Path, out: Path) -> None:
    from likeness.engine.motion.prepare_motion import (
        MotionOptions,
        PreparedMotion,
        load_retargeted,
        save_prepared,
    )

    options = MotionOptions(frame_rate=30.0, smooth=0.05)
    source = load_retargeted(path, _target(), options)  # type: ignore[arg-type]
    save_prepared(source, out / "motion.npz")
    PreparedMotion.load(out / "motion.npz")


def _pose(path: Path, out: Path) -> None:
    from likeness.engine.motion.pose_file import load_pose

    load_pose(path, 52)


def _hands(path: Path, out: Path) -> None:
    from likeness.engine.motion.io import read_hand_model

    read_hand_model(path)


def _bone_map(path: Path, out: Path) -> None:
    from likeness.engine.motion.bone_maps import match_bones, read_bone_map

    match_bones(["Hips", "LeftArm", "Spine"], read_bone_map(path))


def _ply(path: Path, out: Path) -> None:
    from likeness.engine.formats.ply import read_ply
    from likeness.engine.formats.spz import write_spz
    from likeness.engine.scene.static_splats import check_ply_fields, make_static_mesh

    check_ply_fields(path)
    gaussians = read_ply(path)
    make_static_mesh(gaussians)
    write_spz(gaussians, out / "splats.spz")


def _spz(path: Path, out: Path) -> None:
    from likeness.engine.formats.ply import write_ply
    from likeness.engine.formats.spz import read_spz

    write_ply(read_spz(path), out / "splats.ply")


def _character(folder: Path, out: Path) -> None:
    from likeness.engine.synth.characters.character import (
        extract_surface,
        load_character,
        scale_to_metres,
    )

    extract_surface(scale_to_metres(load_character(folder, "x.blend")))


def _character_file(path: Path, out: Path) -> None:
    """Opened by Blender in a process of its own."""
    from likeness.addon.cli.convert import read_in_blender
    from likeness.engine.synth.characters.character import extract_surface, scale_to_metres

    extract_surface(scale_to_metres(read_in_blender(path, CHARACTER_SECONDS, 3000.0)))


CHARACTER_SECONDS = 100.0


def _subject(folder: Path, out: Path) -> None:
    from likeness.engine.synth.characters.conversion import load_subject

    load_subject(folder)


def _batch(folder: Path, out: Path) -> None:
    """A batch goes on in a folder of which a file is damaged: what is not whole is made again."""
    from likeness.engine.workflows.batch.batch_summary import write_summary
    from likeness.engine.workflows.batch.report_page import write_batch_report

    from ..engine.workflows.batch.bench import journal, photos, ran

    batch, _ = ran(folder / "out", photos(folder / "in", a="anna", b="hands", c="cat"))
    counts = batch.counts()
    if (counts["done"], counts["failed"]) != (2, 1):
        raise AssertionError(f"{counts} is not what there is")
    write_summary(batch, "likeness batch")
    write_batch_report(batch, "likeness batch")
    journal(folder / "out")


def _weights(path: Path, out: Path) -> None:
    import torch
    from likeness.engine.network.network_files import load_weights

    load_weights(torch.nn.Linear(2, 3), path)


def _backbone(path: Path, out: Path) -> None:
    from likeness.engine.training.perceptual import _read

    _read(path)


def _garment(folder: Path, out: Path) -> None:
    from likeness.engine.synth.asset_files import list_materials, load_garment, missing_picture

    load_garment(folder / "g.mhclo")
    list_materials(folder / "g.mhclo")
    missing_picture(folder / "g.mhclo")


def _shard(path: Path, out: Path) -> None:
    """A reader that skips what is damaged and tells it; nothing may be raised."""
    from likeness.engine.body.synthetic import make_synthetic_body
    from likeness.engine.dataset.picture_codec import InvalidSampleError
    from likeness.engine.dataset.shards import read_subjects

    body = make_synthetic_body()
    for subject in read_subjects(str(path), body.num_betas, body.num_expression, print):
        subject.pose(subject.reference)
        for view in subject.views:
            for read in (view.rgba, view.behind, view.depth_metres, view.label_rows):
                with suppress(InvalidSampleError):
                    read()


def _stored(path: Path, out: Path) -> None:
    from likeness.engine.dataset.stored_subjects import read_members, read_stored_subjects

    list(read_stored_subjects(path))
    list(read_members(path))


def _index(path: Path, out: Path) -> None:
    from likeness.engine.dataset.shards import shard_files

    shard_files(path.parent)


def _config(path: Path, out: Path) -> None:
    from likeness.engine.network.config import NetworkConfig, load_config

    load_config(NetworkConfig, path.parent)


def _request(path: Path, out: Path) -> None:
    from likeness.engine.workflows.worker.main import parse_request

    parse_request(path.read_text(encoding="utf-8", errors="replace"))


def _table(path: Path, out: Path) -> None:
    from likeness.engine.workflows.batch.result_names import assign_names
    from likeness.engine.workflows.batch.tables import read_table

    assign_names(read_table(path), out)


def _training(path: Path, out: Path) -> None:
    from likeness.engine.training.config import read_config

    read_config(str(path))


def _vocabulary(folder: Path, out: Path) -> None:
    from likeness.engine.generative.compose import compose_prompt
    from likeness.engine.generative.vocabulary import load_vocabulary

    compose_prompt(1, 2, load_vocabulary(folder))


def _report(folder: Path, out: Path) -> None:
    from likeness.engine.evaluation.protocols.report_folder import EarlierReport

    for record in (other := EarlierReport(folder)).records.values():
        other.copied(record, out / "pictures")


def _checkpoint(path: Path, out: Path) -> None:
    from likeness.engine.tracking.checkpoint import Checkpoint

    Checkpoint(path, "k").load()


def _prompt(path: Path, out: Path) -> None:
    from likeness.engine.generative.compose import Prompt

    Prompt.of_line(path.read_text(encoding="utf-8", errors="replace")).line()


def _dump(path: Path, out: Path) -> None:
    from likeness.engine.tracking.estimators.dump import read_dump

    read_dump(path)


def _video(path: Path, out: Path) -> None:
    from likeness.engine.imaging.media import is_video
    from likeness.engine.imaging.video import VideoReader

    if is_video(path):
        reader = VideoReader(path)
        list(reader.frames(stop=40))
        list(reader.at([0.1]))


def _environment(path: Path, out: Path) -> None:
    from likeness.engine.synth.environment_light import read_environment

    read_environment(path)


def _network(path: Path, out: Path) -> None:
    from likeness.engine.files.onnx_session import open_session

    open_session(path, 1, "Export it again.")


PICTURES = {
    ".png": mutate.png,
    **dict.fromkeys(
        (".jpg", ".webp", ".tif", ".bmp", ".jp2", ".ppm", ".tga", ".gif"), mutate.mutated
    ),
}
ARRAYS = {".npz": mutate.npz, ".npy": mutate.npy}
_MEMBERS = {"npz": mutate.npz, "json": mutate.json_text, "png": mutate.png}


def _member(name: str) -> mutate.Mutation:
    return _MEMBERS.get(name.rpartition(".")[2], mutate.mutated)


ENGINE = "likeness.engine."
TARGETS: tuple[Target, ...] = (
    Target("picture", seeds.pictures, _portrait, PICTURES, (ENGINE + "imaging.media",)),
    Target("texture", seeds.pictures, _texture, PICTURES, (ENGINE + "synth.asset_files",)),
    Target(
        "avatar",
        seeds.avatars,
        _avatar,
        {".safetensors": mutate.safetensors},
        (ENGINE + "workflows.export_files",),
    ),
    Target(
        "avatar level",
        seeds.avatars,
        _level,
        {".safetensors": mutate.safetensors},
        (ENGINE + "scene.files", ENGINE + "gaussians.lod"),
    ),
    Target(
        "kept avatar",
        seeds.kept,
        _kept,
        {".zlib": mutate.zlibbed(mutate.safetensors)},
        (ENGINE + "scene.files",),
    ),
    Target("scene", seeds.scenes, _scene, ARRAYS, (ENGINE + "scene.files",)),
    Target(
        "scene frames",
        seeds.frames,
        _frames,
        {**ARRAYS, ".safetensors": mutate.safetensors},
        (ENGINE + "scene.frames", ENGINE + "gaussians.lod"),
        whole=True,
    ),
    Target("body", seeds.bodies, _body, ARRAYS, (ENGINE + "body",)),
    Target("motion", seeds.motions, _motion, ARRAYS, (ENGINE + "motion.prepare_motion",)),
    Target("pose", seeds.motions, _pose, ARRAYS, (ENGINE + "motion.pose_file",)),
    Target("hands", seeds.hands, _hands, ARRAYS, (ENGINE + "motion.io",)),
    Target("bvh", seeds.bvh, _motion, {".bvh": mutate.text}, (ENGINE + "motion.prepare_motion",)),
    Target(
        "bone map",
        seeds.bone_maps,
        _bone_map,
        {".toml": mutate.text},
        (ENGINE + "motion.bone_maps",),
    ),
    Target(
        "ply",
        seeds.splats,
        _ply,
        {".ply": mutate.mutated},
        (ENGINE + "scene.static_splats", ENGINE + "formats.spz"),
    ),
    Target("spz", seeds.spz, _spz, {".spz": mutate.gzipped}, (ENGINE + "formats.spz",)),
    Target(
        "character",
        seeds.characters,
        _character,
        {**ARRAYS, ".png": mutate.png},
        (ENGINE + "synth.characters.character",),
        whole=True,
    ),
    Target(
        "character file",
        seeds.character_files,
        _character_file,
        {".blend": mutate.mutated, ".fbx": mutate.mutated, ".glb": mutate.glb, ".obj": mutate.text},
        ("likeness.addon.cli.convert", ENGINE + "synth.characters.character"),
        needs=("bpy",),
        memory=12 * GIB,
        seconds=CHARACTER_SECONDS + 20,
    ),
    Target(
        "subject",
        seeds.subjects,
        _subject,
        {**ARRAYS, ".json": mutate.json_text, ".png": mutate.png},
        (ENGINE + "synth.characters.conversion",),
        whole=True,
    ),
    Target(
        "batch",
        seeds.batches,
        _batch,
        {".json": mutate.json_text, ".jsonl": mutate.json_text},
        (ENGINE + "workflows.batch.batch_run", ENGINE + "workflows.batch.report_page", "jinja2"),
        whole=True,
    ),
    Target(
        "network weights",
        seeds.weights,
        _weights,
        {".safetensors": mutate.safetensors},
        (ENGINE + "network.network_files", "torch"),
        needs=("torch",),
    ),
    Target(
        "backbone",
        seeds.backbones,
        _backbone,
        {".pth": mutate.torch_zip, ".safetensors": mutate.safetensors},
        (ENGINE + "training.perceptual",),
        needs=("torch",),
    ),
    Target(
        "garment",
        seeds.garments,
        _garment,
        {**dict.fromkeys((".obj", ".mhclo", ".mhmat"), mutate.text), ".png": mutate.png},
        (ENGINE + "synth.asset_files",),
        whole=True,
    ),
    Target(
        "shard",
        seeds.shards,
        _shard,
        {".tar": mutate.tar(_member)},
        (ENGINE + "dataset.shards", "webdataset"),
        needs=("webdataset",),
    ),
    Target(
        "stored shard",
        seeds.shards,
        _stored,
        {".tar": mutate.tar(_member)},
        (ENGINE + "dataset.stored_subjects",),
    ),
    Target(
        "shard index",
        seeds.shards,
        _index,
        {".json": mutate.json_text},
        (ENGINE + "dataset.shards", "webdataset"),
        needs=("webdataset",),
    ),
    Target(
        "network config",
        seeds.configs,
        _config,
        {".json": mutate.json_text},
        (ENGINE + "network.config",),
    ),
    Target(
        "onnx",
        seeds.networks,
        _network,
        {".onnx": mutate.mutated},
        (ENGINE + "network.runtime",),
        needs=("onnx", "onnxruntime"),
    ),
    Target(
        "request",
        seeds.requests,
        _request,
        {".json": mutate.json_text},
        (ENGINE + "workflows.worker.main",),
    ),
    Target(
        "prompt",
        seeds.prompts,
        _prompt,
        {".json": mutate.json_text},
        (ENGINE + "generative.compose",),
    ),
    Target(
        "batch table",
        seeds.tables,
        _table,
        {".toml": mutate.text, ".csv": mutate.text, ".jsonl": mutate.text},
        (ENGINE + "workflows.batch.tables", ENGINE + "workflows.batch.result_names"),
    ),
    Target(
        "training config",
        seeds.training,
        _training,
        {".json": mutate.json_text},
        (ENGINE + "training.config",),
        needs=("torch",),
    ),
    Target(
        "vocabulary",
        seeds.vocabularies,
        _vocabulary,
        {".toml": mutate.text},
        (ENGINE + "generative.compose",),
        whole=True,
    ),
    Target(
        "eval report",
        seeds.reports,
        _report,
        {".json": mutate.json_text, ".jsonl": mutate.json_text},
        (ENGINE + "evaluation.protocols.report_folder",),
        whole=True,
    ),
    Target("checkpoint", seeds.checkpoints, _checkpoint, ARRAYS, (ENGINE + "tracking.checkpoint",)),
    Target(
        "estimate",
        seeds.dumps,
        _dump,
        {**ARRAYS, ".json": mutate.json_text},
        (ENGINE + "tracking.estimators.dump",),
    ),
    Target(
        "video",
        seeds.videos,
        _video,
        dict.fromkeys((".mp4", ".mkv", ".webm", ".avi"), mutate.mutated),
        (ENGINE + "imaging.media", "av"),
        needs=("av",),
    ),
    Target(
        "environment",
        seeds.environments,
        _environment,
        {".exr": mutate.mutated},
        (ENGINE + "synth.environment_light", "OpenEXR"),
        needs=("OpenEXR",),
    ),
)
