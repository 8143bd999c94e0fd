"""``likeness library``: avatars as an asset library for Blender."""

from __future__ import annotations

from pathlib import Path

import click

from ...engine.core.types import LikenessError
from ...engine.workflows.build_files import AVATAR_FILE
from .options import FILE


@click.command()
@click.argument("avatars", type=FILE, metavar="FOLDER|AVATAR")
@click.option("-o", "--out", type=FILE, metavar="DIR", required=True, help="Folder of the library.")
@click.option("--author", default="", help="Author of the assets; the photo's from EXIF if absent.")
@click.option("--license", default="", help="Licence of the assets, such as CC-BY-4.0.")
@click.option("--force", is_flag=True, help="Write files again that are newer than their avatars.")
def library(avatars: Path, out: Path, author: str, license: str, force: bool) -> None:
    """Write avatars as an asset library: one .blend each, for Blender's asset browser.

    AVATARS is an avatar file, or a folder of them such as a batch's output. Prints each file that
    it writes. An avatar that cannot be read is reported, the others are written, and the exit code
    is 1.
    """
    from ..asset_catalogs import AVATARS, AssetInfo, add_catalogs
    from ..blend_file import can_write_blend, write_blend
    from ..folder_files import find_avatar_files, name_assets

    if not can_write_blend():
        raise LikenessError(
            "Asset libraries need Blender's Python module bpy, which is not installed.",
            "Run it in Blender (blender --background --command likeness library ...), or install "
            "bpy.",
        )
    single = avatars.is_file()
    files = [avatars] if single else find_avatar_files(avatars)
    titles = name_assets(files, avatars.parent if single else avatars)
    out.mkdir(parents=True, exist_ok=True)
    add_catalogs(out, [AVATARS])
    failed = 0
    for file, title in titles.items():
        target = out / f"{title}.blend"
        if not force and _is_newer(target, file):
            click.echo(f"{target} is up to date")
            continue
        # One in the folder itself is named after its photo.
        name = "" if title == Path(AVATAR_FILE).stem else Path(title).name
        info = AssetInfo(name=name, author=author, license=license)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_blend(file, target, info=info)
        except LikenessError as error:
            failed += 1
            click.echo(f"left out: {error.message}", err=True)
            continue
        click.echo(str(target))
    if failed:
        raise click.exceptions.Exit(1)


def _is_newer(target: Path, source: Path) -> bool:
    return target.is_file() and target.stat().st_mtime >= source.stat().st_mtime
