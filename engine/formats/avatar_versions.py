"""Versions of avatar files: which are read, and how older files are migrated.

A version is ``major.minor`` (docs/avatars.md has the rule for users):

- A **minor** version adds something optional, such as a tensor or a key of the header. All files
  of its major version are read: what an older one lacks has a default, and what a newer one adds
  is ignored with a warning.
- A **major** version changes what was there. Files of a newer one are refused. Files of an older
  one are read through :data:`MIGRATIONS`, one step for each major version, and nowhere else.

======= ===========================================================================================
version what changed
======= ===========================================================================================
1.0     the first; written as ``1``
1.1     the version has two numbers; ``gaussians.lod_start``, the order of importance (some files of
        1.0 have it already)
1.2     ``gaussians.part``, what each Gaussian shows, with the names in the header; ``attributes``;
        ``gaussians.features``, latent channels for a refiner
1.3     ``body.correctives``, pose correctives of some joints: how a skirt drapes
1.4     ``retouch.*`` and ``sculpt.*``, edits by hand: splats erased, recoloured and moved, and a
        sculpted rest shape
======= ===========================================================================================
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.types import LikenessError

VERSION = (1, 4)

Tensors = dict[str, np.ndarray[Any, Any]]
Header = dict[str, Any]
Migration = Callable[[Tensors, Header], tuple[Tensors, Header]]

MIGRATIONS: dict[int, Migration] = {}
"""Functions from a file's tensors and header to those of the next major version, by major version.
Empty while there is only one. A step takes all tensors of the file, even those no longer known, and
raises KeyError or ValueError if the file is not valid."""

_TEXT = re.compile(r"(0|[1-9]\d{0,8})(?:\.(0|[1-9]\d{0,8}))?")


def format_version(version: tuple[int, int]) -> str:
    """Return a version as files contain it.

    >>> format_version((1, 1))
    '1.1'
    """
    return f"{version[0]}.{version[1]}"


def parse_version(text: str, path: str) -> tuple[int, int]:
    """Return a file's version if it can be read, with a warning for a newer minor version.

    Args:
        text: The version in the file.
        path: The file, for messages.

    Raises:
        LikenessError: It is not a version, has a newer major version, or one without a migration.

    >>> parse_version("1", "a.safetensors"), parse_version("1.1", "a.safetensors")
    ((1, 0), (1, 1))
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise LikenessError(
            f"'{path}' does not have a valid version of avatar files ({text[:20]!r}).",
            "Copy it again, or build the avatar again.",
        )
    version = int(found[1]), int(found[2] or 0)
    told = f"'{path}' is an avatar file of version {format_version(version)}"
    if version[0] > VERSION[0]:
        raise LikenessError(
            f"{told}; this program reads versions up to {VERSION[0]}.x.",
            "Update Likeness, or build the avatar again.",
        )
    if any(major not in MIGRATIONS for major in range(version[0], VERSION[0])):
        raise LikenessError(
            f"{told}, which this program no longer reads.", "Build the avatar again."
        )
    if version > VERSION:
        warnings.warn(
            f"{told}, newer than this program's {format_version(VERSION)}: what it adds is "
            "left out.",
            stacklevel=2,
        )
    return version


def migrate(tensors: Tensors, header: Header, major: int) -> tuple[Tensors, Header]:
    """Migrate the tensors and the header of a file of major version ``major`` to today's."""
    for step in range(major, VERSION[0]):
        tensors, header = MIGRATIONS[step](tensors, header)
    return tensors, header
