"""Animate from Audio in Blender."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
    assert out["sync"] == "AUDIO_SYNC"
    assert out["motions"] == ["cues", "voice", "voice.001"]
    assert "missing.wav" in out["error"]
