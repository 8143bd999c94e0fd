"""Subjects' folders: written whole, read back, and checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.body.body_file import load_body
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.synth.characters.character import Character
from likeness.engine.synth.characters.conversion import (
    Conversion,
    atomic_subject_folder,
    check_subject_folder,
    load_subject,
    save_subject,
)
from likeness.engine.tracking.fit_state import FitState
from likeness.engine.wardrobe.mesh_parts import Material, MeshPart

BODY = load_body(asset_path("body"))


def conversion() -> Conversion:
    color = np.full((2, 2, 4), 255, np.uint8)
    part = MeshPart(
        "a",
        np.eye(3),
        np.array([[0, 1, 2]]),
        np.zeros((1, 3, 2)),
        np.zeros(1, np.uint8),
        Material("plain", color),
    )
    state = FitState.rest(BODY)
    state = state.with_vector(state.vector + np.linspace(0, 0.2, len(state.vector)))
    return Conversion(Character("a.glb", (part,), None), state, {}, np.zeros((4, 4, 3)))


def write(folder: Path, fits: bool = True) -> Conversion:
    done = conversion()
    with atomic_subject_folder(folder) as scratch:
        about = {"version": 1, "source": "a.glb", "sha256": "0", "fits": fits}
        save_subject(done, about, scratch)
    return done


def test_round_trip_and_again_in_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "subject"
    write(folder)
    (folder / "textures" / "left over.png").write_bytes(b"")
    done = write(folder)
    assert not (folder / "textures" / "left over.png").exists()
    assert [p.name for p in folder.parent.iterdir()] == ["subject"]
    figure, betas, pose = load_subject(folder)
    np.testing.assert_array_equal(betas, done.state.betas)
    np.testing.assert_array_equal(pose.full_pose, done.state.full_pose)
    assert figure.posed is not None
    np.testing.assert_allclose(figure.posed.vertices, BODY.vertices(pose, betas)[0], atol=1e-6)
    assert figure.looks["character"] == "a.glb"
    assert len(figure.parts) == 1


def test_a_body_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "subject", fits=False)
    with pytest.raises(LikenessError, match="does not fit"):
        load_subject(tmp_path / "subject")


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "subject"
    write(folder)
    before = (folder / "body.npz").read_bytes()

    def stopped() -> None:
        with atomic_subject_folder(folder) as scratch:
            (scratch / "body.npz").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert (folder / "body.npz").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["subject"]


@pytest.mark.parametrize("broken", ["subject.json", "body.npz", "betas", "version"])
def test_broken_subjects(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "subject"
    write(folder)
    if broken == "version":
        (folder / "subject.json").write_text(json.dumps({"version": 7}))
    elif broken == "betas":
        with np.load(folder / "body.npz") as file:
            arrays = {**file, "betas": np.full(BODY.num_betas, np.nan)}
        np.savez(folder / "body.npz", **arrays)
    else:
        (folder / broken).unlink()
    with pytest.raises(LikenessError) as error:
        load_subject(folder)
    assert error.value.remedy


def test_folders_of_others_are_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(LikenessError, match="not empty"):
        check_subject_folder(tmp_path)
    check_subject_folder(tmp_path / "new")
