"""Asking the user whether a fit is right, between tracking and reconstruction.

The worker sends::

    {"type": "question", "kind": "fit", "picture": "….png", "fit": "….npz", "people": 2,
     "person": 1, "warnings": [...], "framing": "half", "face_error": 2.1, "pose_error": 4.0}

and waits for one of ``{"answer": "continue"}``, ``{"answer": "person", "index": 2}`` (counted from
the left from 1), ``{"answer": "adjust", "landmarks": {...}}`` or ``{"answer": "adjust", "pose":
{...}}``, see :meth:`.tracking.adjust.Adjustment.from_answer`. After any but the first it fits
again and asks again. ``picture`` shows the body over the photo, each person numbered; ``fit`` is
what :func:`load_shown_fit` reads, for a scene in which the fit is corrected.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.types import Avatar, BoundGaussians, FloatArray, LikenessError, Track
from ..files.untrusted import read_npz
from ..formats.avatar import avatar_from_bytes, avatar_to_bytes

if TYPE_CHECKING:
    from ..pipeline.build import FitChange, FitCheck
    from ..pipeline.track import TrackedPortrait

WAYS = ("never", "doubt", "always")
PICTURE_SIDE = 640
DOUBTFUL_POSE = 14.0  # pixels at 512 by which the body's landmarks are off

_FRAME, _OTHER = (64, 156, 255), (255, 255, 255)


@dataclass(frozen=True)
class ShownFit:
    """A fit as it is corrected.

    Attributes:
        avatar: without Gaussians; its body has the person's shape, its pose is the fit's.
        landmarks: [33, 2] pixels of the photo.
        visibility: [33] 0..1.
        photo: as a JPEG file.
    """

    avatar: Avatar
    landmarks: FloatArray
    visibility: FloatArray
    photo: bytes


def find_doubts(tracked: TrackedPortrait, person: int | None) -> list[str]:
    """Say why the user should look: several people and none chosen, or a fit that seems wrong.

    In a head portrait the shoulders are all that shows of the body; only the face counts there.
    """
    doubts = list(tracked.track.warnings)
    if tracked.observation.num_people > 1 and person is None:
        doubts = tracked.warnings
    error = tracked.track.pose_error or 0.0
    if error > DOUBTFUL_POSE and tracked.track.framing != "head":
        share = 100 * error / 512
        doubts.append(f"The body's joints are {share:.0f} % of the picture beside the photo's.")
    return doubts


def make_fit_check(
    ask: Callable[..., dict[str, Any]],
    way: str,
    person: int | None,
    folder: Path,
    tell: Callable[..., None],
    begin: Callable[[Callable[[], None]], object] = lambda work: work(),
) -> FitCheck | None:
    """Make the check that asks a user.

    Args:
        ask: sends a question of a kind with its content, and returns the answer.
        way: when to ask, one of ``WAYS``.
        person: the one already chosen, counted from 1; None for the largest.
        folder: for the question's files.
        tell: sends a message of a kind with its content: ``seen`` with the picture, where the fit
            is not doubtful and the user is not asked.
        begin: calls a function without arguments, at once or in another thread: it draws that
            picture.

    Returns:
        The check; None if the user is never asked.

    Raises:
        LikenessError: ``way`` is unknown; the check itself raises it for an answer that it cannot
            use.
    """
    if way not in WAYS:
        raise LikenessError(f"'confirm' cannot be '{way}'.", f"Choose one of: {', '.join(WAYS)}.")
    if way == "never":
        return None
    asked = False

    def check(all_tracked: Sequence[TrackedPortrait]) -> FitChange | None:
        nonlocal asked
        tracked = all_tracked[0]
        picture, fit = folder / "fit.png", folder / "fit.npz"
        doubts = find_doubts(tracked, person)
        if not asked and way == "doubt" and not doubts:

            def show() -> None:
                save_fit_image(tracked, picture)
                tell("seen", picture=str(picture))

            begin(show)
            return None
        save_fit_image(tracked, picture)
        asked = True  # after a change, the result is shown
        observation, track = tracked.observation, tracked.track
        save_shown_fit(tracked, fit)
        answer = ask(
            "fit",
            picture=str(picture),
            fit=str(fit),
            people=observation.num_people,
            person=observation.person_index + 1,
            warnings=list(
                dict.fromkeys([*doubts, *(note for one in all_tracked for note in one.warnings)])
            ),
            framing=track.framing,
            face_error=track.face_error,
            pose_error=track.pose_error,
        )
        return _change(answer, track, observation.num_people)

    return check


def _change(answer: dict[str, Any], track: Track, people: int) -> FitChange | None:
    from ..pipeline.build import FitChange
    from ..tracking.adjust import Adjustment

    said = answer.get("answer")
    if said == "continue":
        return None
    if said == "person":
        index = answer.get("index")
        if not isinstance(index, int) or not 1 <= index <= people:
            raise LikenessError(
                f"There is no person {index} in this photo.", f"Persons count from 1 to {people}."
            )
        return FitChange(person=index)
    if said == "adjust":
        return FitChange(adjustment=Adjustment.from_answer(answer, track))
    raise LikenessError(f"The answer '{said}' is not understood.")


def draw_fit(tracked: TrackedPortrait) -> FloatArray:
    """The body over the photo, with a numbered frame around each person when there are several.

    Args:
        tracked: the photo and its fit.

    Returns:
        [h, w, 3] float32 sRGB 0..1, at most ``PICTURE_SIDE`` pixels high and wide.
    """
    from PIL import Image, ImageDraw, ImageFont

    from ..visual.overlay import draw_overlay

    rgb, track = tracked.portrait.rgb, tracked.track
    height, width = rgb.shape[:2]
    scale = min(1.0, PICTURE_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    photo = Image.fromarray(np.round(255 * np.clip(rgb, 0, 1)).astype(np.uint8))
    small = np.asarray(photo.resize(size, Image.Resampling.LANCZOS), np.float32) / 255
    drawn = draw_overlay(
        small,
        tracked.body,
        track.pose,
        track.betas,
        track.camera.resized(*size),
        track.joint_confidence,
    )
    # The body is translucent, so that it can be compared with the photo under it.
    out = Image.fromarray(np.round(255 * (0.25 * small + 0.75 * drawn)).astype(np.uint8))
    people = tracked.observation.people
    if people is not None and len(people) > 1:
        pen = ImageDraw.Draw(out)
        chosen = tracked.observation.person_index
        font = ImageFont.load_default(max(14, round(max(size) / 26)))
        for k, box in enumerate(people * scale):
            colour = _FRAME if k == chosen else _OTHER
            left, top = (float(max(v, 1.0)) for v in box[:2])
            right, bottom = float(min(box[2], size[0] - 2)), float(min(box[3], size[1] - 2))
            pen.rectangle(
                (left, top, max(right, left), max(bottom, top)),
                outline=colour,
                width=3 if k == chosen else 2,
            )
            tag = pen.textbbox((left + 8, top + 5), str(k + 1), font=font)
            pen.rectangle((left, top, tag[2] + 8, tag[3] + 6), fill=colour)
            ink = (255, 255, 255) if k == chosen else (20, 20, 20)
            pen.text((left + 8, top + 5), str(k + 1), font=font, fill=ink)
    return np.asarray(out, np.float32) / 255


def save_fit_image(tracked: TrackedPortrait, path: Path) -> None:
    """Write :func:`draw_fit` as PNG."""
    from PIL import Image

    picture = np.round(255 * draw_fit(tracked)).astype(np.uint8)
    Image.fromarray(picture).save(path)


def save_shown_fit(tracked: TrackedPortrait, path: Path) -> None:
    """Write what :func:`load_shown_fit` reads."""
    from PIL import Image

    track, observation = tracked.track, tracked.observation
    body = tracked.body.personalised(track.betas)
    alone = Avatar(body, _no_gaussians(), track.pose, track.camera, track.framing)
    encoded = io.BytesIO()
    rgb = np.round(255 * np.clip(tracked.portrait.rgb, 0, 1)).astype(np.uint8)
    Image.fromarray(rgb).save(encoded, "JPEG", quality=90)
    with path.open("wb") as file:
        np.savez(
            file,
            avatar=np.frombuffer(avatar_to_bytes(alone), np.uint8),
            landmarks=observation.pose,
            visibility=observation.pose_visibility,
            photo=np.frombuffer(encoded.getvalue(), np.uint8),
        )


def load_shown_fit(path: Path) -> ShownFit:
    """Read the fit that the worker wrote for the question."""
    file = read_npz(path)
    avatar = avatar_from_bytes(file["avatar"].tobytes(), str(path))
    return ShownFit(avatar, file["landmarks"], file["visibility"], file["photo"].tobytes())


def _no_gaussians() -> BoundGaussians:
    return BoundGaussians(
        triangle=np.zeros(0, np.int32),
        bary=np.zeros((0, 3), np.float32),
        offset=np.zeros((0, 3), np.float32),
        quats=np.zeros((0, 4), np.float32),
        scales=np.zeros((0, 3), np.float32),
        opacities=np.zeros(0, np.float32),
        colors=np.zeros((0, 3), np.float32),
        layer=np.zeros(0, np.uint8),
    )
