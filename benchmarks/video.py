"""The tracker on the videos of a folder.

    python benchmarks/video.py FOLDER [--quick] [--out DIR]

``--quick`` takes the first 60 frames of each. ``--out`` writes a contact sheet of the tracked mesh
per video. Figures, of all videos in the last line (JSON) the worst, floors in brackets:

fps (5)           frames per second after the shape is known, on an idle machine with 2 cores
shape_s           seconds until then
lost, bridged     frames
jitter_mm (3)     mean second difference of the joints where observed landmarks move by less than
                  half a pixel; jitter_all_mm: over all frames
face_pct          median face error in per cent of the inter-ocular distance, as in photos
pose_px           median error of visible body landmarks at 512 pixels
flips (0)         neighbouring frames between which trunk or head turn faster than people do
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import likeness.engine  # noqa: F401, first: it limits numpy to one thread
import numpy as np
from likeness.benchmarks.figures.motion_metrics import count_flips, find_still_frames, jitter_mm
from likeness.engine.body.body_file import load_body
from likeness.engine.body.model import Body
from likeness.engine.core.types import FRAME_STATES, FloatArray, LikenessError, Motion
from likeness.engine.files.weights import asset_path
from likeness.engine.imaging.resize import fit_size, resize
from likeness.engine.imaging.video import VideoFrame, VideoReader
from likeness.engine.tracking.clip_tracker import ClipRange
from likeness.engine.tracking.detectors import Detectors
from likeness.engine.tracking.person_follower import Follower, Sighting
from likeness.engine.tracking.track_video import track_clip
from likeness.engine.visual.overlay import OverlayPainter
from PIL import Image

QUICK_FRAMES = 60
SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi"}
TILES, TILE_SIDE, COLUMNS = 16, 360, 8


class WatchedFollower(Follower):
    """A follower that keeps the landmarks it saw, by frame number."""

    seen: dict[int, FloatArray]

    def see(self, frame: VideoFrame) -> Sighting:
        sighting = super().see(frame)
        observation = sighting.observation
        if observation is not None:
            sure = observation.pose_visibility > 0.5
            points = observation.face if observation.face is not None else observation.pose[sure]
            self.seen[frame.number] = np.asarray(points)
        return sighting


def measure_video(
    path: Path, body: Body, detectors: Detectors, stop: int | None
) -> tuple[Motion, dict[str, float]]:
    """Track a video; its motion and figures."""
    clip = VideoReader(path)
    eye = WatchedFollower(detectors, clip.frame_rate)
    eye.seen = {}
    begun = [time.perf_counter(), 0.0]

    def progress(stage: str, fraction: float, message: str) -> None:
        if stage == "track" and not begun[1]:
            begun[1] = time.perf_counter()

    motion = track_clip(clip, body, eye, part=ClipRange(0, stop), progress=progress)
    seconds = time.perf_counter() - begun[1]
    states = np.bincount(motion.frame_state, minlength=len(FRAME_STATES))
    still = find_still_frames([eye.seen.get(k) for k in range(len(motion))])
    for warning in motion.warnings:
        print(f"  {warning}")
    return motion, {
        "frames": len(motion),
        "fps": round((len(motion) - 1) / seconds, 2),
        "shape_s": round(begun[1] - begun[0], 1),
        "lost": int(states[FRAME_STATES.index("lost")]),
        "bridged": int(states[FRAME_STATES.index("bridged")]),
        "still": int(still.sum()),
        "jitter_mm": round(jitter_mm(motion, body, still), 3),
        "jitter_all_mm": round(jitter_mm(motion, body), 3),
        "face_pct": round(_median(motion.face_error), 2),
        "pose_px": round(_median(motion.pose_error), 2),
        "flips": count_flips(motion),
    }


def _median(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def sheet(path: Path, body: Body, motion: Motion) -> FloatArray:
    """Frames spread over the video with the mesh over them."""
    painter = OverlayPainter(body, motion.betas)
    wanted = set(np.linspace(0, len(motion) - 1, TILES).round().astype(int).tolist())
    width, height = fit_size(motion.camera.width, motion.camera.height, TILE_SIDE)
    tiles = []
    for number, _, rgb in VideoReader(path).frames(0, len(motion)):
        if number in wanted:
            drawn = painter.draw(
                rgb, motion.pose(number), motion.camera, motion.joint_confidence[number]
            )
            tiles.append(resize(drawn, width, height))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[k : k + COLUMNS], 1) for k in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="The tracker on the videos of a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    paths = sorted(p for p in options.folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"There is no video in '{options.folder}'.")
    body = load_body(asset_path("body"))
    detectors = Detectors(asset_path("pose_landmark").parent)
    everything: list[dict[str, float]] = []
    failed = 0
    for path in paths:
        print(path.name)
        try:
            motion, figures = measure_video(
                path, body, detectors, QUICK_FRAMES if options.quick else None
            )
        except LikenessError as error:
            print(f"  {error}")
            failed += 1
            continue
        everything.append(figures)
        print("  " + ", ".join(f"{name} {value}" for name, value in figures.items()))
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            picture = (np.clip(sheet(path, body, motion), 0, 1) * 255).astype(np.uint8)
            Image.fromarray(picture).save(options.out / f"{path.stem}.png")
    print(json.dumps(summary(everything) | {"videos": len(everything), "failed": failed}))


def summary(everything: list[dict[str, float]]) -> dict[str, float | None]:
    """The worst of each figure, sums of counts; None where no video has one."""
    out: dict[str, float | None] = {}
    for name in everything[0] if everything else ():
        values = [f[name] for f in everything if np.isfinite(f[name])]
        if name in ("frames", "lost", "bridged", "still", "flips"):
            out[name] = sum(values)
        else:
            worst = min if name == "fps" else max
            out[name] = worst(values) if values else None
    return out


if __name__ == "__main__":
    main()
