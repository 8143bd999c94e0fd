"""A foreign character to a subject: the body model's parameters, its parts, and a report.

:func:`convert_character` does it from what ``addon/characters.py`` took out of the user's file. A
subject is a folder: ``subject.json`` (report and provenance), ``body.npz``, ``parts.npz`` with
``textures/``, and ``preview.png``.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ...body.model import Body
from ...core.rotations import axis_angle_to_matrix
from ...core.types import JOINT_NAMES, NUM_JOINTS, FloatArray, LikenessError, Pose, Progress
from ...files.digests import file_sha256
from ...files.folders import WRITE_ERRORS, check_output_folder, describe_error
from ...files.untrusted import read_json, read_npz, wrap_parser_errors
from ...files.weights import asset_path
from ...tracking.detectors import Detectors
from ...tracking.fit_state import FitState, PosedJoints
from ...visual.sheet import save_image
from ...wardrobe.dress import load_dress_body, pose_body
from ..parts_file import load_parts, save_parts
from ..person_parts import Figure
from .body_fit import (
    CharacterTarget,
    classify_points,
    fit_body,
    has_torso,
    initial_state,
    rig_joints,
)
from .character import Character, extract_surface, scale_to_metres, split_cards
from .fit_report import fit_warnings, measure_fit, render_fit_preview
from .surface_scan import MIN_FACES, Landmarks3D, SurfaceScanner, complete_cloud, detect_landmarks

SUBJECT_FILE, BODY_FILE, PREVIEW_FILE = "subject.json", "body.npz", "preview.png"
VERSION = 1
_QUARTER = np.pi / 2
TURNS = ((0.0, 0.0, 0.0), (-_QUARTER, 0.0, 0.0), (_QUARTER, 0.0, 0.0))
"""Ways in which a file may declare its up axis wrongly, as axis-angle."""
SIZES = (0.8, 1.25)
"""Sizes, in units of the mean body's limbs, between which a character is not rescaled."""
ADULT_REACH = 0.9  # metres from an adult's middle to the farthest point, at least
NOBODY = "Give a whole person: head, trunk, arms and legs, standing, and nothing else in the file."


@dataclass(frozen=True)
class Conversion:
    """A converted character.

    Attributes:
        character: as it is in the subject.
        state: the fitted body.
        report: JSON-able.
        preview: [H, W, 3] sRGB 0..1.
    """

    character: Character
    state: FitState
    report: dict[str, Any]
    preview: FloatArray


def convert_character(
    character: Character, body: Body, detectors: Detectors, progress: Progress | None = None
) -> Conversion:
    """Fit the body to a character.

    Args:
        character: as read from its file.
        body: with landmarks.
        detectors: of landmarks in pictures.
        progress: called with the stage, its share done (0..1) and a message.

    Raises:
        LikenessError: no person was found in it.
    """
    began = perf_counter()
    say = progress or (lambda stage, share, message: None)
    whole = scale_to_metres(replace(character, parts=split_cards(character.parts)))
    say("look", 0.0, "looking from all sides")
    character, looker, target = _seen_upright(whole, detectors)
    character, looker, target = _sized(character, looker, target, body)
    say("fit", 0.0, "fitting the body")
    state = fit_body(body, target)
    say("report", 0.0, "measuring and drawing")
    figures = measure_fit(body, state, target)
    report = {
        **figures,
        "scale": character.scale,
        "turn": np.asarray(character.turn).tolist(),
        "rig": _rig_facts(character, target),
        "notes": list(character.notes),
        "warnings": fit_warnings(figures, target),
    }
    picture = render_fit_preview(looker, body, state)
    report["seconds"] = round(perf_counter() - began, 1)
    return Conversion(character, state, report, picture)


def _seen_upright(
    character: Character, detectors: Detectors
) -> tuple[Character, SurfaceScanner, CharacterTarget]:
    """The character, turned upright if its file declares the up axis wrongly.

    It is turned when a face is found in another attitude and none in its own.

    Raises:
        LikenessError: no person was found in it.
    """
    best: tuple[Character, SurfaceScanner, Landmarks3D | None] | None = None
    most = -1
    for k, turn in enumerate(TURNS):
        turned = character if k == 0 else character.moved(turn=axis_angle_to_matrix(np.array(turn)))
        surface = extract_surface(turned)
        if not len(surface.f):
            break
        looker = SurfaceScanner(surface, detectors)
        looker.size = min(1.0, looker.reach / ADULT_REACH)
        marks = detect_landmarks(looker)
        rigged = k == 0 and len(rig_joints(turned)[0]) >= NUM_JOINTS // 4
        faces = -1 if marks is None else marks.views["face"]
        if faces > most or (best is None and rigged):
            if k:
                turned = turned.noted("It lay on its front or back, and was stood up.")
            best, most = (turned, looker, marks), faces
        if faces >= MIN_FACES or rigged:
            break
    if best is None:
        raise LikenessError(f"No person was found in '{character.name}'.", NOBODY)
    turned, looker, marks = best
    complete_cloud(looker)
    cloud = looker.cloud()
    target = CharacterTarget(
        marks, *rig_joints(turned), cloud, classify_points(looker.surface, cloud, marks)
    )
    if not has_torso(target):
        raise LikenessError(f"No person was found in '{character.name}'.", NOBODY)
    return turned, looker, target


def _sized(
    character: Character, looker: SurfaceScanner, target: CharacterTarget, body: Body
) -> tuple[Character, SurfaceScanner, CharacterTarget]:
    """The character at a size that the body model's adults have; its own is in the report."""
    ratio = limb_ratio(body, target, initial_state(body, target))
    if SIZES[0] <= ratio <= SIZES[1]:
        return character, looker, target
    note = (
        f"Its limbs are {ratio:.2f} times those of the mean adult, whom the body model knows: "
        f"made {1 / ratio:.2f} times as large."
    )
    larger = character.moved(1.0 / ratio).noted(note)
    return _seen_upright(larger, looker.detectors)


