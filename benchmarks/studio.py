"""Measure what a studio does with avatars: speech and performance.

    python benchmarks/studio.py [--quick] [--only NAME ...]

Each part prints a line and gives one or more figures; the last line of the output is all of them as
JSON. A part that lacks something (espeak-ng, the detectors) says so, and its figures are null.

    viseme_pct  per cent of the phoneme classes of ten sentences that begin within 60 ms of the
                truth, with the text given; closures_pct: of p, b and m, those with closed lips;
                heard_pct: as viseme_pct, without the text (benchmarks/figures/speech.py)
    face_fps    pictures a second of the face follower (engine/tracking/live_face.py), of 640 pixels
                with a face, decoding included; nothing else runs beside it

With --quick everything takes less than a minute on two cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from likeness.benchmarks.figures.speech import measure_speech, open_espeak
from likeness.engine.body import load_body
from likeness.engine.core.types import LikenessError
from likeness.engine.files.weights import asset_path, cache_assets_dir
from likeness.engine.imaging.video import VideoReader
from likeness.engine.imaging.video_writer import VideoWriter
from likeness.engine.motion.speech.recognizer import find_recognizer
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.tracking.live_face import FaceFollower
from likeness.engine.tracking.live_source import LIVE_SIDE
from PIL import Image

Figures = dict[str, float | None]


def measure_visemes(quick: bool) -> Figures:
    """Speech; not quick, also without the text."""
    problem = find_recognizer() or (None if open_espeak() else "espeak-ng is not installed.")
    if problem:
        print(f"speech: {problem}")
        return {"viseme_pct": None, "closures_pct": None, "heard_pct": None}
    with_text = measure_speech()
    heard = None if quick else measure_speech(with_text=False)["classes"]
    print(
        f"speech: {with_text['classes']:.1f} % of the phoneme classes within 60 ms, lips closed on "
        f"{with_text['closures']:.1f} % of p, b, m"
        + ("" if heard is None else f"; {heard:.1f} % without the text")
    )
    return {
        "viseme_pct": round(with_text["classes"], 1),
        "closures_pct": round(with_text["closures"], 1),
        "heard_pct": None if heard is None else round(heard, 1),
    }


def measure_face_rate(quick: bool) -> Figures:
    """A video of the sample portrait, which sways."""
    portrait = cache_assets_dir().parent / "downloads" / "astronaut.png"
    try:
        folder, body = asset_path("pose_landmark").parent, load_body(asset_path("body"))
    except LikenessError as error:
        print(f"face: {error}")
        return {"face_fps": None}
    if not portrait.is_file():
        print("face: the sample portrait is missing; 'python build.py test' fetches it.")
        return {"face_fps": None}
    rgb = np.asarray(Image.open(portrait).convert("RGB").resize((640, 640)), np.float32) / 255
    count = 60 if quick else 300
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "sway.mp4"
        with VideoWriter(path, 640, 640, 30.0) as writer:
            for k in range(count):
                writer.write(np.roll(rgb, round(8 * np.sin(k / 5)), axis=1))
        follower = FaceFollower(body, Detectors(folder))
        reader = VideoReader(path, LIVE_SIDE)
        frames = iter(reader)
        follower.follow(next(frames).rgb)  # finds the face, which happens once
        start, found = time.perf_counter(), 0
        for frame in frames:
            found += follower.follow(frame.rgb) is not None
        rate = (count - 1) / (time.perf_counter() - start)
    print(f"face: {rate:.1f} pictures a second, a face in {found} of {count - 1}")
    return {"face_fps": round(rate, 1)}


PARTS: dict[str, Callable[[bool], Figures]] = {"speech": measure_visemes, "face": measure_face_rate}
"""Name -> what measures it, given whether it has to be quick."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), help="these parts alone")
    chosen = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, measure in PARTS.items():
        if chosen.only is None or name in chosen.only:
            start = time.perf_counter()
            figures |= measure(chosen.quick)
            figures[f"{name}_seconds"] = round(time.perf_counter() - start, 1)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
