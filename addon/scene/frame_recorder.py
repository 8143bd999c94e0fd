"""Frames of the scene, recorded for the worker: see ``engine/scene/frames.py``."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .avatar_objects import AvatarObjects
from .read_back import body_vertices, read_avatar, read_placement, scene_camera, splat_count
from .splat_object import get_grades, get_sliders


def record_frames(
    context: Any,
    avatars: Sequence[AvatarObjects],
    frames: Sequence[int],
    folder: Path,
    detail: str = "Render Detail",
    camera: bool = True,
    graded: bool = True,
) -> Generator[float, None, None]:
    """Step through frames of the scene and record its avatars and its camera.

    One frame per slice; yields the fraction done. Nothing may be undone between the slices. The
    scene's current frame is restored. Of several frames, grades and sliders are recorded as they
    are in each; of one, the avatars have their grades.

    Args:
        context: of Blender.
        avatars: of the scene.
        frames: numbers of the frames.
        folder: for the files.
        detail: the input of the splats' modifier that gives their number.
        camera: record the scene's camera; else the cameras of the frames are the identity.
        graded: as for :func:`.read_back.read_avatar`, if there is one frame.

    Raises:
        LikenessError: An avatar cannot be read, or the camera is missing.
    """
    from ...engine.formats.avatar import save_avatar
    from ...engine.scene.frames import AVATAR_NAME, FRAMES_NAME, VERTICES_NAME
    from ...engine.scene.looks import GRADES_SHAPE, SLIDERS_SHAPE, pack_grades, pack_sliders

    scene, count = context.scene, len(frames)
    start, part_of_frame = scene.frame_current, scene.frame_subframe
    vertices: list[Any] = []
    for k, objects in enumerate(avatars):
        avatar = read_avatar(objects, graded and count == 1)
        yield 0.0
        save_avatar(avatar, folder / AVATAR_NAME.format(k))
        shape = (count, len(avatar.body.v_template), 3)
        name = folder / VERTICES_NAME.format(k)
        vertices.append(np.lib.format.open_memmap(name, "w+", np.float32, shape))  # type: ignore[no-untyped-call]
        yield 0.0
    places = np.empty((len(avatars), count, 4, 4))
    grades = np.empty((len(avatars), count, *GRADES_SHAPE))
    sliders = np.empty((len(avatars), count, *SLIDERS_SHAPE))
    viewmats, Ks = np.tile(np.eye(4), (count, 1, 1)), np.tile(np.eye(3), (count, 1, 1))
    size = np.ones(2, np.int64)
    try:
        for t, frame in enumerate(frames):
            if not (count == 1 and frame == start):  # an unkeyed pose stays as it is
                scene.frame_set(frame)
            depsgraph = context.evaluated_depsgraph_get()
            for k, objects in enumerate(avatars):
                vertices[k][t] = body_vertices(objects, depsgraph, world=False)
                places[k, t] = read_placement(objects, depsgraph)
                shown = objects.splats.evaluated_get(depsgraph)
                grades[k, t] = pack_grades(get_grades(shown))
                sliders[k, t] = pack_sliders(get_sliders(shown))
            if camera:
                seen = scene_camera(scene, depsgraph)
                viewmats[t], Ks[t] = seen.viewmat, seen.K
                size[:] = seen.width, seen.height
            yield (t + 1) / count
    finally:
        if scene.frame_current != start:
            scene.frame_set(start, subframe=part_of_frame)
    for written in vertices:
        written.flush()
    looks = {"grades": grades, "sliders": sliders} if count > 1 else {}
    np.savez(
        folder / FRAMES_NAME,
        counts=np.array([splat_count(objects, detail) for objects in avatars]),
        places=places,
        viewmats=viewmats,
        Ks=Ks,
        size=size,
        frames=np.asarray(frames),
        frame_rate=np.array(scene.render.fps / scene.render.fps_base),
        **looks,
    )
