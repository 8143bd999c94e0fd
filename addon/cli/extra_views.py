"""``--view``: more photos of the same person, for the commands that take a photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...engine.core.types import LikenessError

if TYPE_CHECKING:
    from ...engine.pipeline.track import ExtraView

view_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--view",
    "views",
    metavar="[NAME=]PHOTO",
    multiple=True,
    help="Another photo of the same person, for what the first one does not show. Repeatable. Its "
    "name (front, back, left, right, side: the person's own left) helps where the picture alone "
    "is ambiguous.",
)


def parse_extra_views(views: Sequence[str], photos: int = 1) -> list[ExtraView]:
    """The photos behind ``--view``.

    Args:
        views: ``back=b.jpg`` or ``b.jpg`` each.
        photos: number of main photos of the command.

    Raises:
        LikenessError: an unknown name, a name without a photo, or views of more than one main
            photo.
    """
    from ...engine.core.types import DIRECTIONS
    from ...engine.pipeline.track import ExtraView

    if views and photos != 1:
        raise LikenessError(
            "--view is for one person, but several photos were given.",
            "Build them one by one, each with its own views.",
        )
    out = []
    for text in views:
        name, named, path = text.partition("=")
        # A file may have the sign in its name.
        if named and (name.lower() in DIRECTIONS or not Path(text).exists()):
            named_photo = ExtraView(Path(path), name) if name and path else None
        else:
            named_photo = ExtraView(Path(text)) if text else None
        if named_photo is None:
            raise LikenessError(
                f"--view '{text}' does not name a photo.",
                "Write --view back=b.jpg, or --view b.jpg.",
            )
        out.append(named_photo)
    return out
