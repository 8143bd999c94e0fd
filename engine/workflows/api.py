"""The functions of ``import likeness``: portraits to avatars, and the uses of avatars.

Each only calls the engine: the command line and Blender use the same code. Everything heavy is
imported inside the functions. The list of public names is in the package's ``__init__.py``, and
docs/automation.md has recipes. :mod:`.motion_api` has those of motions.

Units are metres, radians and sRGB as in docs/CONVENTIONS.md, unless a name says degrees. Errors
that a user can fix are raised as :class:`~.types.LikenessError` with a message and a remedy, before
anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.types import Avatar, Camera, FloatArray, Gaussians, Motion, Pose, Progress

if TYPE_CHECKING:
    from ..pipeline.build import BuildResult
    from ..pipeline.options import BuildOptions
    from .options import ExportOptions

File = str | PathLike[str]
Views = Mapping[str, File] | Sequence[File]


def build(
    photo: File,
    options: BuildOptions | None = None,
    *,
    views: Views = (),
    out: File | None = None,
    preview: bool = True,
    body: File | None = None,
    progress: Progress | None = None,
) -> BuildResult:
    """Build the avatar of a person from a portrait.

    What is opened on the way (body, detectors, network) stays open for the next call in this
    process. It takes one to two GB of memory, and, the first time on a machine, a minute more.

    Args:
        photo: a picture file.
        options: None for the defaults.
        views: more photos of the same person: files, or a mapping from the side that each shows
            (``front``, ``back``, ``left``, ``right``, ``side``; left is the person's own) to its
            file.
        out: a folder to write avatar.safetensors, report.json and preview.png to; nothing is
            written without it.
        preview: whether preview.png is drawn.
        body: a body file (SMPL-X's npz keys, with landmarks) to use instead of the default one.
        progress: called with the name of the stage, 0..1 within it, and a message.

    Returns:
        ``avatar``; ``report``, JSON-able, with ``warnings``, seconds and figures as in
        report.json; and what was seen and fitted on the way.

    Raises:
        LikenessError: the photo cannot be read or shows nobody, an option is not allowed, or the
            folder cannot be written to.
    """
    from ..files.atomic import atomic_write_files
    from ..files.folders import check_output_folder
    from ..pipeline.build import build_avatar
    from ..pipeline.track import ExtraView
    from .build_files import write_build

    if isinstance(views, Mapping):
        others = [ExtraView(Path(file), direction) for direction, file in views.items()]
    else:
        others = [ExtraView(Path(file)) for file in views]
    if out is not None:
        check_output_folder(Path(out))
    own_body = None if body is None else Path(body)
    result = build_avatar(Path(photo), options, progress, own_body, others)
    if out is not None:
        with atomic_write_files(Path(out)) as scratch:
            write_build(result, scratch, preview, progress)
    return result


def load(avatar: File) -> Avatar:
    """Read an avatar file.

    Warns (:class:`UserWarning`) where the file is of a newer minor version, of which only what
    this program knows is read (docs/avatars.md).

    Args:
        avatar: the avatar.safetensors of a build.

    Raises:
        LikenessError: the file does not exist, is not an avatar, is damaged, or is newer.
    """
    from ..formats.avatar import load_avatar

    return load_avatar(Path(avatar))


def edit(
    avatar: File,
    out: File,
    *,
    add: Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    remove: Sequence[str] = (),
    edited: File | None = None,
    portrait: File | None = None,
    part: str | None = None,
    tint: Sequence[str] = (),
    network: File | None = None,
    looks: Sequence[str] = (),
    restore: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Put things on an avatar, take them off, and set their sliders (docs/attributes.md).

    What is not touched stays the same to the last bit. The provenance lists every edit.

    Args:
        avatar: an avatar file.
        out: a name ending in .safetensors, or a folder, which gets ``avatar.safetensors``; may be
            the same file.
        add: items of the wardrobe, such as ``hat=fedora,color=#332211``.
        values: of sliders by name, 0 (without it) to 1.
        remove: names of what was added.
        edited: the portrait with something changed in any program, in the same frame.
        portrait: from which the avatar was built; ``edited`` and looks of pictures need it.
        part: what was changed in ``edited``, such as ``hat``; found in the picture if left out.
        tint: colours of parts, such as ``hair=#803010``.
        network: folder of the network that made the avatar (``train --config perse``).
        looks: of that network, such as ``hat=0.5``, or ``hat=edited.png`` for one that it has not
            learned.
        restore: first undo what was erased, painted, moved and sculpted by hand in Blender.
        progress: called with the stage, 0..1 and a message.

    Returns:
        The file that was written.

    Raises:
        LikenessError: an item or a slider is unknown, the edited portrait cannot be used, or a file
            cannot be read or written.
    """
    from .edit_avatar import EditedPortrait, edit_avatar_file
    from .look_edits import LearnedLooks

    photo = None
    original = None if portrait is None else Path(portrait)
    learned = None if network is None else LearnedLooks(Path(network), looks, original)
    if edited is not None:
        photo = EditedPortrait(Path(edited), original, part)
    return edit_avatar_file(
        Path(avatar), Path(out), add, values, remove, photo, progress, tint, learned, restore
    )


def save(avatar: Avatar, out: File) -> Path:
    """Write an avatar file atomically.

    Args:
        avatar: the avatar.
        out: the file.

    Returns:
        The file's path.

    Raises:
        LikenessError: the folder does not exist, or cannot be written to.
    """
    from ..formats.avatar import save_avatar

    save_avatar(avatar, Path(out))
    return Path(out)


def simplify(avatar: Avatar, max_gaussians: int) -> Avatar:
    """Reduce an avatar to its most important Gaussians, grown to fill in for the others.

    Args:
        avatar: the avatar.
        max_gaussians: upper limit of the number of Gaussians.

    Raises:
        LikenessError: ``max_gaussians`` is less than one.
    """
    from ..gaussians.lod import simplify_avatar

    return simplify_avatar(avatar, max_gaussians)


def level(avatar: Avatar, count: int) -> Avatar:
    """Deprecated name of :func:`simplify`.

    Args:
        avatar: the avatar.
        count: upper limit of the number of Gaussians.

    Raises:
        LikenessError: ``count`` is less than one.
    """
    return simplify(avatar, count)


def pose(
    avatar: Avatar,
    name: File | None = None,
    *,
    expression: str | Mapping[str, float] | None = None,
    frame: int = 0,
) -> Pose:
    """A pose of an avatar; by default as in the photo.

    ``pose.with_joints(left_elbow=[0, -1, 0])`` turns single joints of the result.

    Args:
        avatar: the avatar.
        name: a pose of the library, such as ``wave`` (at the photo's place and direction), or a
            pose or motion file (SMPL-X's npz keys; a name with a suffix is a file).
        expression: one of the library, of the body, or both, such as ``smile`` or
            ``smile=0.5,jawOpen=0.2``; or weights by the body's names. It replaces the pose's own.
        frame: of a motion file, from 0.

    Returns:
        ``full_pose`` [55, 3] axis-angle, radians; ``transl`` [3] metres; ``expression`` [E].

    Raises:
        LikenessError: the file, frame, pose or expression does not exist.
    """
    from .pose_choice import resolve_pose

    asked = None if name is None else name if isinstance(name, str) else Path(name)
    return resolve_pose(avatar, asked, expression, frame)


def splats(avatar: Avatar, pose: Pose | None = None) -> Gaussians:
    """An avatar's Gaussians in world space; ``avatar.body.vertices(pose)`` gives its mesh.

    Args:
        avatar: the avatar.
        pose: how it stands; None as in the photo.

    Returns:
        ``means`` [N, 3] and ``scales`` [N, 3] metres (linear), ``quats`` [N, 4] w, x, y, z,
        ``opacities`` [N] and ``colors`` [N, 3] 0..1 (sRGB); float32.
    """
    from ..gaussians.posing import pose_avatar

    return pose_avatar(avatar, pose)


def camera(
    avatar: Avatar,
    pose: Pose | None = None,
    *,
    focus: str = "full",
    yaw: float = 0.0,
    pitch: float = 0.0,
    width: int = 768,
    height: int = 768,
) -> Camera:
    """A camera that shows a posed avatar; the photo's own is ``avatar.camera``.

    Args:
        avatar: the avatar.
        pose: None as in the photo.
        focus: ``head``, ``upper`` or ``full``.
        yaw: degrees; 30 shows more of the body's left side.
        pitch: degrees, from above.
        width: pixels.
        height: pixels.

    Raises:
        LikenessError: the focus is unknown.
    """
    from ..visual.view_cameras import focus_camera

    posed = avatar.pose if pose is None else pose
    return focus_camera(avatar, posed, focus, yaw, pitch, width, height)


def render(
    avatar: Avatar,
    pose: Pose | None = None,
    camera: Camera | None = None,
    *,
    background: str | None = None,
    out: File | None = None,
    backend: str = "auto",
    refiner: File | None = None,
    polish: bool = False,
    light: File | None = None,
    light_turn: float = 0.0,
    light_exposure: float = 0.0,
    relight: float = 1.0,
) -> FloatArray:
    """Draw an avatar.

    Args:
        avatar: the avatar.
        pose: None as in the photo.
        camera: None for the photo's (``camera()`` makes others).
        background: ``#rrggbb`` or a name such as ``white``; None for transparency.
        out: a file to write as well (.png, .webp, .tif, .jpg).
        backend: ``cpu``, ``cuda`` (gsplat), or ``auto`` for the GPU where there is one.
        refiner: folder of the GUAVA network that made the avatar, whose refiner finishes the
            picture (extra ``torch``).
        polish: whether the polishing network finishes it instead.
        light: picture of the surroundings (.exr or .hdr, lat-long) that light the person; None for
            the photo's light.
        light_turn: degrees by which the surroundings are turned, counter-clockwise from above.
        light_exposure: stops by which they are brighter.
        relight: 0..1, from the photo's light to theirs.

    Returns:
        [H, W, 3] float32 0..1, sRGB; [H, W, 4] with straight alpha where there is no background.

    Raises:
        LikenessError: the colour or back end is unknown, the refiner cannot be used for this
            avatar, a picture in another light is to be finished by a network, or a file cannot be
            read or written.
    """
    from .still_files import check_still, draw_still, load_light, parse_color, save_still

    colour = parse_color(background)
    if out is not None:
        check_still(Path(out), colour is None)
    posed = avatar.pose if pose is None else pose
    chosen = None if refiner is None else Path(refiner)
    surroundings = None
    if light is not None:
        surroundings = load_light(Path(light), light_turn, light_exposure, relight)
    picture = draw_still(
        avatar, posed, camera or avatar.camera, colour, backend, chosen, polish, surroundings
    )
    if out is not None:
        save_still(picture, Path(out))
    return picture


def export(
    avatar: Avatar,
    out: File,
    pose: Pose | Motion | None = None,
    options: ExportOptions | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write an avatar for other programs.

    Args:
        avatar: the avatar.
        out: a name ending in .ply or .spz (splats), .glb, .usda or .usdz (splats, a rigged and
            textured mesh, or both), or .vrm (a rigged mesh, whose author ``options.vrm`` names).
        pose: how it stands; None as in the photo. A motion animates the mesh; for splats it makes
            a file for each frame, and ``out`` is then a name such as ``me_%04d.ply``.
        options: None for the defaults.
        progress: called with the name of the stage, 0..1 within it, and a message.

    Returns:
        The files written.

    Raises:
        LikenessError: the name or an option is not allowed, or the folder cannot be written.
    """
    from .export_files import export_avatar

    posed = avatar.pose if pose is None else pose
    return export_avatar(avatar, Path(out), posed, options, progress)
