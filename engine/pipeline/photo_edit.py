"""An avatar edited by a second portrait, in which the user changed something.

The second portrait is lifted onto the body, pose and camera that were fitted to the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from ..core.color import rgb_to_lab
from ..core.progress import StageTimer
from ..core.settings import overridden_settings, register_settings
from ..core.types import (
    HELD,
    Avatar,
    BoolArray,
    FloatArray,
    IntArray,
    LikenessError,
    Matte,
    Observation,
    Portrait,
    Progress,
)
from ..files.digests import file_sha256
from ..gaussians.lift.grids.pixel_grids import resize_nearest
from ..gaussians.lift.surface.labels import GLASSES, HAIR, HAT, LABELS, NONE, SKIN, WORN
from ..imaging.load import load_portrait
from ..imaging.matting import foreground_colors
from ..imaging.picture_changes import find_changes, load_original, match_frame
from ..render import best_backend
from ..tracking.observation import eye_distance, observe
from ..wardrobe.photo_edit import PhotoEdit, add_photo_edit
from .build import LiftedPortrait, lift_mattes, lift_portrait, refine_avatar
from .options import BuildOptions
from .track import TrackedPortrait, open_detectors, verify_matte


@dataclass(frozen=True)
class PhotoEditSettings:
    """When a second picture is an edited copy of the first."""

    same: float = 0.002  # metres that body and pose may differ from the avatar's
    moved: float = 0.25  # of the eyes' distance that the face may seem to move
    everywhere: float = 0.6  # share of the background and of the person: more is another picture
    background: float = 0.2  # share of the background from which on it was edited itself
    within: float = 0.8  # share of an edit on cloth or hair that then only has other colors
    hat: float = 0.12  # area of the least hat, of the face's squared height
    on_top: float = 0.85  # share of a hat that lies above the brows
    all_hair: float = 0.8  # share of the hair from which on an edit within it is its new colour
    other_color: float = 12.0  # CIE L*a*b* units between a hat and hair or skin
    grow: float = 0.003  # of the longer side: the soft rim of edits
    thick: float = 0.004  # of the longer side, half of the least thickness of worn things
    near: float = 0.004  # of the longer side around edits that gets its matte anew


_FOREHEAD, _CHIN, _BROWS = 10, 152, [105, 334]
"""Rows of the face's landmarks."""

S = register_settings("pipeline.photo_edit", PhotoEditSettings())


def edit_from_photo(
    avatar: Avatar,
    portrait: Path,
    edited: Path,
    part: str | None = None,
    value: float = 1.0,
    progress: Progress | None = None,
    source: Mapping[str, Any] | None = None,
) -> Avatar:
    """Put on an avatar what differs between its portrait and an edited copy of it.

    Args:
        avatar: with its attributes.
        portrait: from which it was built.
        edited: the same frame, at any size.
        part: what was edited, of ``core.attributes.NAMES``; None: what the picture shows.
        value: of the new attribute's slider.
        progress: called with the stage, 0..1 and a message.
        source: of the edited picture, for the avatar's provenance.

    Raises:
        LikenessError: a picture cannot be read, the portrait is not the avatar's, the pictures show
            different frames or people or do not differ, or the avatar was built in a way that
            cannot be repeated.
    """
    photo = load_original(portrait, avatar.provenance)
    options = find_build_options(avatar)
    with overridden_settings(options.settings):
        stages = StageTimer(progress)
        second = match_frame(photo, load_portrait(edited))
        changed = find_changes(photo, second)
        if not changed.any():
            raise LikenessError(
                f"'{edited}' shows nothing that '{portrait}' does not.",
                "Save the picture in which you changed something.",
            )
        before = lift_portrait(portrait, options, stages=stages)
        _check_body(avatar, before.avatar, portrait)
        with stages("detect", "looking at the edited picture"):
            seen = _observe_again(second, before.tracked.observation)
            _check_frame(before, seen, changed, edited)
        after, shown = _lift_edited(before, second, seen, changed, part, options, stages)
    made = {"from": edited.name, "sha256": file_sha256(edited), **(source or {})}
    edit = PhotoEdit(after, _grow(changed, S.grow), _find_person(before.matte), shown, made, part)
    return add_photo_edit(avatar, edit, value)


