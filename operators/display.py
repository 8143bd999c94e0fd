"""Display and rendering: scene settings, number of splats, photo camera, shadows, rendering."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from typing import Any

import bpy

from ..addon.preferences import get_preferences
from ..addon.rig import bone_shapes
from ..addon.scene import native_splats, render_setup, shadow_proxy
from ..addon.scene.avatar_objects import AvatarObjects, find_avatar, find_avatars
from ..addon.scene.camera import has_photo_shape, show_photo, shows_photo, toggle_camera_view
from ..addon.scene.frame_recorder import record_frames
from ..addon.scene.render_output import get_background_color, list_render_frames, picture_paths
from ..addon.scene.splat_object import MODIFIER_NAME, set_input
from ..addon.scene.view3d import show_splats
from ..addon.scene_export import write_photo_pose
from ..addon.viewport import edit_mode, fast_splats
from ..engine.core.types import LikenessError
from .avatar_operator import AvatarOperator, format_count
from .errors import report_errors
from .job_operator import JobOperator

_MAX_LINES = 12
_NATIVE_SAMPLES = 64  # Blender samples its own splats at random; fewer samples are grainy


class _SplatsOperator(AvatarOperator):
    """An operator on the splats of the active avatar, which must still have their modifier."""

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        if MODIFIER_NAME in avatar.splats.modifiers:
            return ""
        return "The splats' modifier was removed. Undo that, or import the avatar again"


class RenderSetup(bpy.types.Operator):  # type: ignore[misc]
    """Set up the scene to render splats correctly: colors as in the photo, transparent
    background, all layers of splats. Lists the changes first"""

    bl_idname = "likeness.render_setup"
    bl_label = "Set Up Scene for Splats"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    engine: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Engine",
        description="Render engine",
        items=[
            ("CYCLES", "Cycles", "Exact and free of noise"),
            ("EEVEE", "EEVEE", "Fast; splats are sorted for the scene camera"),
        ],
    )
    samples: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Samples",
        description="Number of samples; more than one only smooths edges",
        default=1,
        min=1,
        max=1024,
    )
    lit: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Other Objects Need Light",
        description="Keep samples, light bounces and denoising for the other objects of the "
        "scene. All layers of splats are still rendered",
        options={"SKIP_SAVE"},
    )
    groups: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Change",
        description="Settings to change; the others are kept",
        items=[(key, label, f"Set {label.lower()}") for key, label in render_setup.GROUPS.items()],
        options={"ENUM_FLAG"},
        default=set(render_setup.GROUPS),
    )
    use_photo_camera: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Photo Camera",
        description="Render through the photo camera of the active avatar, at the photo's size",
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
        for text in changes[:_MAX_LINES]:
            column.label(text=text, icon="DOT", translate=False)
        if len(changes) > _MAX_LINES:
            column.label(text=f"… and {len(changes) - _MAX_LINES} more", translate=False)

    @report_errors
    def execute(self, context: Any) -> set[str]:
        self._decide(context)
        changes = self._planned(context)
        render_setup.apply_changes(context.scene, changes)
        self.changed = [str(change) for change in changes]
        for text in self.changed:
            self.report({"INFO"}, text)
        self.report({"INFO"}, format_count(len(changes), "setting changed", "settings changed"))
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
    """Restore the scene settings from before Set Up Scene for Splats"""

    bl_idname = "likeness.render_restore"
    bl_label = "Restore Scene Settings"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not render_setup.can_restore(context.scene):
            cls.poll_message_set("Likeness has not set up this scene")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        changes = render_setup.restore_settings(context.scene)
        for change in changes:
            self.report({"INFO"}, str(change))
        self.report({"INFO"}, format_count(len(changes), "setting restored", "settings restored"))
        return {"FINISHED"}


class SetDetail(_SplatsOperator, bpy.types.Operator):  # type: ignore[misc]
    """Draw the avatar with fewer splats: the most important ones, enlarged to fill the gaps"""

    bl_idname = "likeness.set_detail"
    bl_label = "Set Number of Splats"

    target: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="For",
        description="Where to draw this number of splats",
        items=[
            ("Viewport Detail", "Viewport", "In the 3D view"),
            ("Render Detail", "Render", "In renders"),
        ],
    )
    count: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Splats", description="Number of splats; 0 for all", min=0, soft_max=262144
    )

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        total = max(1, len(avatar.splats.data.polygons))
        part = min(1.0, self.count / total) if self.count else 1.0
        set_input(avatar.splats.modifiers[MODIFIER_NAME], self.target, part)


class FastSplats(_SplatsOperator, bpy.types.Operator):  # type: ignore[misc]
    """Draw this avatar's splats in the viewport on the GPU: smooth, sorted for every view, and
    posed instantly. Renders do not change"""

    bl_idname = "likeness.fast_splats"
    bl_label = "Fast Splats"

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        problem = super().find_problem(context, avatar)
        if problem or fast_splats.is_fast(avatar.splats):
            return problem
        return fast_splats.find_fast_problem()

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        on = not fast_splats.is_fast(avatar.splats)
        fast_splats.set_fast(avatar.splats, on)
        if not on and get_preferences(context).show_splats:
            show_splats()


class NativeSplats(_SplatsOperator, bpy.types.Operator):  # type: ignore[misc]
    """Let Blender draw this avatar's splats itself, in the viewport and in renders. Needs Blender
    5.3; not tested there yet"""

    bl_idname = "likeness.native_splats"
    bl_label = "Native Splats"

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        problem = super().find_problem(context, avatar)
        native = native_splats.has_native_splats() or native_splats.is_native(avatar.splats)
        return problem if problem or native else "Needs Blender 5.3 or later"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        on = not native_splats.is_native(avatar.splats)
        native_splats.set_native(avatar.splats, on)
        if on:
            self.report({"INFO"}, f"Render native splats with {_NATIVE_SAMPLES} samples or more")


class LookThroughPhoto(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Look through the photo's camera, or return to the previous view"""

    bl_idname = "likeness.look_through_photo"
    bl_label = "Look Through Photo Camera"

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        if avatar.camera is None:
            return "The avatar has no photo camera"
        if context.area is None or context.area.type != "VIEW_3D":
            return "Move the mouse over a 3D view"
        return ""

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        seen = toggle_camera_view(context.scene, avatar.camera, context.space_data)
        if seen and not has_photo_shape(context.scene, avatar.camera):
            self.report(
                {"WARNING"},
                "The aspect ratio of the scene differs from the photo's. Run Set Up Scene for "
                "Splats to match it",
            )


