"""The library of pose assets that the extension ships, made with Blender's own module."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .assets import assets_digest
from .commands import ROOT, BuildError, print_step, run_command

MAX_BYTES = 4_000_000
SHEET = ROOT / "docs" / "images" / "poses.jpg"
FILES = ("likeness_poses.blend", "blender_assets.cats.txt")
STAMP_FILE = "stamp.json"


def library_stamp(python: Path) -> str:
    """Digest of the library's sources: the poses, their pictures, the body and the code."""
    folder = ROOT / "engine" / "poses"
    sources = [p for p in sorted(folder.rglob("*")) if p.suffix in (".py", ".toml", ".webp")]
    code = (
        "pose_library.py",
        "motion/bone_pose.py",
        "rig/bone_names.py",
        "scene/armature.py",
        "scene/axes.py",
    )
    sources += [ROOT / "addon" / name for name in code]
    digest = hashlib.sha256(assets_digest(python).encode())
    for path in sources:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ensure_library(python: Path, assets: Path) -> Path:
    """The folder of pose assets below ``assets``, made when it is missing or out of date.

    Args:
        python: of an environment with bpy; the oldest Blender that is to open the library.
        assets: the folder that :func:`.assets.ensure_assets` fills.

    Raises:
        BuildError: the library is too large.
    """
    folder = assets / "poses"
    wanted = {"made_of": library_stamp(python)}
    if _is_current(folder, wanted):
        return folder
    print_step(f"Making the pose library in {folder}")
    # Beside the assets: all files among them go into the extension.
    with tempfile.TemporaryDirectory(dir=assets.parent) as scratch:
        made = Path(scratch) / "poses"
        made.mkdir()
        run_command(python, ROOT / "build.py", "pose-library", made / FILES[0])
        size = (made / FILES[0]).stat().st_size
        if size > MAX_BYTES:
            raise BuildError(f"{FILES[0]} has {size / 1e6:.1f} MB; the limit is 4 MB.")
        (made / STAMP_FILE).write_text(json.dumps(wanted), encoding="utf-8")
        try:
            if folder.exists():
                folder.replace(Path(scratch) / "old")
            made.replace(folder)
        except OSError:
            if not _is_current(folder, wanted):  # otherwise another run was faster
                raise
    return folder


def _is_current(folder: Path, wanted: dict[str, str]) -> bool:
    if not all((folder / name).is_file() for name in (*FILES, STAMP_FILE)):
        return False
    return bool(json.loads((folder / STAMP_FILE).read_text(encoding="utf-8")) == wanted)


def write_library(path: Path) -> None:
    """Write the library; runs in the environment, where the engine and bpy are installed."""
    from likeness.addon.pose_library import write_library as write

    write(path)


def draw_pictures(python: Path, names: Sequence[str]) -> None:
    """Draw the pictures of poses, expressions and the wardrobe anew, in the source tree.

    The documentation's sheet of all poses is drawn too.

    Args:
        python: of an environment with the engine.
        names: of poses, expressions and items (``hat-fedora``); all if empty.

    Raises:
        BuildError: the pictures could not be drawn.
    """
    print_step("Drawing the pictures of the poses and the wardrobe")
    code = (
        "import sys\n"
        "from likeness.engine.poses import named_expressions, named_poses\n"
        "from pathlib import Path\n"
        "from likeness.engine.synth.pose_thumbnails import draw_thumbnail_sheet, draw_thumbnails\n"
        "from likeness.engine.synth.wardrobe_thumbnails import draw_wardrobe\n"
        "from likeness.engine.wardrobe.thumbnails import list_thumbnails\n"
        "items = list_thumbnails()\n"
        "names = sys.argv[1:] or [*named_poses(), *named_expressions(), *items]\n"
        "for path in draw_thumbnails([name for name in names if name not in items]):\n"
        "    print(path.name, flush=True)\n"
        "for path in draw_wardrobe([name for name in names if name in items]):\n"
        "    print(path.name, flush=True)\n"
        f"draw_thumbnail_sheet(Path({str(SHEET)!r}))\n"
    )
    if subprocess.run([python, "-c", code, *names], check=False).returncode:
        raise BuildError("The pictures could not be drawn.")
