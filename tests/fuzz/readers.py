"""Calls every reader of files that users and other programs hand in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np


def portrait(path: Path, out: Path) -> None:
    from likeness.engine.imaging.load import load_portrait
    from likeness.engine.imaging.media import is_video

    if not is_video(path):
        load_portrait(path)


def texture(path: Path, out: Path) -> None:
    from likeness.engine.wardrobe.asset_files import load_picture, load_texture

    load_picture(path)
    load_texture(path)


def avatar(path: Path, out: Path) -> None:
    """Read, posed and written for another program: what is read must also be usable."""
    from likeness.engine.formats.avatar import load_avatar, save_avatar
    from likeness.engine.workflows.export_files import export_avatar

    avatar = load_avatar(path)
    export_avatar(avatar, out / "avatar.ply", avatar.pose)
    save_avatar(avatar, out / "again.safetensors")


def level(path: Path, out: Path) -> None:
    from likeness.engine.formats.avatar import load_avatar
    from likeness.engine.gaussians.lod import simplify_avatar
    from likeness.engine.scene.files import make_scene_avatar

    avatar = load_avatar(path)
    simplify_avatar(avatar, max(len(avatar.gaussians) // 2, 1))
    make_scene_avatar(avatar)


def kept(path: Path, out: Path) -> None:
    from likeness.engine.scene.files import unpack_avatar

    unpack_avatar(path.read_bytes(), str(path))


def scene(path: Path, out: Path) -> None:
    from likeness.engine.scene.files import load_scene_steps

    for _ in load_scene_steps(path):
        pass


def frames(folder: Path, out: Path) -> None:
    from likeness.engine.scene.frames import SceneFrames

    scene = SceneFrames.load(folder)
    for t in range(len(scene)):
        scene.camera(t)
        scene.gaussians(t)


def body(path: Path, out: Path) -> None:
    from likeness.engine.body.body_file import load_body, save_body
    from likeness.engine.core.types import Pose

    body = load_body(path)
    body.vertices(Pose.rest(body.num_expression))
    save_body(body, out / "body.npz")


def head(path: Path, out: Path) -> None:
    from likeness.engine.bake.flame import load_flame, rim_of_neck

    rim_of_neck(load_flame(path))


def mhr(path: Path, out: Path) -> None:
    from likeness.engine.bake.mhr_body import load_mhr_body
    from likeness.engine.body.synthetic import make_synthetic_body

    load_mhr_body(path, make_synthetic_body())


def _target() -> object:
    import numpy as np
    from likeness.engine.body.synthetic import make_synthetic_body
    from likeness.engine.motion.placing import TargetAvatar as Mover

    body = make_synthetic_body()
    return Mover(
        body.J_template, -1.0, np.zeros(3), np.array([0.0, 0, 1]), -1.0, body.expression_names
    )


def motion(path: Path, out: Path) -> None:
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


def lip_sync(path: Path, out: Path) -> None:
    """A recording or lip sync, up to the weights of the mouth."""
    from likeness.engine.motion.speech import performance
    from likeness.engine.motion.speech.audio import read_audio
    from likeness.engine.motion.speech.cue_files import read_cues

    if path.suffix == ".wav":
        speech = performance.hear_speech(read_audio(path), language="other")
    else:
        speech = performance.speech_of_cues(read_cues(path))
    performance.perform_speech(speech, 30.0)


def pose(path: Path, out: Path) -> None:
    from likeness.engine.motion.pose_file import load_pose

    load_pose(path, 52)


def hands(path: Path, out: Path) -> None:
    from likeness.engine.motion.io import read_hand_model

    read_hand_model(path)


def bone_map(path: Path, out: Path) -> None:
    from likeness.engine.motion.bone_maps import match_bones, read_bone_map

    match_bones(["Hips", "LeftArm", "Spine"], read_bone_map(path))


def ply(path: Path, out: Path) -> None:
    from likeness.engine.formats.ply import read_ply
    from likeness.engine.formats.spz import write_spz
    from likeness.engine.scene.static_splats import check_ply_fields, make_static_mesh

    check_ply_fields(path)
    gaussians = read_ply(path)
    make_static_mesh(gaussians)
    write_spz(gaussians, out / "splats.spz")


def spz(path: Path, out: Path) -> None:
    from likeness.engine.formats.ply import write_ply
    from likeness.engine.formats.spz import read_spz

    write_ply(read_spz(path), out / "splats.ply")


def character(folder: Path, out: Path) -> None:
    from likeness.engine.synth.characters.character import (
        extract_surface,
        load_character,
        scale_to_metres,
    )

    extract_surface(scale_to_metres(load_character(folder, "x.blend")))


def character_file(path: Path, out: Path) -> None:
    """Opened by Blender in a process of its own."""
    from likeness.addon.cli.convert import read_in_blender
    from likeness.engine.synth.characters.character import extract_surface, scale_to_metres

    extract_surface(scale_to_metres(read_in_blender(path, CHARACTER_SECONDS, 3000.0)))


CHARACTER_SECONDS = 100.0


def subject(folder: Path, out: Path) -> None:
    from likeness.engine.synth.characters.conversion import load_subject

    load_subject(folder)


def batch(folder: Path, out: Path) -> None:
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


def weights(path: Path, out: Path) -> None:
    import torch
    from likeness.engine.network.network_files import load_weights

    load_weights(torch.nn.Linear(2, 3), path)


def backbone(path: Path, out: Path) -> None:
    from likeness.engine.training.perceptual import _read

    _read(path)


def garment(folder: Path, out: Path) -> None:
    from likeness.engine.wardrobe.asset_files import list_materials, load_garment, missing_picture

    load_garment(folder / "g.mhclo")
    list_materials(folder / "g.mhclo")
    missing_picture(folder / "g.mhclo")


def shard(path: Path, out: Path) -> None:
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


def stored(path: Path, out: Path) -> None:
    from likeness.engine.dataset.stored_subjects import read_members, read_stored_subjects

    list(read_stored_subjects(path))
    list(read_members(path))


def index(path: Path, out: Path) -> None:
    from likeness.engine.dataset.shards import shard_files

    shard_files(path.parent)


def config(path: Path, out: Path) -> None:
    from likeness.engine.network.config import NetworkConfig, load_config

    load_config(NetworkConfig, path.parent)


def request(path: Path, out: Path) -> None:
    from likeness.engine.workflows.worker.main import parse_request

    parse_request(path.read_text(encoding="utf-8", errors="replace"))


def table(path: Path, out: Path) -> None:
    from likeness.engine.workflows.batch.result_names import assign_names
    from likeness.engine.workflows.batch.tables import read_table

    assign_names(read_table(path), out)


def training(path: Path, out: Path) -> None:
    from likeness.engine.training.config import read_config

    read_config(str(path))


def vocabulary(folder: Path, out: Path) -> None:
    from likeness.engine.generative.compose import compose_prompt
    from likeness.engine.generative.vocabulary import load_vocabulary

    compose_prompt(1, 2, load_vocabulary(folder))


def report(folder: Path, out: Path) -> None:
    from likeness.engine.evaluation.protocols.report_folder import EarlierReport

    for record in (other := EarlierReport(folder)).records.values():
        other.copied(record, out / "pictures")


def checkpoint(path: Path, out: Path) -> None:
    from likeness.engine.tracking.checkpoint import Checkpoint

    Checkpoint(path, "k").load()


def prompt(path: Path, out: Path) -> None:
    from likeness.engine.generative.compose import Prompt

    Prompt.of_line(path.read_text(encoding="utf-8", errors="replace")).line()


def dump(path: Path, out: Path) -> None:
    from likeness.engine.core.cameras import photo_camera
    from likeness.engine.core.types import Observation, Portrait
    from likeness.engine.tracking.estimators import FileEstimator

    nobody = Observation(np.zeros((33, 2)), np.zeros(33), np.zeros((33, 3)), np.zeros((48, 64)))
    picture = Portrait(np.zeros((48, 64, 3), np.float32), None, path, None, (64, 48))
    estimator = FileEstimator(path)
    if estimator.keypoints(picture, nobody) is None:
        estimator.estimate(picture, nobody, photo_camera(80.0, 64, 48))


def visibility(path: Path, out: Path) -> None:
    from likeness.engine.tracking.estimators.visibility import read_visibility_map

    read_visibility_map(path)


def video(path: Path, out: Path) -> None:
    from likeness.engine.imaging.media import is_video
    from likeness.engine.imaging.video import VideoReader

    if is_video(path):
        reader = VideoReader(path)
        list(reader.frames(stop=40))
        list(reader.at([0.1]))


def environment(path: Path, out: Path) -> None:
    from likeness.engine.imaging.environment import read_environment

    read_environment(path)


def network(path: Path, out: Path) -> None:
    from likeness.engine.files.onnx_session import open_session

    open_session(path, 1, "Export it again.")
