"""An avatar prepared for Blender by the worker, in one file that is read in small steps.

Blender's window must not freeze, so everything slow happens here, in another process.
"""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.types import Avatar, LikenessError
from ..files.atomic import atomic_write
from ..files.untrusted import decompress
from ..formats.avatar import avatar_from_bytes, avatar_to_bytes
from .mesh import SplatMesh, make_splat_mesh
from .mesh_arrays import pack_mesh, read_array_steps, unpack_mesh

MAX_KEPT = 1 << 30
"""Bytes of an avatar without its Gaussians; the default body's is 20 MB."""


@dataclass(frozen=True)
class SceneAvatar:
    """What Blender needs of an avatar.

    Attributes:
        avatar: without its Gaussians.
        splats: the Gaussians as Blender's mesh holds them.
        kept: ``avatar`` as compressed bytes, which the scene keeps; :func:`unpack_avatar` reads
            them.
        photo: the portrait as a JPEG file, or None.
    """

    avatar: Avatar
    splats: SplatMesh
    kept: bytes
    photo: bytes | None = None


def make_scene_avatar(avatar: Avatar, photo: Path | None = None) -> SceneAvatar:
    """Prepare an avatar for Blender (two seconds for 262,144 Gaussians).

    Args:
        avatar: the avatar.
        photo: its portrait, to be packed with it.

    Raises:
        LikenessError: the photo cannot be read.
    """
    if avatar.gaussians.features.size:
        warnings.warn(
            "Blender draws this avatar's coarse colours. Its latent features are for the refiner "
            "of its network, which only the engine's own renderer has.",
            stacklevel=2,
        )
    alone = _without_splats(avatar)
    from ..core.threads import start_thread  # late: numba

    def pack() -> tuple[bytes, bytes | None]:
        return pack_avatar(alone), None if photo is None else _jpeg(photo)

    packed = start_thread(pack)
    splats = make_splat_mesh(avatar)
    return SceneAvatar(alone, splats, *packed.result())


def _without_splats(avatar: Avatar) -> Avatar:
    nothing = slice(0, 0)
    return replace(
        avatar,
        gaussians=avatar.gaussians.take(nothing),
        lod_start=None,
        attributes=tuple(one.take(nothing) for one in avatar.attributes),
    )


def pack_avatar(avatar: Avatar) -> bytes:
    """Return an avatar without its Gaussians as :attr:`SceneAvatar.kept`."""
    return zlib.compress(avatar_to_bytes(_without_splats(avatar)), 6)


def unpack_avatar(kept: bytes, source: str) -> Avatar:
    """Unpack the avatar of :attr:`SceneAvatar.kept`, without Gaussians.

    Args:
        kept: compressed bytes.
        source: what error messages call it.

    Raises:
        LikenessError: it is damaged.
    """
    return avatar_from_bytes(_decompress_avatar(kept, source), source)


def _decompress_avatar(kept: bytes, source: str) -> bytes:
    try:
        return decompress(kept, MAX_KEPT)
    except ValueError as error:
        raise LikenessError(
            f"The avatar in '{source}' is damaged: {error}.", "Import the avatar again."
        ) from error


def save_scene_avatar(scene: SceneAvatar, path: Path) -> None:
    """Write a prepared avatar atomically."""
    arrays = pack_mesh(scene.splats)
    arrays["kept"] = np.frombuffer(scene.kept, np.uint8)
    arrays["photo"] = np.frombuffer(scene.photo or b"", np.uint8)
    with atomic_write(path) as scratch, scratch.open("wb") as file:
        np.savez(file, **arrays)  # not compressed: read at once, then deleted


def load_scene_steps(path: Path) -> Generator[None, None, SceneAvatar]:
    """Read what :func:`save_scene_avatar` wrote, one array a step; the generator returns it.

    Raises:
        LikenessError: the file is missing or damaged.
    """
    arrays = yield from read_array_steps(path, "kept", "photo")
    kept = _decompress_avatar(arrays["kept"].tobytes(), str(path))
    yield
    avatar = avatar_from_bytes(kept, str(path))
    yield
    photo = arrays["photo"].tobytes() or None
    return SceneAvatar(avatar, unpack_mesh(arrays), arrays["kept"].tobytes(), photo)


def _jpeg(photo: Path) -> bytes:
    """The photo upright and in sRGB."""
    import PIL.Image

    from ..imaging.load import load_portrait  # late: it compiles loops

    rgb = np.round(np.clip(load_portrait(photo).rgb, 0.0, 1.0) * 255.0).astype(np.uint8)
    encoded = io.BytesIO()
    PIL.Image.fromarray(rgb).save(encoded, "JPEG", quality=92)
    return encoded.getvalue()
