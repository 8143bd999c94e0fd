"""The tracker against synthetic people in shards, of whom everything is known.

``benchmarks/tracking.py`` measures the same figures on people that it draws itself.
"""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np

from ...body import Body
from ...core.types import LikenessError
from ...dataset.groups import angle_bin, angle_magnitude, subject_groups
from ...dataset.spaces import photo_transform, transform_camera, transform_pose
from ...dataset.subjects import InvalidSampleError, Subject
from ...pipeline.track import track_image
from ...render.mesh import rasterize_mesh
from ...visual.overlay import OverlayPainter
from ..people.figures import measure_person
from ..people.person_render import Truth, visible_joints, visible_vertices
from .context import ProtocolContext
from .crossview import pick_evenly
from .items import REFERENCE, TRUTH, Figures, MeasuredView, MeasureFailure
from .observed_photos import make_portrait

TRACKING, TRACKER = "tracking", "tracker"
USUAL_VIEWS = 2

FIGURES: dict[str, tuple[str, int, bool]] = {
    "found": ("found", 3, True),
    "pve_mm": ("PVE, pelvis on pelvis, mm", 1, False),
    "pa_pve_mm": ("PA-PVE, mm", 1, False),
    "joints_mm": ("joints, mm", 1, False),
    "joints_px": ("joints in 2D, px at 512", 2, False),
    "face_mm": ("face, mm", 2, False),
    "face_px": ("face in 2D, px at 512", 2, False),
    "hands_px": ("finger tips in 2D, px at 512", 2, False),
    "head_deg": ("head, degrees", 2, False),
    "trunk_deg": ("trunk, degrees", 2, False),
    "gaze_deg": ("gaze, degrees", 2, False),
    "depth_pct": ("distance from the camera, %", 1, False),
    "outside_pct": ("body beside the person, %", 2, False),
    "uncovered_pct": ("person beside the body, %", 2, False),
    "seconds": ("seconds", 2, False),
}
"""Name -> title, digits, and whether more is better."""


def measure_tracking(subject: Subject, context: ProtocolContext) -> None:
    """Track the reference view of a person and some others, and compare with the truth.

    The tracker does not get the lens. The reference view comes first; bins are of the angle from
    the front.

    Args:
        subject: the person and their views.
        context: gets the items; its views are those besides the reference, spread around, 2 when
            None.
    """
    row = subject.reference
    others = [k for k in range(len(subject.views)) if k != row]
    for k in (row, *pick_evenly(others, USUAL_VIEWS if context.views is None else context.views)):
        name = f"{subject.key}/{subject.views[k].name}"
        try:
            context.give(_measured(subject, k, name, context))
        except InvalidSampleError as error:
            context.refuse(MeasureFailure(TRACKING, name, str(error)))


def true_person_in_photo(subject: Subject, row: int, body: Body) -> Truth:
    """The truth in a view of a shard, in the space of its camera.

    Where the view has no depth, what clothes and hair hide counts as seen.

    Raises:
        InvalidSampleError: a picture is damaged.
    """
    view = subject.views[row]
    own = body.personalised(subject.betas)
    motion = photo_transform(view.camera)
    pose, camera = (
        transform_pose(subject.pose(row), own, motion),
        transform_camera(view.camera, motion),
    )
    vertices, joints = own.vertices(pose)
    _, _, R, _ = own.rest_and_transforms(pose)
    depth = view.depth_metres()
    if depth is None:
        depth = rasterize_mesh(vertices, body.f, camera).depth
    return Truth(
        vertices,
        joints,
        R,
        view.rgba()[..., 3],
        visible_vertices(vertices, body.f, depth, camera),
        visible_joints(vertices, joints, own, camera),
    )


def _measured(subject: Subject, row: int, name: str, context: ProtocolContext) -> MeasuredView:
    body, estimators = context.body, context.open_for(name.replace("/", "_"))
    view = subject.views[row]
    truth = true_person_in_photo(subject, row, body)
    photo = make_portrait(subject, row)
    motion = photo_transform(view.camera)
    camera = transform_camera(view.camera, motion)
    own = body.personalised(subject.betas)
    true_pose = transform_pose(subject.pose(row), own, motion)
    everywhere = np.ones(len(true_pose.full_pose))
    pictures = {
        REFERENCE: photo.rgb,
        TRUTH: OverlayPainter(body, subject.betas).draw(photo.rgb, true_pose, camera, everywhere),
    }
    about = {"azimuth": round(view.azimuth, 1), "framing": subject.framing}
    figures: Figures = {"found": 0.0}
    start = time.perf_counter()
    try:
        tracked = track_image(photo, body, context.detectors, estimators=estimators)
    except LikenessError as error:
        about["not_found"] = str(error)
    else:
        track = tracked.track
        figures = {"found": 1.0, "seconds": round(time.perf_counter() - start, 3)}
        measured = asdict(measure_person(body, camera, truth, tracked.observation, track))
        figures |= {key: measured[key] for key in FIGURES if key in measured}
        figures["depth_pct"] = abs(measured["depth_pct"])
        if track.sources:
            about["estimators"] = {source: list(joints) for source, joints in track.sources.items()}
        about["taken_as"] = f"{track.framing}, {track.view}"
        painter = OverlayPainter(body, track.betas)
        pictures[TRACKER] = painter.draw(
            photo.rgb, track.pose, track.camera, track.joint_confidence
        )
    return MeasuredView(
        TRACKING,
        name,
        subject.key,
        angle_bin(angle_magnitude(view.azimuth)),
        True,
        about,
        subject_groups(subject.facts, subject.framing),
        {TRACKER: figures},
        pictures,
    )