def limb_ratio(body: Body, target: CharacterTarget, start: FitState) -> float:
    """How long the character's limbs and trunk are, in units of the mean body's."""
    posed = PosedJoints(body, start)
    own = {int(j): p for j, p in zip(target.joints, target.places)}
    if target.marks is not None:
        joints = (16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8)
        rows = dict(zip(joints, (*range(11, 17), *range(23, 29))))
        for joint, row in rows.items():
            if target.marks.pose_weight[row] > 0:
                own.setdefault(joint, target.marks.pose[row])
    chains = ((16, 18, 20), (17, 19, 21), (1, 4, 7), (2, 5, 8), (16, 1), (17, 2))
    pairs = tuple(pair for chain in chains for pair in pairwise(chain))
    known = [pair for pair in pairs if pair[0] in own and pair[1] in own]
    theirs = sum(float(np.linalg.norm(own[a] - own[b])) for a, b in known)
    mean = sum(float(np.linalg.norm(posed.p[a] - posed.p[b])) for a, b in known)
    return theirs / mean if mean > 0 else 1.0


def _rig_facts(character: Character, target: CharacterTarget) -> dict[str, Any]:
    if character.rig is None:
        return {"bones": 0, "joints": []}
    return {"bones": len(character.rig.names), "joints": [JOINT_NAMES[j] for j in target.joints]}


def convert_to_folder(
    character: Character, source: Path, folder: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Fit the default body to a character from ``source`` and write the subject.

    Returns:
        The report.

    Raises:
        LikenessError: no person was found, or the folder cannot be written; then it stays
            unchanged.
    """
    check_subject_folder(folder)
    body = load_dress_body(asset_path("body")).body
    detectors = Detectors(asset_path("pose_detection").parent)
    done = convert_character(character, body, detectors, progress)
    report = {
        "version": VERSION,
        "source": source.name,
        "sha256": file_sha256(source),
        **done.report,
    }
    with atomic_subject_folder(folder) as scratch:
        save_subject(done, report, scratch)
    return report


def save_subject(done: Conversion, report: dict[str, Any], folder: Path) -> None:
    """Write a subject's files into an existing folder."""
    save_parts(folder, done.character.parts)
    with (folder / BODY_FILE).open("wb") as file:
        np.savez(
            file,
            betas=done.state.betas,
            full_pose=done.state.full_pose,
            transl=done.state.transl,
            expression=done.state.expression,
        )
    save_image(done.preview, folder / PREVIEW_FILE)
    text = json.dumps(report, indent=2, allow_nan=False)
    (folder / SUBJECT_FILE).write_text(text + "\n", encoding="utf-8")


def load_subject(folder: Path) -> tuple[Figure, FloatArray, Pose]:
    """Load a converted character as a figure, with its body's shape and pose.

    Returns:
        The figure, the betas [B], and the pose.

    Raises:
        LikenessError: the folder is not a subject, its body does not fit, or a file is broken.
    """
    remedy = "Make it again with 'likeness convert'."
    try:
        about = read_json(folder / SUBJECT_FILE)
        if not isinstance(about, dict) or about.get("version") != VERSION:
            raise ValueError(f"{SUBJECT_FILE} is not of version {VERSION}")
        names = ("betas", "full_pose", "transl", "expression")
        arrays = read_npz(folder / BODY_FILE, names)
        with wrap_parser_errors():
            numbers = {name: np.asarray(arrays[name], np.float64) for name in names}
    except (OSError, ValueError) as error:
        raise LikenessError(f"'{folder}' is not a subject ({error}).", remedy) from error
    if not about.get("fits"):
        raise LikenessError(
            f"The body in '{folder}' does not fit the character.",
            "See its preview.png and its warnings; leave it out, or convert another pose of it.",
        )
    dress = load_dress_body(asset_path("body"))
    shapes = {
        "betas": (dress.body.num_betas,),
        "full_pose": (NUM_JOINTS, 3),
        "transl": (3,),
        "expression": (dress.body.num_expression,),
    }
    for name, shape in shapes.items():
        if numbers[name].shape != shape or not np.isfinite(numbers[name]).all():
            raise LikenessError(f"'{folder / BODY_FILE}' has an invalid '{name}'.", remedy)
    pose = Pose(numbers["full_pose"], numbers["transl"], numbers["expression"])
    posed = pose_body(dress, numbers["betas"], pose)
    looks = {"character": about.get("source"), "sha256": about.get("sha256")}
    return Figure(load_parts(folder), posed, looks), numbers["betas"], pose


def check_subject_folder(folder: Path) -> None:
    """Check that a subject may be written to a folder.

    Raises:
        LikenessError: the folder holds something other than a subject.
    """
    check_output_folder(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / SUBJECT_FILE).is_file():
        raise LikenessError(f"'{folder}' is not empty.", "Choose a new or empty folder.")


@contextmanager
def atomic_subject_folder(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder that replaces ``folder`` when the block succeeds.

    Raises:
        LikenessError: the folder cannot be written.
    """
    folder = folder.absolute()
    home = next(p for p in folder.parents if p.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".likeness-", dir=home) as scratch:
            new, old = Path(scratch) / "new", Path(scratch) / "old"
            new.mkdir()
            yield new
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
    except WRITE_ERRORS as error:
        raise LikenessError(
            f"Cannot write '{folder}': {describe_error(error)}.",
            "Choose another folder, or make room.",
        ) from error