def find_build_options(avatar: Avatar) -> BuildOptions:
    """Find the options with which an avatar was built.

    Args:
        avatar: with its provenance.

    Raises:
        LikenessError: they cannot be repeated from one portrait.
    """
    provenance = avatar.provenance
    recorded: dict[str, Any] = dict(provenance.get("options", {}))
    if provenance.get("others"):
        what = "several photos"
    elif any(recorded.get(name) for name in ("estimator", "smplx", "sapiens")):
        what = "estimates of other programs"
    elif recorded.get("network") not in ("default", "none"):
        what = "a network of its own"
    else:
        return BuildOptions(**recorded)
    raise LikenessError(
        f"The avatar was built from {what}, and an edited portrait needs one that was not.",
        "Build an avatar from the portrait alone, and edit that.",
    )


def _check_body(avatar: Avatar, again: Avatar, portrait: Path) -> None:
    """Check that the body fitted to the portrait now is the avatar's.

    Raises:
        LikenessError: it is not.
    """
    vertices, others = (one.body.vertices(one.pose)[0] for one in (avatar, again))
    same = avatar.body.f.shape == again.body.f.shape and vertices.shape == others.shape
    if not same or np.abs(vertices - others).max() > S.same:
        raise LikenessError(
            f"The body that is fitted to '{portrait}' now is not the avatar's: another version of "
            "Likeness built it, or its fit was corrected by hand.",
            "Build the avatar again, and edit that.",
        )


def _observe_again(second: Portrait, first: Observation) -> Observation:
    """What the detectors see of the same person in the edited picture."""
    seen = observe(second, open_detectors())
    if seen.person_index != first.person_index and seen.num_people > first.person_index:
        seen = observe(second, open_detectors(), first.person_index)
    return seen


def _check_frame(
    before: LiftedPortrait, seen: Observation, changed: BoolArray, edited: Path
) -> None:
    """Check that the edited picture shows the same person in the same place.

    Raises:
        LikenessError: it does not.
    """
    first, person = before.tracked.observation, before.matte.alpha > 0.5
    moved = 0.0
    if first.face is not None and seen.face is not None:
        steps = np.linalg.norm(seen.face - first.face, axis=1)
        moved = float(np.median(steps)) / eye_distance(first.face)
    everywhere = min(float(changed[person].mean()), float(changed[~person].mean()))
    if moved > S.moved or everywhere > S.everywhere:
        raise LikenessError(
            f"'{edited}' shows another picture than '{before.tracked.portrait.path}'.",
            "Edit a copy of the portrait, and keep person, pose and frame.",
        )


def _lift_edited(
    before: LiftedPortrait,
    second: Portrait,
    seen: Observation,
    changed: BoolArray,
    part: str | None,
    options: BuildOptions,
    stages: StageTimer,
) -> tuple[Avatar, BoolArray]:
    """The edited picture as Gaussians on the body of the first, and its person [H, W].

    Raises:
        LikenessError: it cannot be lifted.
    """
    first = before.tracked
    observation = replace(first.observation, person_mask=seen.person_mask)
    tracked = replace(first, portrait=second, observation=observation)
    with stages("matte", "separating the person"):
        person = first.body.personalised(first.track.betas)
        alone, _ = verify_matte(tracked, person, options.held)
        matte = _join_mattes(before.matte, alone, second.rgb, changed)
    known = _known_labels(before, second.rgb, changed, part)
    after = lift_mattes(
        [tracked], [matte], options, stages=stages, same_as=before.lift, known=known
    )
    if options.refine == "off":
        return after.avatar, _find_person(after.wanted)
    with stages("refine", "fitting to the photo"):
        progress = stages.within("refine")
        level = options.refine
        avatar = refine_avatar(after.avatar, after.wanted, level, best_backend(), progress)
    return avatar, _find_person(after.wanted)


