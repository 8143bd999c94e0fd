"""The worker's task that follows a face: its lines, commands and result."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import asset_path
from likeness.engine.imaging.video_writer import VideoWriter
from likeness.engine.tracking.live_face import NEUTRAL_FRAMES
from likeness.engine.workflows.worker import live_face
from likeness.engine.workflows.worker.main import Channel
from PIL import Image

FRAMES = 40


class CommandedChannel(Channel):
    """Sends commands after a number of faces."""

    def __init__(self, commands: dict[int, str]) -> None:
        self.lines = io.StringIO()
        super().__init__(self.lines, answered=True)
        self._commands = dict(commands)

    @property
    def faces(self) -> list[dict[str, Any]]:
        messages = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [m for m in messages if m["type"] == "face"]

    def send(self, kind: str, /, **content: Any) -> None:
        super().send(kind, **content)
        command = self._commands.pop(len(self.faces), None)
        if command is not None:
            self.answer(json.dumps({"answer": command}))


@pytest.fixture(scope="module")
def video(sample_portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("av")
    try:
        asset_path("pose_landmark")
        asset_path("body")
    except LikenessError as error:
        pytest.skip(str(error))
    path = tmp_path_factory.mktemp("live") / "face.mp4"
    rgb = np.asarray(Image.open(sample_portrait).convert("RGB").resize((320, 320)), np.float32)
    with VideoWriter(path, 320, 320, 10.0) as writer:
        for _ in range(FRAMES):
            writer.write(rgb / 255)
    return path


def run(video: Path, commands: dict[int, str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    channel = CommandedChannel(commands)
    result = live_face.run({**live_face.DEFAULTS, "source": str(video)}, channel)
    return result, channel.faces


def test_stop_ends_it_and_neutral_begins_anew(video: Path) -> None:
    result, faces = run(video, {NEUTRAL_FRAMES + 2: "neutral", 2 * NEUTRAL_FRAMES + 5: "stop"})
    assert len(faces) == result["frames"] == 2 * NEUTRAL_FRAMES + 5
    calibrating = [face["calibrating"] for face in faces]
    assert calibrating == [
        *([True] * NEUTRAL_FRAMES),
        *([False] * 2),
        *([True] * NEUTRAL_FRAMES),
        *([False] * 3),
    ]
    assert all(len(face["weights"]) == 52 for face in faces)
    seconds = [face["seconds"] for face in faces]
    assert seconds == sorted(seconds)
    assert result["rate"] > 0
    assert not result["warnings"]


def test_the_channel_takes_commands_without_waiting() -> None:
    channel = Channel(io.StringIO(), answered=True)
    assert channel.take_answer() == {}
    channel.answer('{"answer": "stop"}\n')
    channel.answer("nonsense\n")
    channel.answer("[1]\n")
    assert channel.take_answer() == {"answer": "stop"}
    assert channel.take_answer() == {}
    assert channel.take_answer() == {}
    channel.answer(None)
    with pytest.raises(SystemExit):
        channel.take_answer()
    assert Channel(io.StringIO()).take_answer() == {}
