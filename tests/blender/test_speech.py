"""Animate from Audio and Follow Face in Blender."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.imaging.video_writer import VideoWriter
from PIL import Image

from ..engine.motion.test_cue_files import TSV
from ..engine.motion.test_speech_audio import make_vowel, write_wav


def test_an_avatar_speaks_and_stays_in_its_pose(blender, tmp_path: Path) -> None:
    parts = [make_vowel((750.0, 1250.0), 0.5), np.zeros(8000), make_vowel((320.0, 2350.0), 0.5)]
    write_wav(tmp_path / "voice.wav", np.concatenate(parts), 16000, 2)
    (tmp_path / "cues.tsv").write_text(TSV, encoding="utf-8")
    out = blender(
        "speech_checks",
        "speaks",
        folder=str(tmp_path),
        audio=str(tmp_path / "voice.wav"),
        lip_sync=str(tmp_path / "cues.tsv"),
    )
    assert out["said"] == ["FINISHED"]
    assert out["keys"] == 37  # 1.5 s at the scene's 24 frames a second
    assert 0.2 < out["open"] < 0.8
    assert out["moved"] == 0.0
    assert out["pelvis"]
    assert out["paths"] == [f'pose.bones["{name}"' for name in ("head", "jaw", "neck")]
    assert out["strips"] == ["voice"]
    assert out["strips_again"] == 1
    assert out["relative"] == ["//voice.wav"]
    assert out["strips_saved"] == [30.0]
    assert "128 channels" in out["full"]
    assert out["sync"] == out["sync_again"] == "AUDIO_SYNC"
    assert out["motions"] == ["cues", "voice", "voice.001"]
    assert "missing.wav" in out["error"]


def test_a_videos_face_is_followed_recorded_and_keyed(
    blender_lts, sample_portrait: Path, tmp_path: Path
) -> None:
    try:
        asset_path("pose_landmark")
        asset_path("body")
    except LikenessError as error:
        pytest.skip(str(error))
    rgb = np.asarray(Image.open(sample_portrait).convert("RGB").resize((320, 320)), np.float32)
    with VideoWriter(tmp_path / "face.mp4", 320, 320, 10.0) as writer:
        for k in range(25):
            writer.write(np.roll(rgb / 255, k % 3, axis=1))
    out = blender_lts(
        "speech_checks", "follows", folder=str(tmp_path), video=str(tmp_path / "face.mp4")
    )
    assert out["said"] == ["FINISHED"]
    assert not out["live"]
    assert out["action"] == "face"
    # 2.5 s, of which the first 8 pictures are the neutral face; a slow computer leaves some out.
    assert out["keys"][-1] >= 10
    assert len(out["keys"]) == 1
    np.testing.assert_allclose(out["head"], [0.4 * 0.2, 0.6 * 0.2], atol=1e-4)
    assert out["expression"] == [0.5, 0.0]
    assert out["count"] == 21
    np.testing.assert_allclose(out["shown"], [0.0, 0.3, 0.0], atol=1e-5)
    assert abs(out["jaw"] - 0.25) < 1e-6
    # Stopped from outside, before the video's end.
    assert 14 <= out["streamed"]["seen"] <= out["streamed"]["frames"] < 25
    assert 2 <= out["streamed"]["recorded"] < out["streamed"]["seen"]
    assert out["streamed"]["asked"] == [True, False]  # a second Esc is no second stop
    # What was recorded before an error is kept, and the error is shown.
    assert "The camera was unplugged." in out["failed"]["error"]
    assert out["failed"]["action"] == "face.001"
    assert out["failed"]["keys"] >= 10
