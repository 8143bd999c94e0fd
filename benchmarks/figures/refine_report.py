"""What refining gains in the photo's view, and what it costs in all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ...engine.core.types import Avatar, Gaussians, Matte
from ...engine.gaussians.refine.refine_gaussians import REFINE_LEVELS
from ...engine.imaging.resize import resize
from ...engine.tracking.detectors import Detectors
from ...engine.visual.view_cameras import orbit_centre
from .face_movement import (
    FaceView,
    eye_distance,
    find_faces,
    find_photo_face,
    head_cameras,
    measure_movement,
    measure_noise,
)
from .side_view_metrics import (
    RenderedView,
    RimMetrics,
    measure_rim,
    measure_speckle,
    render_turned,
    view_psnr,
)

PSNR_FLOORS = {
    "off": {},
    "fast": {"full": 25.0, "half": 29.0, "head": 30.5},
    "full": {"full": 27.0, "half": 31.0, "head": 33.0},
}
"""dB of the input view's foreground, medians of each framing."""
SSIM_FLOORS = {"fast": 0.955, "full": 0.965}
MAX_SECONDS = {"fast": 25.0}
MAX_MOVED = 2.0
"""% of the distance between the eyes that a face may move in any view, for any portrait."""
MAX_HALF_LOSS = 1.5
"""dB of the input view, of any portrait, that the less important half of the splats is worth."""
MAX_PALE = 0.3
"""% of white by which a rim may grow paler than the lift's in any view: less is invisible."""


@dataclass(frozen=True)
class LiftBaseline:
    """The lift, drawn once: every level of refining is compared with it.

    Attributes:
        views: by yaw.
        pale: yaw -> paleness of its rim, or of the photo's own rim if that is paler: light along
            an edge should be copied.
        faces: by yaw, None where the detectors saw none.
        eye_pixels: distance between the eyes in the faces' renders.
        noise: by yaw, % of that.
        photo: the face in the photo.
        off_photo: how far the lift's face is from it, % of the same.
    """

    views: dict[int, RenderedView]
    pale: dict[int, float]
    faces: dict[int, FaceView | None]
    eye_pixels: float
    noise: dict[int, float]
    photo: FaceView | None
    off_photo: float | None


@dataclass(frozen=True)
class RefineResult:
    """One portrait at one level.

    Attributes:
        kind: framing.
        seconds: of refining alone.
        build_seconds: of the whole build.
        psnr: of the input view's foreground, as in :func:`input_view_figures`.
        ssim: of the input view.
        iou: of the input view's silhouette.
        moved: yaw -> % of the eyes' distance that the face moved; None where it was lost.
        noise: the same for the unchanged avatar in other pixels.
        unseen: yaws without a face before refining.
        rims: yaw -> its rim.
        pale: yaw -> how much paler than the lift's (in the photo's view: than the photo's own),
            in % of white.
        speckle: yaw -> energy of lone pixels over the lift's.
        change: yaw -> dB to the lift.
        off_photo: % of the eyes' distance between the landmarks in the photo and in its view, of
            the lift and of this avatar: a face that moved may have moved to its place.
        half_loss: dB of the input view that half of the splats lose, if that was measured.
    """

    name: str
    kind: str
    level: str
    seconds: float
    build_seconds: float
    psnr: float
    ssim: float
    iou: float
    moved: dict[int, float | None] = field(default_factory=dict)
    noise: dict[int, float] = field(default_factory=dict)
    rims: dict[int, RimMetrics] = field(default_factory=dict)
    pale: dict[int, float] = field(default_factory=dict)
    speckle: dict[int, float] = field(default_factory=dict)
    change: dict[int, float] = field(default_factory=dict)
    off_photo: tuple[float | None, float | None] = (None, None)
    half_loss: float | None = None

    @property
    def most_moved(self) -> float | None:
        """Movement in the worst view; infinite when a face was lost, None when there was none."""
        if not self.moved:
            return None
        return max(float("inf") if m is None else m for m in self.moved.values())

    @property
    def palest(self) -> float | None:
        return max(self.pale.values(), default=None)

    @property
    def most_speckled(self) -> float | None:
        """Speckle of the worst view except the photo's; in the photo's own, detail is gained."""
        return max((s for yaw, s in self.speckle.items() if yaw), default=None)


