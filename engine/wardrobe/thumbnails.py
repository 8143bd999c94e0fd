"""Pictures of the wardrobe's items, each put on a bust.

They are stored beside this file, one ``CATEGORY-ITEM.webp`` each; ``build.py pictures`` draws them
again.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "pictures"
SIZE = 128
"""Pixels along the sides."""


def thumbnail_path(category: str, item: str) -> Path:
    """Return the path of the picture of an item.

    Args:
        category: key of ``ITEMS``.
        item: of the category.
    """
    return FOLDER / f"{category}-{item}.webp"


def list_thumbnails() -> list[str]:
    """Return the names of all items' pictures, such as ``hat-fedora``."""
    from .items import ITEMS  # late: the shapes of all items, which Blender does not need

    return [f"{category}-{item}" for category, items in ITEMS.items() for item in items]
