"""Pictures of an avatar, in memory and as files, for ``likeness render`` and the Python API."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from ..core.types import Avatar, Camera, FloatArray, Gaussians, LikenessError, Pose
from ..files.atomic import atomic_write_files
from ..gaussians.relight.scene_light import SceneLight
from ..imaging.environment import load_environment
from ..imaging.video_writer import FORMATS
from ..render import best_backend
from ..render.raster_types import RenderOutput
from ..visual.clip_cameras import DrawPicture, render_frames
from ..visual.lit_pictures import lit_drawing
from ..visual.sheet import save_image

STILL_SUFFIXES = (".png", ".webp", ".tif", ".tiff", ".jpg", ".jpeg")
_WITHOUT_ALPHA = (".jpg", ".jpeg")


def parse_color(text: str | None) -> FloatArray | None:
    """Parse ``#rrggbb`` or a colour's name to [3] sRGB 0..1; None for None and ``transparent``.

    Raises:
        LikenessError: the text is not a colour, or a half transparent one.

    >>> parse_color("#ff8000").round(2)
    array([1. , 0.5, 0. ])
    """
    from PIL import ImageColor

    if text is None or text.strip().lower() == "transparent":
        return None
    try:
        red, green, blue, *alpha = ImageColor.getrgb(text.strip())
        if alpha not in ([], [255]):
            raise ValueError("half transparent")
    except ValueError as error:
        raise LikenessError(
            f"'{text}' is not a colour.", "Write '#rrggbb', a name such as white, or transparent."
        ) from error
    return np.array([red, green, blue], np.float64) / 255


def check_still(out: Path, transparent: bool) -> None:
    """Check that a picture can have this name, before it is drawn.

    Args:
        out: the file.
        transparent: whether the picture needs an alpha channel.

    Raises:
        LikenessError: the name is a clip's, a folder's or no picture's, or its format lacks alpha.
    """
    suffix = out.suffix.lower()
    if suffix in FORMATS:
        raise LikenessError(
            f"'{out}' would be a clip.", "Give --motion FILE or --turntable, or a name ending .png."
        )
    if suffix not in STILL_SUFFIXES or out.is_dir():
        raise LikenessError(
            f"'{out}' has no format for a picture.",
            f"Choose a name that ends in {', '.join(STILL_SUFFIXES)}.",
        )
    if suffix in _WITHOUT_ALPHA and transparent:
        raise LikenessError(
            f"'{out}' cannot be transparent.", "Choose .png, or give a --background."
        )


def draw_still(
    avatar: Avatar,
    pose: Pose,
    camera: Camera,
    background: FloatArray | None = None,
    backend: str = "auto",
    refiner: Path | None = None,
    polish: bool = False,
    light: SceneLight | None = None,
) -> FloatArray:
    """An avatar as a camera sees it, float32 0..1 in steps of 1/255.

    Args:
        avatar: the avatar.
        pose: how it stands.
        camera: in world space.
        background: [3] sRGB 0..1, or None for transparency.
        backend: of :func:`.render.rasterize`, or ``auto``: the GPU where gsplat can use one.
        refiner: folder of the network that made the avatar, whose refiner finishes the picture;
            None for the coarse one.
        polish: whether the polishing network finishes it instead.
        light: that of a scene (:func:`load_light`); None for the photo's.

    Returns:
        [H, W, 3] sRGB, or [H, W, 4] with straight alpha where there is no background.

    Raises:
        LikenessError: see :func:`finished_drawing` and :func:`check_light`.
    """
    backend = best_backend() if backend == "auto" else backend
    check_light(light is not None, refiner, polish)
    draw = finished_drawing(avatar, refiner, polish)
    if light is not None:
        draw = lit_drawing(avatar, light)
    (picture,) = render_frames(avatar, [pose], [camera], background, backend, draw)
    drawn: FloatArray = picture.astype(np.float32) / np.float32(255)
    return drawn


def load_light(
    path: Path, turn: float = 0.0, exposure: float = 0.0, amount: float = 1.0
) -> SceneLight:
    """Read the light of a scene from a picture of its surroundings.

    Args:
        path: .exr or .hdr, lat-long.
        turn: degrees about the upright axis, counter-clockwise from above.
        exposure: stops.
        amount: 0..1, from the photo's light to this one.

    Raises:
        LikenessError: the file cannot be read, or is not such a picture.
    """
    return SceneLight.from_picture(load_environment(path), turn, exposure, amount)


def check_light(lit: bool, refiner: Path | None, polish: bool) -> None:
    """Check that a picture in the light of a scene is not to be finished by a network.

    Raises:
        LikenessError: it is; the networks know pictures in the photo's light only.
    """
    if lit and (refiner is not None or polish):
        raise LikenessError(
            "A picture in another light cannot be finished by the refiner or by polishing.",
            "Choose the light or one of them; an avatar built with '--polish bake' can have both.",
        )


def finished_drawing(avatar: Avatar, refiner: Path | None, polish: bool) -> DrawPicture | None:
    """Get what draws an avatar and finishes its pictures with a network; None without one.

    Args:
        avatar: the avatar, in any pose.
        refiner: folder of the network that made it.
        polish: whether to polish what the photo does not show squarely.

    Raises:
        LikenessError: both are chosen, the avatar was polished when it was built, the refiner
            cannot be used for it, torch is not installed, or the polishing network is missing.
    """
    if polish:
        if refiner is not None:
            raise LikenessError(
                "A picture can be finished by the refiner or by polishing, not by both.",
                "Choose one of them.",
            )
        from ..gaussians.polish.polish_network import is_baked

        if is_baked(avatar):
            raise LikenessError(
                "This avatar's colours are polished already.", "Draw it without polishing."
            )
        return _polished_drawing(avatar)
    if refiner is None:
        return None
    if importlib.util.find_spec("torch") is None:
        raise LikenessError(
            "The refiner needs torch, which is not installed.",
            "Draw without it, or use a Python that has the packages of the extra 'torch'.",
        )
    from ..network.guava.refined_render import (
        check_made_by,
        load_refiner,
        render_refined,
        with_features,
    )

    loaded = load_refiner(refiner)
    check_made_by(avatar, refiner)

    def draw(
        placed: Gaussians, camera: Camera, background: FloatArray | None, backend: str
    ) -> RenderOutput:
        whole = with_features(placed, avatar.gaussians)
        return render_refined(loaded, whole, camera, background, backend).refined

    return draw


def _polished_drawing(avatar: Avatar) -> DrawPicture:
    from ..gaussians.polish.planes import seen_splats, splat_marks
    from ..gaussians.polish.polish_network import draw_polished, load_polish

    network = load_polish()
    marks = splat_marks(avatar.gaussians, seen_splats(avatar))

    def draw(
        placed: Gaussians, camera: Camera, background: FloatArray | None, backend: str
    ) -> RenderOutput:
        return draw_polished(network, placed, marks, camera, background, backend)

    return draw


def save_still(picture: FloatArray, out: Path) -> None:
    """Write a picture atomically.

    Args:
        picture: [H, W, 3] or, with straight alpha, [H, W, 4]; sRGB 0..1.
        out: the file; its suffix sets the format.

    Raises:
        LikenessError: the folder cannot be written to.
    """
    with atomic_write_files(out.absolute().parent) as scratch:
        save_image(picture, scratch / out.name)