def measure_lift(
    avatar: Avatar, still: Gaussians, matte: Matte, detectors: Detectors
) -> LiftBaseline:
    """Draw the lift from all sides.

    Args:
        avatar: as lifted.
        still: its Gaussians in the photo's pose.
        matte: of the photo.
        detectors: of faces and landmarks.
    """
    cameras = head_cameras(avatar)
    faces = find_faces(still, cameras, detectors)
    front = head_cameras(avatar, (0,))[0]
    eye_pixels = eye_distance(avatar, front)
    photo = find_photo_face(matte, avatar.camera, front, detectors)
    off_photo = None if photo is None else measure_movement(still, photo, eye_pixels, detectors)
    alone = {
        yaw: measure_noise(still, face, eye_pixels, detectors)
        for yaw, face in faces.items()
        if face
    }
    views = render_turned(still, avatar.camera, orbit_centre(still, avatar.camera))
    known = {yaw: value for yaw, value in alone.items() if value is not None}
    pale = {yaw: measure_rim(*view).pale for yaw, view in views.items()}
    height, width = views[0].alpha.shape
    light = resize(matte.foreground * matte.alpha[..., None], width, height)
    pale[0] = max(pale[0], measure_rim(light, resize(matte.alpha, width, height)).pale)
    return LiftBaseline(views, pale, faces, eye_pixels, known, photo, off_photo)


def measure_sides(
    avatar: Avatar, lift: Gaussians, refined: Gaussians, before: LiftBaseline, detectors: Detectors
) -> dict[str, Any]:
    """The fields of :class:`RefineResult` from ``moved`` to ``view_psnr``.

    Args:
        avatar: as lifted.
        lift: its Gaussians in the photo's pose, in world space.
        refined: the refined Gaussians, in the same pose and space.
        before: the lift's figures.
        detectors: of faces and landmarks.
    """
    # About the lift's centre, so that the cameras are the same.
    after = render_turned(refined, avatar.camera, orbit_centre(lift, avatar.camera))
    rims = {yaw: measure_rim(*view) for yaw, view in after.items()}
    return {
        "moved": {
            yaw: measure_movement(refined, face, before.eye_pixels, detectors)
            for yaw, face in before.faces.items()
            if face
        },
        "noise": before.noise,
        "off_photo": (
            before.off_photo,
            before.photo and measure_movement(refined, before.photo, before.eye_pixels, detectors),
        ),
        "rims": rims,
        "pale": {yaw: rims[yaw].pale - pale for yaw, pale in before.pale.items()},
        "speckle": {
            yaw: measure_speckle(*after[yaw]) / max(measure_speckle(*view), 1e-6)
            for yaw, view in before.views.items()
        },
        "change": {yaw: view_psnr(*view, *after[yaw]) for yaw, view in before.views.items() if yaw},
    }


def summarize(results: Sequence[RefineResult]) -> dict[str, Any]:
    """JSON-able medians of each framing by level, and the worst portrait of each harm."""
    out: dict[str, Any] = {}
    for level in REFINE_LEVELS:
        some = [r for r in results if r.level == level]
        if not some:
            continue
        by_kind = {}
        for kind in ("full", "half", "head"):
            kin = [r for r in some if r.kind == kind]
            if kin:
                by_kind[kind] = {
                    "portraits": len(kin),
                    "psnr": median(r.psnr for r in kin),
                    "ssim": median(r.ssim for r in kin),
                    "iou": median(r.iou for r in kin),
                    "seconds": median(r.seconds for r in kin),
                }
        losses = [r.half_loss for r in some if r.half_loss is not None]
        out[level] = {
            "by_framing": by_kind,
            "ssim": median(r.ssim for r in some),
            "seconds": median(r.seconds for r in some),
            "seconds_max": max(r.seconds for r in some),
            "build_seconds": median(r.build_seconds for r in some),
            "moved_max": _worst(r.most_moved for r in some),
            "pale_max": _worst(r.palest for r in some),
            "speckle_max": _worst(r.most_speckled for r in some),
            "half_loss": median(losses) if losses else None,
            "half_loss_max": max(losses, default=None),
        }
    return out


