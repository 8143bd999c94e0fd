"""How avatars look: render settings, how many splats, the photo's camera, shadows, pictures."""
# No postponed annotations here: Blender reads properties from them.

import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from ..addon.scene import native_splats, render_setup, shadow_proxy
from ..addon.scene.avatar_objects import AvatarObjects, active_avatar, find_avatar, find_avatars
from ..addon.scene.camera import has_photo_shape, show_photo, shows_photo, toggle_camera_view
from ..addon.scene.frame_recorder import record_frames
from ..addon.scene.render_output import get_background_color, list_render_frames, picture_paths
from ..addon.scene.splat_object import MODIFIER_NAME, set_input
from ..addon.viewport import fast_splats
from ..engine.core.types import LikenessError
from .job_operator import JobOperator

_LISTED = 12  # lines of a dialog; more is a wall
_NATIVE_SAMPLES = 64  # Blender draws its own splats by chance; with one sample they are grains


def _active(cls: Any, context: Any) -> AvatarObjects | None:
    """The active avatar, for ``poll``; without one the button says so."""
    avatar = find_avatar(context.object)
    if avatar is None:
        cls.poll_message_set("Select a part of an avatar first")
    return avatar


def _drawn(cls: Any, context: Any) -> AvatarObjects | None:
    """The active avatar if its splats still have their modifier; else the button says why not."""
    avatar = _active(cls, context)
    if avatar is not None and MODIFIER_NAME not in avatar.splats.modifiers:
        cls.poll_message_set("The splats' modifier was removed. Undo that, or import the avatar")
        return None
    return avatar


class RenderSetup(bpy.types.Operator):  # type: ignore[misc]
    """Set up the scene so that splats render as they should: colors as in the photo,
    a transparent background, every layer of splats counted. Lists what it changes before"""

    bl_idname = "likeness.render_setup"
    bl_label = "Set Up Scene for Splats"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    engine: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Engine",
        description="What renders",
        items=[
            ("CYCLES", "Cycles", "Exact and free of noise"),
            ("EEVEE", "EEVEE", "Fast; splats are sorted for the scene's camera"),
        ],
    )
    samples: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Samples", description="More only smooth the edges", default=1, min=1, max=1024
    )
    lit: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Other Objects Need Light",
        description="Keep samples, light bounces and denoising as they are: other objects of "
        "the scene need them. All layers of splats count all the same",
        options={"SKIP_SAVE"},
    )
    groups: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Change",
        description="What may be changed; the rest is left alone",
        items=[(key, label, f"Set {label.lower()}") for key, label in render_setup.GROUPS.items()],
        options={"ENUM_FLAG"},
        default=set(render_setup.GROUPS),
    )
    use_photo_camera: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Photo's Camera",
        description="Render through the camera of the active avatar's photo, at its size",
        default=True,
    )

    def invoke(self, context: Any, event: Any) -> set[str]:
        self._decide(context)
        if any(native_splats.is_native(avatar.splats) for avatar in find_avatars(context.scene)):
            self.samples = max(self.samples, _NATIVE_SAMPLES)
        done: set[str] = context.window_manager.invoke_props_dialog(self, width=380)
        return done

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "engine")
        row = layout.row()
        row.active = not self.lit
        row.prop(self, "samples")
        layout.prop(self, "lit")
        layout.prop(self, "use_photo_camera")
        layout.column(align=True).prop(self, "groups", expand=True)
        changes = getattr(self, "changed", None)
        head = "Changed:"
        if changes is None:
            changes, head = [str(change) for change in self._planned(context)], "Will change:"
        column = layout.column(align=True)
        column.label(text=head if changes else "Nothing to change")
        for text in changes[:_LISTED]:
            column.label(text=text, icon="DOT", translate=False)
        if len(changes) > _LISTED:
            column.label(text=f"… and {len(changes) - _LISTED} more", translate=False)

    def execute(self, context: Any) -> set[str]:
        self._decide(context)
        changes = self._planned(context)
        try:
            render_setup.apply_changes(context.scene, changes)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.changed = [str(change) for change in changes]
        for text in self.changed:
            self.report({"INFO"}, text)
        self.report({"INFO"}, _counted(len(changes), "setting changed", "settings changed"))
        return {"FINISHED"}

    def _decide(self, context: Any) -> None:
        if not self.properties.is_property_set("lit"):
            splats = [avatar.splats for avatar in find_avatars(context.scene)]
            self.lit = render_setup.has_other_objects(context.scene, splats)

    def _planned(self, context: Any) -> list[render_setup.SettingChange]:
        avatar = find_avatar(context.object)
        camera = avatar.camera if avatar and self.use_photo_camera else None
        setup = render_setup.RenderOptions(
            self.engine, self.samples, self.lit, frozenset(self.groups)
        )
        return render_setup.plan_changes(context.scene, setup, camera)


