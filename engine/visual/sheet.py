"""Pictures of an avatar for the eye: the preview, and a contact sheet with every test view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..core.cameras import orbit, project
from ..core.framing import Box, ball_box, crop_to_box
from ..core.types import (
    JOINT_INDEX,
    LAYERS,
    Avatar,
    BoolArray,
    Camera,
    FloatArray,
    Gaussians,
    Matte,
    Portrait,
    Pose,
)
from ..gaussians.posing import pose_avatar
from ..render import RenderOutput, render_camera
from .overlay import OverlayPainter
from .view_cameras import head_ball, orbit_centre, visible_box

PREVIEW_WIDTH = 2080
SHEET_WIDTH = 2500
THUMBNAIL_SIZE = 512

_PAPER = 0.97
_CHECKS = (0.86, 0.90)  # greys of the checkerboard behind an avatar
_CHECK_SIZE = 12  # pixels
_GAP = 10
_CAPTION = 26  # pixels of height
_ARM_SHARE = 0.02  # of the photo's Gaussians; a forearm with less is not in the photo
_MIN_ASPECT, _MAX_ASPECT = 0.6, 1.25

SMILE = {
    "mouthSmileLeft": 0.9,
    "mouthSmileRight": 0.9,
    "cheekSquintLeft": 0.4,
    "cheekSquintRight": 0.4,
}
WINK = {**SMILE, "eyeBlinkLeft": 1.0}
OPEN_MOUTH = {"jawOpen": 0.7}


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet: what it shows, before its size is known.

    Attributes:
        caption: what stands under it.
        camera: the camera that it is seen by.
        box: part of ``camera``'s image plane to show.
        gaussians: drawn over a checkerboard; or None, and ``picture`` is shown instead.
        picture: [H, W, 3] or [H, W, 4] (straight alpha) 0..1, on the camera's full image.
        backdrop: [3] 0..1, a colour behind them instead of the checkerboard.
    """

    caption: str
    camera: Camera
    box: Box
    gaussians: Gaussians | None = None
    picture: FloatArray | None = None
    backdrop: FloatArray | None = None

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.box.width / self.box.height

    def draw(self, width: int, height: int) -> FloatArray:
        """Draw the tile [height, width, 3], 0..1."""
        if self.gaussians is not None:
            shown = render_camera(self.gaussians, crop_to_box(self.camera, self.box, width, height))
            return self._before(shown.rgb, shown.alpha)
        assert self.picture is not None
        rgba = _cut(self.picture, self.box, width, height)
        return self._before(rgba[..., :3] * rgba[..., 3:], rgba[..., 3])

    def _before(self, premultiplied: FloatArray, alpha: FloatArray) -> FloatArray:
        if self.backdrop is None:
            return composite_over_checks(premultiplied, alpha)
        return np.clip(premultiplied + (1 - alpha[..., None]) * self.backdrop, 0, 1)


def composite_over_checks(premultiplied: FloatArray, alpha: FloatArray) -> FloatArray:
    """Composite a picture over a light checkerboard.

    Args:
        premultiplied: [H, W, 3] colours times alpha.
        alpha: [H, W] 0..1.

    Returns:
        [H, W, 3] 0..1.
    """
    rows, columns = np.indices(alpha.shape[:2]) // _CHECK_SIZE
    checks = np.where((rows + columns) % 2, *_CHECKS)[..., None]
    return np.asarray(np.clip(premultiplied + (1 - alpha[..., None]) * checks, 0, 1))


def unpremultiply(render: RenderOutput) -> FloatArray:
    """Return a render over black as [H, W, 4], 0..1 with straight alpha."""
    alpha = np.asarray(render.alpha)[..., None]
    rgb = np.where(alpha > 1e-4, render.rgb / np.maximum(alpha, 1e-4), 0.0)
    return np.concatenate([np.clip(rgb, 0, 1), alpha], -1)


def save_image(picture: FloatArray, path: Path) -> None:
    """Write a picture in the format of the file name's extension.

    Args:
        picture: [H, W, 3] or [H, W, 4] 0..1.
        path: the file.
    """
    pixels = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    if path.suffix.lower() in (".jpg", ".jpeg"):
        Image.fromarray(pixels).save(path, quality=90, subsampling=0)
    else:
        Image.fromarray(pixels).save(path)