def list_shortfalls(figures: dict[str, Any]) -> list[str]:
    """The floors that a summary misses, a sentence each."""
    out = []
    for level, values in figures.items():
        for kind, floor in PSNR_FLOORS[level].items():
            have = values["by_framing"].get(kind, {}).get("psnr")
            if have is not None and have < floor:
                out.append(f"{level}, {kind}: {have:.2f} dB, not {floor:g}")
        ssim = SSIM_FLOORS.get(level)
        if ssim is not None and values["ssim"] < ssim:
            out.append(f"{level}: SSIM {values['ssim']:.4f}, not {ssim:g}")
        most = MAX_SECONDS.get(level)
        if most is not None and values["seconds"] > most:
            out.append(f"{level}: {values['seconds']:.1f} s, not {most:g}")
        if (values["moved_max"] or 0) > MAX_MOVED:
            out.append(f"{level}: a face moved {values['moved_max']:.2f} %, not {MAX_MOVED:g}")
        if (values["pale_max"] or 0) > MAX_PALE:
            out.append(f"{level}: a rim {values['pale_max']:.2f} % paler, not {MAX_PALE:g}")
        if (values["half_loss_max"] or 0) > MAX_HALF_LOSS:
            lost = values["half_loss_max"]
            out.append(f"{level}: half the splats lose {lost:.2f} dB, not {MAX_HALF_LOSS:g}")
    return out


def format_header() -> str:
    """The table's first line."""
    return (
        f"{'portrait':<30}{'level':<6}{'s':>7}{'fg dB':>8}{'SSIM':>8}{'IoU':>7}"
        f"{'moved % (noise)':>18}{'off photo %':>13}{'paler %':>9}{'fog %':>7}{'holes':>7}"
        f"{'speckle':>9}{'dB at 40/90/180':>18}{'half':>7}"
    )


def format_row(r: RefineResult) -> str:
    """One line of the table: the worst view of each figure."""
    noise_ = max(r.noise.values(), default=None)
    dB = "/".join(_number(min(_at(r.change, yaw), default=None), 1) for yaw in (40, 90, 180))
    return (
        f"{r.name:<30}{r.level:<6}{r.seconds:>7.1f}{r.psnr:>8.2f}{r.ssim:>8.4f}{r.iou:>7.3f}"
        f"{_number(r.most_moved, 2) + ' (' + _number(noise_, 2) + ')':>18}"
        f"{'>'.join(_number(value, 1) for value in r.off_photo):>13}{_number(r.palest, 2):>9}"
        f"{_number(max((x.fog for x in r.rims.values()), default=None), 2):>7}"
        f"{_number(max((x.holes for x in r.rims.values()), default=None), 2):>7}"
        f"{_number(r.most_speckled, 2):>9}{dB:>18}{_number(r.half_loss, 2):>7}"
    )


def format_details(r: RefineResult) -> str:
    """The views of one portrait, a line for each figure."""
    off = " to ".join(_number(value, 2) for value in r.off_photo)
    lines = [f"    face moved {_views(r.moved)}; noise {_views(r.noise)}; off the photo {off}"]
    lines.append(f"    rim {_views({yaw: x.pale for yaw, x in r.rims.items()})}")
    lines.append(f"    paler {_views(r.pale)}; speckle {_views(r.speckle)}")
    return "\n".join(lines)


def format_summary(figures: dict[str, Any]) -> str:
    """The medians, below the table."""
    lines = []
    for level, values in figures.items():
        kinds = "; ".join(
            f"{kind} {v['psnr']:.2f} dB, SSIM {v['ssim']:.4f}, IoU {v['iou']:.3f}"
            for kind, v in values["by_framing"].items()
        )
        lines.append(
            f"{level:<5}{values['seconds']:.1f} s (build {values['build_seconds']:.1f} s): "
            f"{kinds}; SSIM {values['ssim']:.4f}; "
            f"worst: face moved {_number(values['moved_max'], 2)} %, "
            f"rim {_number(values['pale_max'], 2)} % paler, "
            f"speckle {_number(values['speckle_max'], 2)} times, "
            f"half the splats lose {_number(values['half_loss_max'], 2)} dB "
            f"(median {_number(values['half_loss'], 2)})"
        )
    return "\n".join(lines)


def _at(values: dict[int, float], yaw: int) -> list[float]:
    return [value for at, value in values.items() if abs(at) == yaw]


def _views(values: dict[int, Any]) -> str:
    return ", ".join(f"{yaw:+d}: {_number(v, 2)}" for yaw, v in sorted(values.items()))


def _worst(values: Any) -> float | None:
    known = [v for v in values if v is not None]
    return max(known) if known else None


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
