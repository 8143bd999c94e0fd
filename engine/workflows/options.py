"""The options of tracking, speech, clips, exports and batches; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.options import check_options, option
from ..formats.vrm_options import VrmOptions as VrmOptions
from ..motion.swing_options import SwingOptions as SwingOptions
from ..pipeline.options import (
    camera_pitch_option,
    estimator_option,
    fov_option,
    person_option,
    sapiens_option,
    smplx_option,
)

if TYPE_CHECKING:
    from ..core.types import FloatArray, Pose
    from ..pipeline.track import ExtraView

CAMERAS = ("fixed", "follow", "input", "motion")
CONTENTS = ("both", "splats", "mesh")
PLACES = ("floor", "photo")
LAYOUTS = ("grid", "scattered")
TURNTABLE_SECONDS = 4.0


@dataclass(frozen=True)
class TrackOptions:
    """What a user may choose for tracking a photo or video.

    Attributes:
        person: which of several people, counted from the left from 1; the largest if None.
        fov: field of view along the longer side in degrees, if it is known.
        camera_pitch: degrees by which the camera looks down, if that is known.
        start: second at which to begin with a video.
        end: second at which to stop a video; its end if None.
        max_frames: upper limit of the frames tracked in a video.
        resume: continue a video where an earlier run was stopped.
        estimates: other programs' poses to begin with (docs/ESTIMATORS.md). For videos: motion
            files, or names with ``{frame}``.
        smplx: the user's own SMPL-X model file, which some of them need.
        sapiens: folder of a Sapiens2 pose model whose keypoints are used for a photo.
        others: more photos of the same person, for their shape.

    Raises:
        LikenessError: a value is not allowed; the option and what it must be are named.
    """

    person: int | None = person_option()
    fov: float | None = fov_option(
        "Field of view along the longer side, in degrees; else the photo's EXIF, else a guess."
    )
    camera_pitch: float | None = camera_pitch_option()
    start: float = option(0.0, help="Time at which to begin with a video.", unit="seconds", min=0)
    end: float | None = option(
        None, help="Time at which to stop a video; its end if not given.", unit="seconds", min=0
    )
    max_frames: int | None = option(
        None, help="Upper limit of the frames tracked in a video.", metavar="N", min=1
    )
    resume: bool = option(
        True, help="Continue a video where an earlier run was stopped (the default), or start anew."
    )
    estimates: tuple[Path, ...] = estimator_option()
    smplx: Path | None = smplx_option()
    sapiens: Path | None = sapiens_option()
    others: tuple[ExtraView, ...] = ()

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class SpeakOptions:
    """What a user may choose for a face that speaks.

    Attributes:
        text: what is said; a text aligned with the sound is surer than recognised words.
        text_file: a UTF-8 text file, instead of ``text``.
        language: of the speech; the recogniser knows English, others go by energy and formants.
        fps: frames a second of the motion.
        cue_fps: frames a second of a Moho switch (.dat), which does not say.
        strength: factor of how far the mouth moves.
        head: factor of how far the head moves.
        blinks: whether the eyes blink.
        seed: of the blinks and of the head's slow movement.

    Raises:
        LikenessError: a value is not allowed; the option and what it must be are named.
    """

    text: str | None = option(
        None, help="Spoken words, in English, for more accurate lip sync.", metavar="TEXT"
    )
    text_file: Path | None = option(None, help="Text file (UTF-8) with the words.", metavar="FILE")
    language: str = option(
        "en",
        help="Language of the speech. The recogniser knows English; in any other the mouth follows "
        "energy and formants.",
        metavar="CODE",
        show_default=True,
    )
    fps: float = option(
        30.0,
        help="Frames per second of the motion.",
        metavar="RATE",
        min=10,
        max=240,
        show_default=True,
    )
    cue_fps: float = option(
        24.0,
        help="Frames per second of a Moho switch (.dat), which does not say.",
        metavar="RATE",
        min=1,
        max=240,
        show_default=True,
    )
    strength: float = option(
        1.0, help="How far the mouth moves.", metavar="FACTOR", min=0, max=2, show_default=True
    )
    head: float = option(
        1.0,
        help="How far the head moves; 0 keeps it still.",
        metavar="FACTOR",
        min=0,
        max=3,
        show_default=True,
    )
    blinks: bool = option(True, help="Blink (the default).")
    seed: int = option(
        0,
        help="Number from which blinks and the head's movement are drawn.",
        metavar="N",
        min=0,
        show_default=True,
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class ClipOptions:
    """What a user may choose for a clip.

    Attributes:
        motion: a motion file; None for a turntable of a standing figure.
        turntable: whether the camera circles.
        turns: number of circles; negative: the other way round.
        seconds: duration of a turntable without a motion.
        start: second of the motion at which to begin, as in :func:`.motion.reenact.trim_motion`.
        end: second of the motion at which to stop; None for its end.
        every: keep one frame of the motion in this many.
        fps: frames a second of the clip; None for the motion's own, or 30.
        speed: 0.5 is slow motion.
        up: ``y``, ``z`` or ``-y``, or ``auto`` to guess it from the motion.
        swing: how far long hair and skirts swing with the motion (docs/swing.md).
        camera: one of ``CAMERAS``: a fixed one that holds the whole clip, one that follows, the
            photo's, or the motion's own.
        yaw: degrees by which a ``fixed`` or ``follow`` camera stands to the body's left.
        pitch: degrees by which it stands above.
        focus: what it shows: ``head``, ``upper`` or ``full``; None: what the photo shows.
        width: pixels; None follows from the height or the camera.
        height: pixels; None follows from the width or the camera.
        refiner: folder of the network that made the avatar, whose refiner finishes the pictures.
        polish: whether the polishing network finishes them instead.
        light: picture of the surroundings that light the person; None for the photo's light. On a
            turntable the person turns in that light.
        light_turn: degrees by which the surroundings are turned.
        light_exposure: stops by which they are brighter.
        relight: 0..1, from the photo's light to theirs.
        background: [3] sRGB in 0..1, or None for transparency.
        pose: of a turntable without a motion; None for the photo's.
        expression: weights by name, which replace the pose's or motion's own.
        backend: of ``render.rasterize``.
    """

    motion: Path | None = option(None, help="Motion file to make a clip of.", metavar="NPZ")
    turntable: bool = option(False, help="Make a clip that circles the avatar.")
    turns: float = option(
        1.0,
        help="Number of turns; negative for the other direction.",
        metavar="N",
        min=-1000,
        max=1000,
        show_default=True,
    )
    seconds: float = option(
        TURNTABLE_SECONDS,
        help="Duration of a turntable; with --motion it lasts as long as the motion.",
        unit="seconds",
        min=0,
        min_open=True,
        max=3600,
        show_default=True,
    )
    start: float = option(
        0.0, help="Time at which to begin with the motion.", unit="seconds", min=0
    )
    end: float | None = option(
        None, help="Time at which to stop the motion; its end if not given.", unit="seconds", min=0
    )
    every: int = option(1, help="Take one frame in N of a motion.", metavar="N", min=1)
    fps: float | None = option(
        None,
        help="Frames per second of the clip; motions keep their speed. The file's rate, or 30, if "
        "not given.",
        metavar="RATE",
        min=1,
        max=240,
    )
    speed: float = option(
        1.0,
        help="Speed of the motion; 0.5 is slow motion.",
        metavar="FACTOR",
        min=0.01,
        max=100,
        show_default=True,
    )
    up: str = option(
        "auto",
        help="Axis of the motion file that points up: z in AMASS, -y in many trackers' files; "
        "guessed from the motion if not given.",
        choices=("auto", "y", "z", "-y"),
    )
    swing: float = option(
        0.0,
        help="Factor of how far long hair and skirts swing with the motion; 0: they keep to the "
        "body.",
        metavar="FACTOR",
        min=0,
        max=3,
        show_default=True,
    )
    camera: str = option(
        "fixed",
        help="Camera: one that stays and holds the whole clip (the default of clips), one that "
        "follows, the photo's (the default of pictures), or the one that the motion was filmed "
        "with.",
        choices=CAMERAS,
    )
    yaw: float = option(
        0.0,
        help="Angle of the camera around the body; 30 shows more of its left side.",
        unit="degrees",
        min=-360,
        max=360,
    )
    pitch: float = option(
        0.0,
        help="Angle of the camera from above; negative: from below.",
        unit="degrees",
        min=-90,
        max=90,
    )
    focus: str | None = option(
        None, help="Part of the body to show.", choices=("head", "upper", "full")
    )
    width: int | None = option(
        None,
        help="Width of the picture. One side alone keeps the proportions, or makes a square; "
        "neither: 768, or the photo's size.",
        unit="pixels",
        min=1,
        max=8192,
    )
    height: int | None = option(
        None, help="Height of the picture, as --width.", unit="pixels", min=1, max=8192
    )
    refiner: Path | None = option(
        None,
        help="Folder of the GUAVA network that made the avatar: its refiner finishes the pictures. "
        "Needs torch.",
        metavar="DIR",
    )
    polish: bool = option(
        False,
        help="Smooth blotches and streaks out of what the photo does not show squarely, by a small "
        "network.",
    )
    light: Path | None = option(
        None,
        help="Picture of the surroundings (.exr or .hdr, lat-long) that lights the person instead "
        "of the photo's light.",
        metavar="FILE",
    )
    light_turn: float = option(
        0.0,
        help="Angle by which the surroundings are turned, counter-clockwise from above; 90 brings "
        "what was before the person to the person's left.",
        unit="degrees",
        min=-360,
        max=360,
    )
    light_exposure: float = option(
        0.0,
        help="Brightness of the surroundings; each stop doubles it.",
        unit="stops",
        min=-20,
        max=20,
    )
    relight: float = option(
        1.0, help="Share of the surroundings' light; 0 keeps the photo's.", min=0, max=1
    )
    background: FloatArray | None = None
    pose: Pose | None = None
    expression: dict[str, float] | None = None
    backend: str = "cpu"


@dataclass(frozen=True)
class ExportOptions:
    """What a user may choose for an export.

    Attributes:
        content: ``splats``, the rigged ``mesh``, or ``both``, for files that can hold both.
        up: axis of PLY files that points up, one of ``formats.ply.UPS``.
        place: ``floor``: the person stands on the floor at the origin. ``photo``: where the photo
            was taken, with the camera at the origin.
        texture: side of the mesh's texture in pixels.
        albedo: whether colours are without the photo's light (docs/relight.md).
        swing: how far long hair and skirts swing in splats of a motion (docs/swing.md).
        name: of the objects in the file.
        vrm: author and licence of a .vrm, which needs them.
    """

    content: str = option(
        "both", help="Content of a .glb, .usda or .usdz; both if not given.", choices=CONTENTS
    )
    up: str = option(
        "-y",
        help="Axis of a PLY file that points up: -y as viewers of splats expect it, y as here, z "
        "as in Blender.",
        choices=("-y", "y", "z"),
        show_default=True,
    )
    place: str = option(
        "floor",
        help="Place of the person: on the floor at the origin, or where it was photographed, with "
        "the camera at the origin.",
        choices=PLACES,
        show_default=True,
    )
    texture: int = option(
        2048, help="Side of the mesh's texture.", unit="pixels", min=64, max=8192, show_default=True
    )
    albedo: bool = option(
        False,
        help="Write colours without the photo's light (albedo), for programs that light the "
        "person.",
    )
    swing: float = option(
        0.0,
        help="Factor of how far long hair and skirts swing, in one file of splats for each frame "
        "of a motion; 0: they keep to the body.",
        metavar="FACTOR",
        min=0,
        max=3,
        show_default=True,
    )
    name: str = "Avatar"
    vrm: VrmOptions | None = None


@dataclass(frozen=True)
class BatchOptions:
    """What a batch makes of each portrait.

    Attributes:
        formats: files besides the avatar, of ``batch.result_formats.RESULT_FORMATS``.
        preview: also draw preview.png.
        force: make portraits again even if they are complete.
        tries: how often a unit is begun that fails through no fault of the user.
    """

    formats: tuple[str, ...] = ()
    preview: bool = option(True, help="Also draw preview.png of each avatar (the default).")
    force: bool = False
    tries: int = 2


@dataclass(frozen=True)
class CrowdOptions:
    """What a user may choose for a crowd.

    Attributes:
        count: of its members.
        splats: upper limit of the splats of each.
        layout: of :data:`LAYOUTS`.
        spacing: metres between neighbours.
        turn: degrees by which members turn away from the front, to either side.
        seed: of all that is random.

    Raises:
        LikenessError: a value is not allowed; the option and what it must be are named.
    """

    count: int = option(20, help="Number of people.", metavar="N", min=1, max=1000)
    splats: int = option(
        10_000, help="Upper limit of each person's splats.", metavar="N", min=100, max=262_144
    )
    layout: str = option("scattered", help="Arrangement of the people.", choices=LAYOUTS)
    spacing: float = option(1.1, help="Distance of neighbours.", unit="metres", min=0.2, max=100.0)
    turn: float = option(
        30.0, help="Angle by which people turn to either side.", unit="degrees", min=0.0, max=180.0
    )
    seed: int = option(0, help="Random seed.", metavar="N", min=0)

    def __post_init__(self) -> None:
        check_options(self)
