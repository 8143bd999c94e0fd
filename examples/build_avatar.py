"""Build an avatar from a photo, and print what was found.

python examples/build_avatar.py me.jpg -o avatars/me
python examples/build_avatar.py me.jpg -o avatars/me --view back=me_back.jpg --refine full
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import likeness


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--refine", choices=("off", "fast", "full"), default="fast")
    parser.add_argument("--max-gaussians", type=int, default=150_000)
    parser.add_argument("--view", action="append", default=[], metavar="SIDE=PHOTO")
    parser.add_argument("--no-preview", action="store_true")
    args = parser.parse_args(argv)

    views = dict(view.split("=", 1) for view in args.view)
    options = likeness.BuildOptions(refine=args.refine, max_gaussians=args.max_gaussians)
    try:
        built = likeness.build(
            args.photo,
            options,
            views=views,
            out=args.out,
            preview=not args.no_preview,
            progress=lambda stage, fraction, message: print(f"{stage} {fraction:.0%} {message}"),
        )
    except likeness.LikenessError as error:
        raise SystemExit(f"{error.message} {error.remedy}") from error
    for warning in built.report["warnings"]:
        print("warning:", warning)
    print(f"{len(built.avatar.gaussians):,} splats in {args.out / 'avatar.safetensors'}")


if __name__ == "__main__":
    main()
