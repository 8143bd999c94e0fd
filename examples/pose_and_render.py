"""Pose an avatar, render it from several sides, and export the pose as splats.

python examples/pose_and_render.py avatars/me/avatar.safetensors -o pictures --pose wave
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import likeness


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("avatar", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--pose", default="wave", help="a name of the pose library, or a file")
    parser.add_argument("--expression", default="smile=0.7", help="names with weights")
    parser.add_argument("--yaw", type=float, nargs="+", default=[-60, 0, 60, 180], help="degrees")
    parser.add_argument("--size", type=int, default=640, help="pixels")
    args = parser.parse_args(argv)

    args.out.mkdir(parents=True, exist_ok=True)
    avatar = likeness.load(args.avatar)
    pose = likeness.pose(avatar, args.pose, expression=args.expression)
    pose = pose.with_joints(head=[0.0, 0.3, 0.0])  # turns 0.3 radians to the person's left
    for yaw in args.yaw:
        camera = likeness.camera(avatar, pose, yaw=yaw, width=args.size, height=args.size)
        picture = args.out / f"{yaw:+.0f}.png"
        likeness.render(avatar, pose, camera, background="white", out=picture)
        print(picture)
    for path in likeness.export(avatar, args.out / "pose.ply", pose):
        print(path)


if __name__ == "__main__":
    main()