class RenderRestore(bpy.types.Operator):  # type: ignore[misc]
    """Put the scene's settings back to what they were before Set Up Scene for Splats"""

    bl_idname = "likeness.render_restore"
    bl_label = "Restore Scene Settings"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not render_setup.can_restore(context.scene):
            cls.poll_message_set("This scene was not set up by Likeness")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        changes = render_setup.restore_settings(context.scene)
        for change in changes:
            self.report({"INFO"}, str(change))
        self.report({"INFO"}, _counted(len(changes), "setting restored", "settings restored"))
        return {"FINISHED"}


class SetDetail(bpy.types.Operator):  # type: ignore[misc]
    """Draw the avatar with fewer splats: the most important ones, grown to fill in"""

    bl_idname = "likeness.set_detail"
    bl_label = "Set Number of Splats"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    target: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="For",
        description="Where so many splats are drawn",
        items=[
            ("Viewport Detail", "Viewport", "While working"),
            ("Render Detail", "Render", "In renders"),
        ],
    )
    count: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Splats", description="How many; 0 is all of them", min=0, soft_max=262144
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        return _drawn(cls, context) is not None

    def execute(self, context: Any) -> set[str]:
        splats = active_avatar(context).splats
        total = max(1, len(splats.data.polygons))
        part = min(1.0, self.count / total) if self.count else 1.0
        set_input(splats.modifiers[MODIFIER_NAME], self.target, part)
        return {"FINISHED"}


class FastSplats(bpy.types.Operator):  # type: ignore[misc]
    """Draw this avatar's splats in the viewport on the graphics card: smooth, sorted from
    everywhere, and posed at once. Renders stay as they are"""

    bl_idname = "likeness.fast_splats"
    bl_label = "Fast Splats"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = _drawn(cls, context)
        if avatar is None:
            return False
        why = fast_splats.find_fast_problem()
        if why and not fast_splats.is_fast(avatar.splats):
            cls.poll_message_set(why)
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        splats = active_avatar(context).splats
        fast_splats.set_fast(splats, not fast_splats.is_fast(splats))
        return {"FINISHED"}


class NativeSplats(bpy.types.Operator):  # type: ignore[misc]
    """Leave this avatar's splats to Blender's own splat drawing, in the viewport and in renders.
    Needs Blender 5.3, on which it has not been tried yet"""

    bl_idname = "likeness.native_splats"
    bl_label = "Native Splats"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = _drawn(cls, context)
        if avatar is None:
            return False
        if not native_splats.has_native_splats() and not native_splats.is_native(avatar.splats):
            cls.poll_message_set("This Blender has no splats of its own: they came with 5.3")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        splats = active_avatar(context).splats
        on = not native_splats.is_native(splats)
        try:
            native_splats.set_native(splats, on)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if on:
            self.report({"INFO"}, f"Render native splats with {_NATIVE_SAMPLES} samples or more")
        return {"FINISHED"}


class LookThroughPhoto(bpy.types.Operator):  # type: ignore[misc]
    """Look through the camera that took the photo, or back from where you came"""

    bl_idname = "likeness.look_through_photo"
    bl_label = "Look Through Photo's Camera"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = find_avatar(context.object)
        if avatar is None or avatar.camera is None:
            cls.poll_message_set("The avatar has no camera of a photo")
            return False
        return context.area is not None and context.area.type == "VIEW_3D"

    def execute(self, context: Any) -> set[str]:
        camera = active_avatar(context).camera
        seen = toggle_camera_view(context.scene, camera, context.space_data)
        if seen and not has_photo_shape(context.scene, camera):
            self.report(
                {"WARNING"},
                "The scene's resolution has not the photo's proportions: Set Up Scene for Splats "
                "sets it",
            )
        return {"FINISHED"}


