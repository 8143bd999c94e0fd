"""Draws the thumbnails of the pose library on a synthetic person (``build.py pictures``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..core.cameras import look_at
from ..core.types import JOINT_INDEX, JOINT_NAMES, Camera, FloatArray, LikenessError, Pose
from ..poses import SIDES, named_expressions, named_poses
from ..poses.thumbnails import BACKGROUND, FOLDER, SIZE, read_thumbnail, thumbnail_path

_FOV = 24.0  # degrees; a long lens
_TEXTURE = 1024
_VIEWS = {"Body": (28.0, 6.0, 1.07), "Hands": (12.0, 0.0, 1.1), "Face": (14.0, 2.0, 1.16)}
"""Yaw, pitch (degrees) and margin: a little from the side, where arms before the trunk show."""
_HEAD = ("head", "jaw", "left_eye_smplhf", "right_eye_smplhf")
_PALM_FORWARD = {"left_shoulder": (-90.0, 0.0, 0.0)}
_AT_EASE = {"mouthSmile": 0.35, "browInnerUp": 0.12}
"""The generator's neutral face looks grim."""


@dataclass(frozen=True)
class ThumbnailModel:
    """A synthetic person who shows poses.

    Attributes:
        number: of the person among those of the seed.
        seed: of the generator of synthetic people.
    """

    number: int = 5
    seed: int = 0

    def draw(self, name: str) -> FloatArray:
        """[SIZE, SIZE, 3] float32, sRGB 0..1, of a pose or an expression of the library."""
        body = self._world.dress.body
        rest = Pose.rest(body.num_expression)
        if name in named_expressions():
            return self._drawn(rest, named_expressions()[name].weights, "Face")
        entry = named_poses()[name]
        pose = rest.with_joints(**entry.joints)
        if entry.catalog == "Hands":
            turned = {joint: np.radians(d) for joint, d in _PALM_FORWARD.items()}
            picture = self._drawn(pose.with_joints(**turned), self._at_ease, "Hands")
            return np.ascontiguousarray(np.rot90(picture))  # fingers up
        return self._drawn(pose, self._at_ease, "Body")

    @cached_property
    def _world(self) -> Any:
        from .figure import open_context
        from .synth_options import SynthOptions

        def skipped(path: Path, why: str) -> None:
            raise LikenessError(f"'{path}': {why}", "Thumbnails use no assets: report this.")

        return open_context(SynthOptions(seed=self.seed, engine="raster"), skipped)

    @cached_property
    def _at_ease(self) -> dict[str, float]:
        names = self._world.dress.body.expression_names
        return {n: v for n in names for start, v in _AT_EASE.items() if n.startswith(start)}

    def _rng(self, step: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.number, step])

    def _drawn(self, pose: Pose, weights: Mapping[str, float], view: str) -> FloatArray:
        from ..wardrobe.dress import pose_body
        from .figure import dress_wearer
        from .person_parts import Lighting, Wearer
        from .person_traits import random_betas, stratified_traits
        from .subject import RasterStudio

        world = self._world
        body = world.dress.body
        traits = stratified_traits(self.number, self.seed)
        betas = random_betas(self._rng(1), traits, world.prior)
        pose = replace(pose, expression=body.expression(**weights))
        posed = pose_body(world.dress, betas, pose)
        wearer = Wearer(world.dress, posed, traits, betas, pose.expression, None, _TEXTURE)
        studio = RasterStudio()
        light = Lighting(None, 1, 0.0, 1.2, key=(0.5, 0.55, 0.67), key_strength=0.8)
        studio.stage(dress_wearer(wearer, self._rng), light)
        points = posed.vertices[: len(body.v_template)][_shown(body, view)]
        rgba = studio.draw(_camera(points, *_VIEWS[view]))
        alpha = rgba[..., 3:]
        return np.asarray(np.clip(rgba[..., :3] * alpha + BACKGROUND * (1.0 - alpha), 0.0, 1.0))


def draw_thumbnails(names: Sequence[str], folder: Path = FOLDER) -> Iterator[Path]:
    """Draw the pictures of these poses and expressions, each written when it is done."""
    from PIL import Image

    from ..files.atomic import atomic_write

    sitter = ThumbnailModel()
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        pixels = np.rint(sitter.draw(name) * 255.0).astype(np.uint8)
        path = folder / thumbnail_path(name).name
        with atomic_write(path) as scratch:
            Image.fromarray(pixels).save(scratch, "WEBP", quality=82, method=6)
        yield path


def draw_thumbnail_sheet(path: Path, columns: int = 11) -> None:
    """Draw the whole library in one picture, each entry under its name on the command line.

    Raises:
        LikenessError: a picture is missing.
    """
    from PIL import Image, ImageDraw

    from ..files.atomic import atomic_write

    groups: list[list[Any]] = [
        [e for e in named_poses().values() if e.catalog == c] for c in ("Body", "Hands")
    ]
    groups += [
        [e for e in named_expressions().values() if e.catalog == c]
        for c in ("Expressions", "Visemes")
    ]
    rows = [g[k : k + columns] for g in groups for k in range(0, len(g), columns)]
    label = 14
    grey = (round(255 * BACKGROUND),) * 3
    sheet = Image.new("RGB", (columns * SIZE, len(rows) * (SIZE + label)), grey)
    draw = ImageDraw.Draw(sheet)
    for r, row in enumerate(rows):
        for c, entry in enumerate(row):
            x, y = c * SIZE, r * (SIZE + label)
            pixels = np.rint(255 * read_thumbnail(entry.name)).astype(np.uint8)
            sheet.paste(Image.fromarray(pixels), (x, y))
            draw.text((x + SIZE // 2, y + SIZE), entry.name, fill=(225, 225, 225), anchor="ma")
    with atomic_write(path) as scratch:
        sheet.save(scratch, "JPEG", quality=80, optimize=True, progressive=True)


def _shown(body: Any, view: str) -> Any:
    """[V] the vertices that a view holds."""
    if view == "Body":
        return np.ones(len(body.v_template), bool)
    joints = _HEAD if view == "Face" else [n for n in JOINT_NAMES if _of_left_hand(n)]
    return body.sum_weights(JOINT_INDEX[n] for n in joints) > 0.6


def _of_left_hand(joint: str) -> bool:
    side, _, rest = joint.partition("_")
    return side == SIDES[0] and rest.startswith(
        ("wrist", "index", "middle", "ring", "pinky", "thumb")
    )


def _camera(points: FloatArray, yaw: float, pitch: float, margin: float) -> Camera:
    """A square camera that has all points [N, 3] in its picture."""
    centre = (points.min(0) + points.max(0)) / 2
    focal = SIZE / 2 / np.tan(np.radians(_FOV / 2))
    half = np.abs((points - centre) @ look_at(centre, 1.0, yaw, pitch)[:3, :3].T).max(0) * margin
    distance = half[2] + focal * max(half[0], half[1]) / (SIZE / 2)
    K = np.array([[focal, 0.0, SIZE / 2], [0.0, focal, SIZE / 2], [0.0, 0.0, 1.0]])
    return Camera(look_at(centre, float(distance), yaw, pitch), K, SIZE, SIZE)