def _cut(picture: FloatArray, box: Box, width: int, height: int) -> FloatArray:
    """The part ``box`` of a picture at a size, transparent outside it. Returns [h, w, 4]."""
    if picture.shape[2] == 3:
        picture = np.concatenate([picture, np.ones_like(picture[..., :1])], -1)
    pixels = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    left, top = int(np.floor(box.left)), int(np.floor(box.top))
    right, bottom = int(np.ceil(box.right)), int(np.ceil(box.bottom))
    part = Image.fromarray(pixels).crop((left, top, right, bottom))
    exact = (box.left - left, box.top - top, box.right - left, box.bottom - top)
    small = part.resize((width, height), Image.Resampling.LANCZOS, box=exact)
    return np.asarray(small, dtype=np.float32) / 255


def layout_tiles(rows: Sequence[Sequence[Tile]], width: int, title: str = "") -> FloatArray:
    """Draw rows of tiles with captions, each row as wide as the sheet.

    Args:
        rows: the tiles of each row.
        width: of the sheet, pixels.
        title: above the rows; none when empty.

    Returns:
        [H, width, 3] 0..1.
    """
    sizes = []
    for row in rows:
        room = width - _GAP * (len(row) + 1)
        height = int(room / sum(tile.aspect for tile in row))
        sizes.append((height, [int(height * tile.aspect) for tile in row]))
    head = _CAPTION + _GAP if title else 0
    total = head + sum(height + _CAPTION + _GAP for height, _ in sizes) + _GAP
    sheet = np.full((total, width, 3), _PAPER, np.float32)
    captions: list[tuple[int, int, str]] = [(_GAP, _GAP, title)] if title else []
    y = head + _GAP
    for row, (height, widths) in zip(rows, sizes):
        x = _GAP
        for tile, tile_width in zip(row, widths):
            sheet[y : y + height, x : x + tile_width] = tile.draw(tile_width, height)
            captions.append((x + 2, y + height + 4, tile.caption))
            x += tile_width + _GAP
        y += height + _CAPTION + _GAP
    image = Image.fromarray(np.round(sheet * 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=17)
    for x, y, text in captions:
        pen.text((x, y), text, fill=(60, 60, 60), font=font)
    return np.asarray(image, dtype=np.float32) / 255


def _reasonable(box: Box) -> Box:
    """Grown to an aspect that sits well in a row."""
    return box.with_aspect(float(np.clip(box.width / box.height, _MIN_ASPECT, _MAX_ASPECT)))


class SheetStudio:
    """Everything that the tiles of one avatar's sheet share.

    Args:
        avatar: the avatar.
        portrait: its photo.
        matte: of the portrait.
    """

    def __init__(self, avatar: Avatar, portrait: Portrait, matte: Matte) -> None:
        self.avatar = avatar
        self.portrait = portrait
        self.matte = matte
        self.camera = avatar.camera

    @cached_property
    def still(self) -> Gaussians:
        """The avatar as in the photo."""
        return pose_avatar(self.avatar)

    @cached_property
    def centre(self) -> FloatArray:
        """[3] the point that cameras swing about."""
        return orbit_centre(self.still, self.camera)

    @cached_property
    def box(self) -> Box:
        """The part of the photo's image plane that holds the person."""
        box = visible_box(self.still, self.camera).padded(0.05)
        bottom = float(self.camera.height) if self.cut_below else box.bottom
        return _reasonable(Box(box.left, box.top, box.right, bottom))

    @cached_property
    def cut_below(self) -> bool:
        """Whether the person goes on below the photo; every view is then cut where the photo is."""
        return visible_box(self.still, self.camera).bottom > 0.97 * self.camera.height

    def photo(self, caption: str, picture: FloatArray) -> Tile:
        """Return a tile of a picture of the photo's size.

        Args:
            caption: what stands under it.
            picture: [H, W, 3] or [H, W, 4] (straight alpha) 0..1, on the photo camera's full image.
        """
        return Tile(caption, self.camera, self.box, picture=picture)

    @cached_property
    def in_photo(self) -> BoolArray:
        """[N] the Gaussians that lie within the photo's frame."""
        xy, z = project(np.asarray(self.still.means, np.float64), self.camera)
        size = np.array([self.camera.width, self.camera.height])
        return np.asarray((z > 0) & (xy >= 0).all(-1) & (xy <= size).all(-1))

    def view(
        self,
        caption: str,
        yaw: float = 0.0,
        gaussians: Gaussians | None = None,
        bring_in: bool = True,
    ) -> Tile:
        """Return a tile of the photo's camera swung about the person, wider where needed.

        Args:
            caption: of the tile.
            yaw: degrees about the person.
            gaussians: what to draw; the avatar as in the photo when None.
            bring_in: whether a pose may bring in what the photo's frame cuts off (a hand, say).
        """
        shown = gaussians or self.still
        camera = orbit(self.camera, self.centre, yaw)
        box = self.box
        if gaussians is not None or yaw:
            everything = gaussians is not None and bring_in
            among = np.ones(len(shown), dtype=bool) if everything else self.in_photo
            reach = visible_box(shown, camera, among).padded(0.05)
            bottom = box.bottom if self.cut_below else reach.bottom
            box = _reasonable(box.union(Box(reach.left, reach.top, reach.right, bottom)))
        return Tile(caption, camera, box, shown)

    def close_up(self, caption: str, yaw: float = 0.0, pose: Pose | None = None) -> Tile:
        """Return a tile of the head, seen ``yaw`` degrees about its own middle."""
        shown = self.still if pose is None else pose_avatar(self.avatar, pose)
        centre, radius = head_ball(self.avatar, self.avatar.pose)
        camera = orbit(self.camera, centre, yaw)
        return Tile(caption, camera, ball_box(centre, radius, camera), shown)

    def expressive(self, weights: dict[str, float]) -> Pose | None:
        """Return the photo's pose with at least these weights; None if the body lacks them."""
        index = self.avatar.body.expression_index
        if not set(weights) <= set(index):
            return None
        expression = np.array(self.avatar.pose.expression, dtype=np.float64)
        for name, value in weights.items():
            expression[index[name]] = max(expression[index[name]], value)
        return replace(self.avatar.pose, expression=expression)

    @cached_property
    def overlay(self) -> FloatArray:
        """[H, W, 3] the fitted mesh, shaded, over the photo."""
        painter = OverlayPainter(self.avatar.body, np.zeros(self.avatar.body.num_betas))
        return painter.draw(self.portrait.rgb, self.avatar.pose, self.camera)

    def moving(self) -> list[Tile]:
        """Return tiles of an arm raised, from two sides; without an arm, of the head turned."""
        side, share = most_visible_arm(self.avatar)
        if share < _ARM_SHARE:
            turned = pose_avatar(self.avatar, turn_head(self.avatar))
            return [
                self.view("head turned", 0, turned, bring_in=False),
                self.view("the same from 35", 35, turned, bring_in=False),
            ]
        raised = pose_avatar(self.avatar, raise_arm(self.avatar, side))
        return [self.view("arm raised", 0, raised), self.view("the same from 35", 35, raised)]

    def expressions(self, wanted: dict[str, dict[str, float]]) -> list[Tile]:
        """Return a close-up for each expression that the body has."""
        poses = {name: self.expressive(weights) for name, weights in wanted.items()}
        return [self.close_up(name, pose=pose) for name, pose in poses.items() if pose]


def most_visible_arm(avatar: Avatar) -> tuple[str, float]:
    """Return the arm (``left`` or ``right``) that the photo shows most of, and its share 0..1."""
    triangles = avatar.gaussians.triangle[avatar.gaussians.layer == LAYERS.index("photo")]
    weights = avatar.body.weights[avatar.body.f[triangles, 0]]
    count = {
        side: float(weights[:, [JOINT_INDEX[f"{side}_{j}"] for j in ("elbow", "wrist")]].sum())
        for side in ("left", "right")
    }
    side = max(count, key=lambda side: count[side])
    return side, count[side] / max(1, len(triangles))


def raise_arm(avatar: Avatar, side: str) -> Pose:
    """Return the photo's pose with the ``left`` or ``right`` arm lifted above the shoulder.

    The wrist is straight: a hand that the photo does not show may be bent out of its sight.
    """
    sign = 1.0 if side == "left" else -1.0
    return avatar.pose.with_joints(
        **{
            f"{side}_collar": [0.0, 0.0, 0.15 * sign],
            f"{side}_shoulder": [0.0, 0.0, 0.5 * sign],
            f"{side}_elbow": [0.0, -0.35 * sign, 0.0],
            f"{side}_wrist": [0.0, 0.0, 0.0],
        }
    )


def turn_head(avatar: Avatar) -> Pose:
    """Return the photo's pose with the head tilted and turned left, or back if it looks left."""
    pose = avatar.pose
    neck = np.asarray(pose.full_pose)[JOINT_INDEX["neck"]]
    head = np.asarray(pose.full_pose)[JOINT_INDEX["head"]]
    R = avatar.body.rest_and_transforms(pose)[2][JOINT_INDEX["head"]]
    side = -1.0 if R[0, 2] > 0.1 else 1.0  # R's third column is where the face looks
    turn = side * np.array([0.0, 0.25, 0.1])
    return pose.with_joints(neck=neck + turn, head=head + turn)


def draw_preview(avatar: Avatar, portrait: Portrait, matte: Matte) -> FloatArray:
    """Draw the preview [H, PREVIEW_WIDTH, 3] (0..1) that is saved beside an avatar.

    The photo beside the same view of the avatar, a raised arm and a smile; below, the camera
    swung to both sides and behind.

    Args:
        avatar: the avatar.
        portrait: its photo.
        matte: of the portrait.
    """
    studio = SheetStudio(avatar, portrait, matte)
    return layout_tiles(
        [
            [
                studio.photo("photo", portrait.rgb),
                studio.view("input view"),
                studio.moving()[0],
                *studio.expressions({"smile": SMILE}),
            ],
            [
                studio.view(f"{yaw:+d}" if yaw != 180 else "back", yaw)
                for yaw in (-60, -30, 30, 60, 180)
            ],
        ],
        PREVIEW_WIDTH,
    )


def draw_thumbnail(avatar: Avatar) -> FloatArray:
    """Draw the upper end of an avatar as the photo shows it.

    Args:
        avatar: the avatar.

    Returns:
        [THUMBNAIL_SIZE, THUMBNAIL_SIZE, 4] 0..1, straight alpha.
    """
    gaussians = pose_avatar(avatar, avatar.pose)
    box = visible_box(gaussians, avatar.camera).padded(0.05)
    middle, side = (box.left + box.right) / 2, min(box.width, box.height)
    square = Box(middle - side / 2, box.top, middle + side / 2, box.top + side)
    camera = crop_to_box(avatar.camera, square, THUMBNAIL_SIZE, THUMBNAIL_SIZE)
    return unpremultiply(render_camera(gaussians, camera))


def draw_contact_sheet(
    avatar: Avatar, portrait: Portrait, matte: Matte, title: str = ""
) -> FloatArray:
    """Draw every test view of an avatar [H, SHEET_WIDTH, 3], 0..1.

    Args:
        avatar: the avatar.
        portrait: its photo.
        matte: of the portrait.
        title: above the views; none when empty.
    """
    studio = SheetStudio(avatar, portrait, matte)
    cut_out = np.concatenate([matte.foreground, matte.alpha[..., None]], -1)
    expressions = {"smile with a wink": WINK, "open mouth": OPEN_MOUTH}
    return layout_tiles(
        [
            [
                studio.photo("photo", portrait.rgb),
                studio.photo("fitted body", studio.overlay),
                studio.view("input view"),
                studio.photo("matte", cut_out),
            ],
            [studio.view(f"{yaw:+d}", yaw) for yaw in (-60, -30, 30, 60, 180)],
            [*studio.moving(), *studio.expressions(expressions)],
            [studio.close_up(f"head {yaw:+d}", yaw) for yaw in (-45, -20, 0, 20, 45, 90)],
        ],
        SHEET_WIDTH,
        title,
    )