def _grow(mask: BoolArray, share: float) -> BoolArray:
    """A mask [H, W] with what lies around it, to a share of the longer side."""
    return np.asarray(
        ndimage.binary_dilation(mask, iterations=max(1, round(share * max(mask.shape))))
    )


def _find_person(matte: Matte) -> BoolArray:
    """[H, W] pixels that show the person with its wisps, not what hides it."""
    person = _grow(np.asarray(matte.alpha > 0.5), S.near)
    return person if matte.held is None else person & (matte.held != HELD.index("removed"))


def _known_labels(
    before: LiftedPortrait, rgb: FloatArray, changed: BoolArray, part: str | None
) -> IntArray:
    """[H, W] labels of the edited picture that need not be found, NONE elsewhere.

    They are those of the first picture where nothing was edited, and where only the colour of
    cloth or hair was.

    Args:
        before: the lift of the first picture.
        rgb: [H, W, 3] the edited picture, 0..1.
        changed: [H, W] pixels that were edited.
        part: what was edited, if the user said so.
    """
    assert before.lift is not None
    assert before.lift.labels is not None
    first = resize_nearest(before.lift.labels, changed.shape)
    first[first == GLASSES] = NONE
    known = np.where(_grow(changed, S.grow), NONE, first)
    if part is not None and part in LABELS:
        known[changed] = LABELS.index(part)
        return known
    numbers, count = ndimage.label(changed)
    for k in range(1, count + 1):
        patch = numbers == k
        if _is_hat(patch, first, before.tracked, rgb):
            known[patch] = HAT
            continue
        for label in WORN:
            if (first[patch] == label).mean() > S.within:
                known[patch & (first == label)] = label
    return known


def _is_hat(patch: BoolArray, first: IntArray, tracked: TrackedPortrait, rgb: FloatArray) -> bool:
    """Whether an edit [H, W] is a hat: on top of the head, in another colour than hair and skin.

    A new colour of the hair is on all of it, a hat on what is above its rim.
    """
    face, hair = tracked.observation.face, first == HAIR
    if face is None:
        return False
    points = face[:, ::-1]  # row and column, as the pixels
    up = points[_FOREHEAD] - points[_CHIN]
    height = float(np.linalg.norm(up))
    rows = np.argwhere(patch)
    above = (rows - points[_BROWS].mean(0)) @ up / height**2
    if len(rows) < S.hat * height**2 or (above > 0).mean() < S.on_top:
        return False
    if (hair & patch).sum() > S.all_hair * hair.sum() and hair[patch].mean() > S.within:
        return False
    color = np.median(rgb_to_lab(rgb[patch]), axis=0)
    near = [
        np.median(rgb_to_lab(tracked.portrait.rgb[own]), axis=0)
        for own in (hair, first == SKIN)
        if own.any()
    ]
    return all(np.linalg.norm(color - other) > S.other_color for other in near)


def _join_mattes(first: Matte, second: Matte, rgb: FloatArray, changed: BoolArray) -> Matte:
    """The matte of the first picture, and that of the second where it was edited."""
    near, side = _grow(changed, S.near), max(changed.shape)
    person = first.alpha > 0.5
    alpha, foreground = second.alpha, second.foreground
    if changed[~person].mean() < S.background:
        # Something drawn beside the person is worn, even if it looks like no person.
        thick = max(1, round(S.thick * side))  # thinner is the soft rim of what the matte has
        added = ndimage.binary_opening(changed & ~person & (alpha < 0.5), iterations=thick)
        numbers, _ = ndimage.label(added | (changed & person))
        added &= np.isin(numbers, np.unique(numbers[changed & person]))
        share = np.asarray(ndimage.gaussian_filter(added.astype(np.float32), 1.0))
        alpha = np.maximum(alpha, share)
        foreground = foreground_colors(rgb, alpha)
    held = first.held
    if held is not None and second.held is not None:
        held = np.where(near, second.held, held)
    return replace(
        first,
        alpha=np.asarray(np.where(near, alpha, first.alpha), np.float32),
        foreground=np.asarray(np.where(near[..., None], foreground, first.foreground), np.float32),
        held=held,
    )
