"""Draws the thumbnails of the wardrobe's items on a bust (``build.py pictures``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..body import Body, load_body
from ..core.attributes import apply_attributes
from ..core.cameras import intrinsics, look_at, photo_camera
from ..core.geometry import vertex_normals
from ..core.types import LAYERS, PARTS, Avatar, BoundGaussians, Camera, FloatArray, Pose
from ..files.atomic import atomic_write
from ..files.weights import asset_path
from ..gaussians import pose_avatar
from ..gaussians.binding import bind_gaussians
from ..render import render_camera
from ..wardrobe.edit import add_item
from ..wardrobe.head_shape import head_shape
from ..wardrobe.items import ItemRequest
from ..wardrobe.mesh_splats import make_discs, scatter_evenly
from ..wardrobe.occlusion import measure_openness
from ..wardrobe.refit import put_on
from ..wardrobe.thumbnails import FOLDER, SIZE
from ..wardrobe.tint import tint_part

_CLAY = (0.80, 0.77, 0.74)
_BROWN = (0.30, 0.20, 0.14)
_ROSE = (0.62, 0.36, 0.34)
_BACKGROUND = 0.19  # grey, sRGB
_LIGHT = (0.45, 0.6, 0.66)
_SUPERSAMPLED = 3
_SPACING = {"torso": 0.004, "arm": 0.004}
_FINE = 0.0021  # metres between the splats of all else
_SHOWN = ("scalp", "face", "ear", "eyelid", "lips", "neck", "eye", "torso", "arm")
_AWAY = 2.5  # metres
_VIEWS = {
    "hair": (-28.0, 6.0, 0.34, -0.03),
    "hat": (-28.0, 4.0, 0.37, 0.035),
    "glasses": (-24.0, 2.0, 0.24, -0.01),
    "headphones": (-40.0, 6.0, 0.29, 0.01),
    "earrings": (-62.0, 2.0, 0.17, -0.035),
    "necklace": (-12.0, 6.0, 0.32, -0.19),
    "scarf": (-18.0, 4.0, 0.40, -0.15),
    "beard": (-26.0, 2.0, 0.24, -0.05),
    "brows": (-12.0, 2.0, 0.16, -0.016),
    "nose": (-42.0, 4.0, 0.11, -0.055),
    "mouth": (-16.0, 2.0, 0.09, -0.085),
    "wrinkles": (-14.0, 2.0, 0.18, -0.02),
}
"""Yaw and pitch in degrees, width of what is shown, and height above the head's middle, metres."""
_FACIAL = ("brows", "nose", "mouth", "wrinkles")
_FORWARD = 0.09  # metres before the head's middle to which pictures of these turn


class Bust:
    """A bust of clay that wears the wardrobe's items."""

    def draw(self, name: str) -> FloatArray:
        """Draw an item.

        Args:
            name: of :func:`..wardrobe.thumbnails.list_thumbnails`.

        Returns:
            [SIZE, SIZE, 3] sRGB 0..1.
        """
        category, _, item = name.partition("-")
        avatar = self._with_hair if category == "hair" else self._bald
        if item == "trimmed":  # there must be hair to cut
            long = add_item(avatar, ItemRequest("hair", "wavy", _BROWN))
            avatar = replace(apply_attributes(long), provenance={})
        color = _BROWN if category in ("hair", "beard", "brows") else None
        length = 0.4 if item == "trimmed" else 0.5
        if category == "mouth":
            avatar = tint_part(avatar, "lips", _ROSE)
        if name == "beard-none":  # the bust has none to take off
            worn = avatar
        else:
            request = ItemRequest(category, item, color, length=length)
            worn = apply_attributes(put_on(avatar, request))
        yaw, pitch, width, above = _VIEWS[category]
        head = head_shape(worn.body.v_template, worn.body)
        forward = _FORWARD if category in _FACIAL else 0.02
        target = head.centre + np.array([0.0, above, forward])
        side = SIZE * _SUPERSAMPLED
        camera = Camera(
            look_at(target, _AWAY, yaw, pitch),
            intrinsics(side * _AWAY / width, side, side),
            side,
            side,
        )
        rest = Pose.rest(worn.body.num_expression)
        drawn = render_camera(pose_avatar(worn, rest), camera, background=np.full(3, _BACKGROUND))
        small = drawn.rgb.reshape(SIZE, _SUPERSAMPLED, SIZE, _SUPERSAMPLED, 3).mean((1, 3))
        return np.asarray(np.clip(small, 0.0, 1.0))

    @cached_property
    def _body(self) -> Body:
        body = load_body(asset_path("body"))
        return body.personalised(np.zeros(body.num_betas))

    @cached_property
    def _bald(self) -> Avatar:
        return self._make(hair=False)

    @cached_property
    def _with_hair(self) -> Avatar:
        return self._make(hair=True)

    def _make(self, hair: bool) -> Avatar:
        """The bust; its scalp counts as hair, or as skin."""
        body = self._body
        rest = np.asarray(body.v_template, np.float64)
        names = np.array(body.part_names)[body.face_part]
        parts = [self._cover(rest, names, name, hair) for name in _SHOWN if name in names]
        bound = BoundGaussians.concatenate(parts)
        pose = replace(Pose.rest(body.num_expression), transl=np.array([0.0, -0.4, -1.6]))
        camera = photo_camera(330.0, 200, 240)
        return Avatar(body, bound, pose, camera, "head", {"source": "bust"})

    def _cover(self, rest: FloatArray, names: FloatArray, name: str, hair: bool) -> BoundGaussians:
        body = self._body
        faces = np.nonzero(names == name)[0]
        spacing = _SPACING.get(name, _FINE)
        pick, bary = scatter_evenly(rest[body.f[faces]], spacing)
        corner = body.f[faces[pick]]
        at = np.einsum("nk,nkd->nd", bary, rest[corner])
        normals = np.einsum("nk,nkd->nd", bary, vertex_normals(rest, body.f)[corner])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        light = np.clip(normals @ np.array(_LIGHT), 0.0, 1.0)
        tone = 0.45 + 0.3 * measure_openness(at, normals, rest, body.f) + 0.3 * light
        base = np.array(_BROWN if hair and name == "scalp" else _CLAY)
        splats = make_discs(
            at, normals, np.full(len(at), spacing), base * tone[:, None], np.full(len(at), 0.95)
        )
        layer = np.full(len(at), LAYERS.index("photo"), np.uint8)
        bound = bind_gaussians(splats, faces[pick], bary, layer, rest, body)
        part = "skin" if name in ("neck", "torso", "arm") else "face"
        if hair and name == "scalp":
            part = "hair"
        return replace(bound, part=np.full(len(at), PARTS.index(part), np.uint8))


def draw_wardrobe(names: Sequence[str], folder: Path = FOLDER) -> Iterator[Path]:
    """Draw the pictures of items, each written when it is done.

    Args:
        names: of :func:`..wardrobe.thumbnails.list_thumbnails`.
        folder: where they go.
    """
    from PIL import Image

    bust = Bust()
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        pixels = np.rint(bust.draw(name) * 255.0).astype(np.uint8)
        path = folder / f"{name}.webp"
        with atomic_write(path) as scratch:
            Image.fromarray(pixels).save(scratch, "WEBP", quality=82, method=6)
        yield path
