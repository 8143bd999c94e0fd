"""An avatar file -> a .blend that works with factory settings and without the extension.

Other programs run ``python -m likeness.addon.scene.blend_writer AVATAR OUT PHOTO INFO``, because
Blender has one scene per process. PHOTO may be empty; INFO is an :class:`.AssetInfo` as JSON.
Without these words it loads Blender, and then waits for them on stdin, as a JSON list.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

from ...engine.core.types import LikenessError
from ...engine.files.atomic import atomic_write
from ...engine.formats.avatar import load_editable_avatar
from .. import keys
from ..asset_catalogs import AssetInfo

_NEEDED = (
    "...engine.gaussians.relight.albedo",
    "...engine.scene.files",
    "...engine.scene.fit",
    "...engine.visual.sheet",
    "..compat",
    ".avatar_asset",
    ".avatar_objects",
    ".render_setup",
)
"""Modules that are imported late otherwise."""


def blend_from_avatar(
    avatar_path: Path,
    blend_path: Path,
    photo_path: Path | None = None,
    info: AssetInfo | None = None,
) -> Path:
    """Write a .blend from an avatar file atomically, without a display.

    The avatar is marked as an asset with its own picture, so that the file's folder can be an asset
    library as it is. The scene of this process is replaced, so it refuses to run in a Blender with
    a window.

    Args:
        avatar_path: the avatar file.
        blend_path: the .blend to write.
        photo_path: the portrait, which is packed; None for a file without it.
        info: what the asset browser shows.

    Raises:
        LikenessError: bpy is missing, Blender has a window, or a file cannot be read or written.
    """
    avatar = load_editable_avatar(avatar_path)
    try:
        import bpy
    except ModuleNotFoundError as error:
        raise LikenessError(
            "Blender's Python module bpy is not installed.",
            "Run 'pip install bpy==4.5.15', or use this from Blender.",
        ) from error
    if not bpy.app.background:
        raise LikenessError(
            "A Blender with a window cannot write an avatar's .blend.",
            "Use File > Import > Likeness Avatar, and save the file.",
        )
    from ...engine.core.attributes import apply_attributes
    from ...engine.core.retouching import apply_retouch
    from ...engine.visual.sheet import draw_thumbnail
    from ..compat import open_empty_file
    from .avatar_asset import mark_as_asset
    from .avatar_objects import build_scene, subject_name
    from .render_setup import set_up_render

    open_empty_file()
    chosen = info.name if info else ""
    name = chosen or (photo_path.stem if photo_path else subject_name(avatar, avatar_path))
    objects = build_scene(avatar, name, photo_path, avatar_path=avatar_path)
    set_up_render(bpy.context.scene, objects.camera)
    picture = draw_thumbnail(apply_retouch(apply_attributes(avatar), f"'{avatar_path}'"))
    mark_as_asset(objects, info, picture)
    show_through_camera()
    objects.splats[keys.FAST_SPLATS] = True  # where the extension and a window are
    with atomic_write(blend_path) as scratch:
        # Blender resolves relative paths against the open file.
        bpy.ops.wm.save_as_mainfile(filepath=str(scratch.absolute()), compress=True, copy=True)
        if not scratch.is_file():
            raise LikenessError(
                f"Blender did not write '{blend_path}'.", "Check the free disk space."
            )
    return blend_path


def show_through_camera() -> None:
    """Set every 3D view of the file to show the splats through the photo's camera."""
    import bpy

    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                space = area.spaces.active
                space.shading.type = "MATERIAL"
                space.region_3d.view_perspective = "CAMERA"


def _load() -> None:
    """Import what writing needs; what is missing is reported when there is an avatar."""
    for name in ("bpy", *_NEEDED):
        try:
            importlib.import_module(name, __package__)
        except ImportError:
            return


def main(argv: list[str]) -> int:
    """AVATAR OUT PHOTO INFO; 0 when the file is written, 2 for a user error."""
    if not argv:
        _load()
        line = sys.stdin.readline()
        if not line:
            return 0
        argv = json.loads(line)
    if len(argv) != 4:
        print(
            "usage: python -m likeness.addon.scene.blend_writer AVATAR OUT PHOTO INFO",
            file=sys.stderr,
        )
        return 2
    avatar, out, photo = (Path(argument).absolute() if argument else None for argument in argv[:3])
    assert avatar is not None
    assert out is not None
    try:
        print(blend_from_avatar(avatar, out, photo, AssetInfo(**json.loads(argv[3]))))
    except LikenessError as error:
        print(f"likeness: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # bpy's own exit may crash after everything is done