class PhotoBackground(bpy.types.Operator):  # type: ignore[misc]
    """Show or hide the photo behind the splats in its camera's view; renders never show it"""

    bl_idname = "likeness.photo_background"
    bl_label = "Photo Behind Splats"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = find_avatar(context.object)
        if avatar is None or avatar.camera is None or not avatar.camera.data.background_images:
            cls.poll_message_set("The avatar came without its photo")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        camera = active_avatar(context).camera
        show_photo(camera, not shows_photo(camera))
        return {"FINISHED"}


class AddShadowProxy(bpy.types.Operator):  # type: ignore[misc]
    """Add an unseen body that casts the avatar's shadow: it follows the pose and reaches as far
    as hair and clothes do"""

    bl_idname = "likeness.add_shadow_proxy"
    bl_label = "Add Shadow Proxy"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    catcher: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Catch Shadows",
        description="Cycles only: the proxy is a shadow catcher that the camera sees. For a view "
        "layer of its own without the splats, to be laid over them in the compositor",
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        return _active(cls, context) is not None

    def execute(self, context: Any) -> set[str]:
        try:
            shadow_proxy.add_proxy(active_avatar(context), self.catcher)
        except LikenessError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class RemoveShadowProxy(bpy.types.Operator):  # type: ignore[misc]
    """Remove the avatar's shadow proxy"""

    bl_idname = "likeness.remove_shadow_proxy"
    bl_label = "Remove Shadow Proxy"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        avatar = _active(cls, context)
        if avatar is None:
            return False
        if shadow_proxy.find_proxy(avatar) is None:
            cls.poll_message_set("The avatar has no shadow proxy")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        shadow_proxy.remove_proxy(active_avatar(context))
        return {"FINISHED"}


class DrawPictures(JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Render the avatars of the scene through its camera with Likeness' own rasterizer, at the
    scene's size and output path. Other objects are left out: EXR files bring depth to combine"""

    bl_idname = "likeness.draw"
    bl_label = "Render with Likeness"

    changes_scene = False

    animation: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Animation", description="All frames of the scene's range, not only this one"
    )
    kind: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Format",
        description="What is written",
        items=[
            ("PNG", "PNG", "8-bit color as in the photo, and transparency"),
            ("EXR", "OpenEXR", "Linear color with transparency, and depth in metres"),
            ("MP4", "MP4 Video", "One video file, for looking at; not transparent"),
        ],
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        done: set[str] = context.window_manager.invoke_props_dialog(self)
        return done

    def request(self, context: Any) -> Generator[float, None, dict[str, Any]]:
        scene = context.scene
        avatars = [a for a in find_avatars(scene) if not a.splats.hide_render]
        if not avatars:
            raise LikenessError("The scene has no avatar that renders.", "Build or import one.")
        frames = list_render_frames(scene, self.animation)
        paths = picture_paths(scene, frames, self.kind)
        ground = get_background_color(scene)
        self._scratch = Path(tempfile.mkdtemp(prefix="draw-", dir=bpy.app.tempdir))
        yield from record_frames(context, avatars, frames, self._scratch)
        return {
            "task": "draw",
            "folder": str(self._scratch),
            "pictures": [] if self.kind == "MP4" else [str(path) for path in paths],
            "video": str(paths[0]) if self.kind == "MP4" else None,
            "background": ground,
        }

    def done(self, context: Any, result: dict[str, Any]) -> None:
        files = result["files"]
        width, height = result["size"]
        if len(files) == 1 and self.kind != "MP4":
            bpy.data.images.load(files[0], check_existing=True).reload()
        self.report(
            {"INFO"},
            f"{_counted(len(files), 'file', 'files')} of {width} x {height} written, the last "
            f"'{files[-1]}'",
        )

    def _leave(self, context: Any) -> None:
        super()._leave(context)
        if hasattr(self, "_scratch"):
            shutil.rmtree(self._scratch, ignore_errors=True)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def start() -> None:
    """When the extension is enabled."""
    fast_splats.register()


def stop() -> None:
    """When the extension is disabled."""
    fast_splats.unregister()


CLASSES = (
    RenderSetup,
    RenderRestore,
    SetDetail,
    FastSplats,
    NativeSplats,
    LookThroughPhoto,
    PhotoBackground,
    AddShadowProxy,
    RemoveShadowProxy,
    DrawPictures,
)