class PhotoBackground(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Show or hide the photo behind the splats in its camera's view. Renders never show it"""

    bl_idname = "likeness.photo_background"
    bl_label = "Photo Behind Splats"

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        if avatar.camera is None or not avatar.camera.data.background_images:
            return "The avatar was imported without its photo"
        return ""

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        show_photo(context.scene, avatar.camera, not shows_photo(avatar.camera))


class AddShadowProxy(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Add an invisible body that casts the avatar's shadow. It follows the pose and includes the
    volume of hair and clothes"""

    bl_idname = "likeness.add_shadow_proxy"
    bl_label = "Add Shadow Proxy"

    catcher: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Catch Shadows",
        description="Make the proxy a shadow catcher that the camera sees (Cycles only). Render "
        "it in a separate view layer without the splats, and composite it over them",
    )

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        shadow_proxy.add_proxy(avatar, self.catcher)


class RemoveShadowProxy(AvatarOperator, bpy.types.Operator):  # type: ignore[misc]
    """Remove the avatar's shadow proxy"""

    bl_idname = "likeness.remove_shadow_proxy"
    bl_label = "Remove Shadow Proxy"

    @classmethod
    def find_problem(cls, context: Any, avatar: AvatarObjects) -> str:
        return "" if shadow_proxy.find_proxy(avatar) else "The avatar has no shadow proxy"

    def change(self, context: Any, avatar: AvatarObjects) -> None:
        shadow_proxy.remove_proxy(avatar)


class DrawPictures(JobOperator, bpy.types.Operator):  # type: ignore[misc]
    """Render the scene's avatars with Likeness' own rasterizer, through the scene camera and to
    its output path. Other objects are left out; OpenEXR files include depth for compositing"""

    bl_idname = "likeness.draw"
    bl_label = "Render with Likeness"

    changes_scene = False

    animation: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Animation",
        description="Render the frame range of the scene, not just the current frame",
    )
    kind: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Format",
        description="File format",
        items=[
            ("PNG", "PNG", "8-bit color as in the photo, with transparency"),
            ("EXR", "OpenEXR", "Linear color with transparency and depth in metres"),
            ("MP4", "MP4 Video", "One video file for viewing, without transparency"),
        ],
    )
    polish: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Polish",
        description="Take blotches and speckles out of what the photo does not show squarely. "
        "OpenEXR files keep the picture without it, as the pass Unpolished",
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        done: set[str] = context.window_manager.invoke_props_dialog(self)
        return done

    def request(self, context: Any) -> Generator[float, None, dict[str, Any]]:
        scene = context.scene
        avatars = [a for a in find_avatars(scene) if not a.splats.hide_render]
        if not avatars:
            raise LikenessError(
                "The scene has no avatar enabled for rendering.", "Import or build one."
            )
        frames = list_render_frames(scene, self.animation)
        paths = picture_paths(scene, frames, self.kind)
        ground = get_background_color(scene)
        scratch = self.scratch()
        yield from record_frames(context, avatars, frames, scratch)
        photos = [scratch / f"photo_{k}.npz" for k in range(len(avatars))] if self.polish else []
        for avatar, photo in zip(avatars, photos):
            write_photo_pose(avatar, photo)
        return {
            "task": "draw",
            "folder": str(scratch),
            "pictures": [] if self.kind == "MP4" else [str(path) for path in paths],
            "video": str(paths[0]) if self.kind == "MP4" else None,
            "background": ground,
            "polish": [str(photo) for photo in photos] or None,
        }

    def done(self, context: Any, result: dict[str, Any]) -> None:
        files = result["files"]
        width, height = result["size"]
        if len(files) == 1 and self.kind != "MP4":
            bpy.data.images.load(files[0], check_existing=True).reload()
        self.report(
            {"INFO"},
            f"Saved {format_count(len(files), 'file', 'files')} of {width} x {height} pixels, the "
            f"last is '{files[-1]}'",
        )


def start() -> None:
    """When the extension is enabled."""
    bone_shapes.register()
    fast_splats.register()
    edit_mode.register()


def stop() -> None:
    """When the extension is disabled."""
    edit_mode.unregister()
    fast_splats.unregister()
    bone_shapes.unregister()


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
