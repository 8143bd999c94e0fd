"""Track the person in a video, and move an avatar like them.

python examples/motion_from_video.py dance.mp4 avatars/me/avatar.safetensors -o dance
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import likeness
import numpy as np


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("avatar", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--max-frames", type=int, help="track only the first frames")
    parser.add_argument("--size", type=int, default=480, help="pixels of the clip")
    args = parser.parse_args(argv)

    args.out.mkdir(parents=True, exist_ok=True)
    tracked = likeness.track(
        args.video,
        args.out / "motion.npz",
        likeness.TrackOptions(max_frames=args.max_frames),
        overlay=args.out / "overlay.mp4",  # the fitted body over the video: check it first
    )
    for warning in tracked.report["warnings"]:
        print("warning:", warning)
    avatar = likeness.load(args.avatar)
    options = likeness.ClipOptions(
        motion=tracked.motion_file,
        camera="follow",
        width=args.size,
        height=args.size,
        background=np.full(3, 0.9),  # MP4 has no transparency
    )
    made = likeness.clip(avatar, args.out / "clip.mp4", options)
    for note in made.notes:
        print("note:", note)
    print(f"{made.out}: {made.frames} frames at {made.frame_rate:g} per second")


if __name__ == "__main__":
    main()
