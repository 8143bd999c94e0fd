"""File > Export: avatars, splats, glTF and USD, and a rigged mesh as FBX."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy

from ..addon import scene_export
from ..addon.option_properties import option_property
from ..addon.scene.avatar_objects import (
    find_avatars,
    find_chosen_avatar,
    get_avatar_by_name,
    get_chosen_avatar,
)
from ..addon.scene.frame_recorder import record_frames
from ..engine.core.types import LikenessError
from ..engine.workflows.options import ExportOptions
from .job_operator import JobOperator

TEXTURE_SIZES = [
    ("1024", "1024", "Small files, for avatars seen from a distance"),
    ("2048", "2048", "As sharp as the photo, for most portraits"),
    ("4096", "4096", "For large photos of a face"),
]


class ExportOperator(JobOperator):
    """What the exports share: a file browser, frames for the worker, a scratch folder."""

    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012
    changes_scene = False

    suffixes: tuple[str, ...] = ()
    """The first is the default."""

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="File to save",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    check_existing: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Check Existing",
        description="Warn before a file is overwritten",
        default=True,
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        if not super().poll(context):
            return False
        if find_chosen_avatar(context) is None:
            cls.poll_message_set("Select the avatar to export")  # type: ignore[attr-defined]
            return False
        return True

    def ask(self, context: Any, event: Any) -> set[str]:
        """Open the file browser, with the avatar's name in it."""
        if not self.filepath:
            name = get_chosen_avatar(context).armature.name
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path()
            self.filepath = str(folder / f"{bpy.path.clean_name(name)}{self.suffix()}")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def suffix(self) -> str:
        """Suffix of the file, by the current properties."""
        return self.suffixes[0]

    def check(self, context: Any) -> bool:
        """Keep the file's suffix in step with the format."""
        path = Path(self.filepath)
        if path.suffix.lower() == self.suffix() or not path.name:
            return False
        known = path.suffix.lower() in self.suffixes
        self.filepath = str(path.with_suffix(self.suffix()) if known else f"{path}{self.suffix()}")
        return True

    def target(self) -> Path:
        """The file to write.

        Raises:
            LikenessError: The name is missing or has another suffix, or its folder is missing.
        """
        path = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or not path.name:
            raise LikenessError("The file name is missing.", "Enter one.")
        if not path.suffix:
            path = path.with_suffix(self.suffix())
        if path.suffix.lower() not in self.suffixes:
            raise LikenessError(
                f"'{path}' does not have a suffix of this export.",
                f"Choose a name that ends in {' or '.join(self.suffixes)}.",
            )
        if not path.parent.is_dir():
            raise LikenessError(
                f"The folder '{path.parent}' does not exist.", "Choose another one."
            )
        return path

    def done(self, context: Any, result: dict[str, Any]) -> None:
        files = result["files"]
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        self.report({"INFO"}, f"Saved '{files[0]}'{more}")  # type: ignore[attr-defined]


class AlbedoExportOperator(ExportOperator):
    """An export whose colors may lack the photo's light; a mixin for operators."""

    albedo: option_property(  # type: ignore[valid-type]
        ExportOptions,
        "albedo",
        name="Albedo",
        description="Write colors without the photo's light, for programs that light the person",
    )

    def photo(self, avatar: Any) -> str | None:
        """A file with the photo's pose, from which the worker finds its light, for albedo."""
        if not self.albedo:
            return None
        path = self.scratch() / "photo.npz"
        scene_export.write_photo_pose(avatar, path)
        return str(path)


class ExportAvatar(ExportOperator, bpy.types.Operator):  # type: ignore[misc]
    """Save the avatar as a file that Likeness can import anywhere, without the scene"""

    bl_idname = "likeness.export_avatar"
    bl_label = "Export Avatar"
    suffixes = (".safetensors",)

    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        default="*.safetensors", options={"HIDDEN"}
    )
    pose: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Pose",
        description="Pose to save",
        items=[
            ("PRESENT", "Current", "As the avatar is posed now"),
            ("PHOTO", "Photo", "As in the photo"),
        ],
    )

    def request(self, context: Any) -> Generator[float, None, dict[str, Any]]:
        out, scratch = self.target(), self.scratch()
        avatar = get_chosen_avatar(context)
        yield from record_frames(
            context, [avatar], [context.scene.frame_current], scratch, camera=False
        )
        poses = None
        if self.pose == "PHOTO":
            poses = scratch / "poses.npz"
            scene_export.write_photo_pose(avatar, poses)
        return {
            "task": "export",
            "folder": str(scratch),
            "out": str(out),
            "poses": str(poses) if poses else None,
        }


class ExportSplats(ExportOperator, bpy.types.Operator):  # type: ignore[misc]
    """Save the posed splats for splat viewers, as one file or one file per frame"""

    bl_idname = "likeness.export_splats"
    bl_label = "Export Splats"
    suffixes = (".ply", ".spz")

    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        default="*.ply;*.spz", options={"HIDDEN"}
    )
    kind: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Format",
        description="File format",
        items=[
            (".ply", "PLY", "Exact, and supported by all splat programs"),
            (".spz", "SPZ", "A quarter of the size, with slightly less exact colors and sizes"),
        ],
    )
    up: option_property(  # type: ignore[valid-type]
        ExportOptions,
        "up",
        name="Up",
        description="Axis that points up in a PLY file",
        items=[
            ("-y", "-Y", "As splat viewers expect it"),
            ("y", "Y", "As in glTF"),
            ("z", "Z", "As in Blender"),
        ],
    )
    animation: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Animation",
        description="Save one file per frame of the scene's range; #### in the name is the frame "
        "number",
    )
    all_avatars: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="All Avatars", description="Save the splats of all avatars in the scene together"
    )

    def suffix(self) -> str:
        return str(self.kind)

    def draw(self, context: Any) -> None:
        column = _column(self.layout)
        column.prop(self, "kind")
        if self.kind == ".ply":
            column.prop(self, "up")
        column.prop(self, "animation")
        column.prop(self, "all_avatars")

    def request(self, context: Any) -> Generator[float, None, dict[str, Any]]:
        out, scratch = self.target(), self.scratch()
        scene = context.scene
        frames: Any = [scene.frame_current]
        if self.animation:
            frames = scene_export.scene_frames(scene)
            if "#" not in out.name and "%" not in out.name and len(frames) > 1:
                out = out.with_name(f"{out.stem}_####{out.suffix}")
        avatars = [get_chosen_avatar(context)]
        if self.all_avatars:
            avatars = find_avatars(scene)
        yield from record_frames(context, avatars, frames, scratch, camera=False)
        return {
            "task": "export",
            "folder": str(scratch),
            "out": str(out),
            "options": asdict(ExportOptions("splats", self.up)),
        }


class ExportScene(AlbedoExportOperator, bpy.types.Operator):  # type: ignore[misc]
    """Save the avatar as splats, as a rigged mesh with a baked texture, or both"""

    bl_idname = "likeness.export_scene"
    bl_label = "Export glTF or USD"
    suffixes = (".glb", ".usda", ".usdz")

    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        default="*.glb;*.usda;*.usdz", options={"HIDDEN"}
    )
    kind: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Format",
        description="File format",
        items=[
            (".glb", "glTF", "One file; splats as KHR_gaussian_splatting"),
            (".usda", "USD", "A text file and a texture; splats as in OpenUSD 26.03"),
            (".usdz", "USDZ", "USD in one file, as phones show it in the room"),
        ],
    )
    content: option_property(  # type: ignore[valid-type]
        ExportOptions,
        "content",
        name="Content",
        description="Content of the file",
        default="mesh",
        items=[
            ("both", "Splats and Mesh", "As separate scenes (glTF) or variants (USD)"),
            ("splats", "Splats", "Splats in the current pose"),
            ("mesh", "Rigged Mesh", "55 bones, the expressions and a texture"),
        ],
    )
    animation: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Animation",
        description="Animate the mesh over the scene's frame range, if anything moves the avatar",
        default=True,
    )
    texture: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Texture",
        description="Size of the texture in pixels",
        items=TEXTURE_SIZES,
        default="2048",
    )

    def suffix(self) -> str:
        return str(self.kind)

    def draw(self, context: Any) -> None:
        column = _column(self.layout)
        column.prop(self, "kind")
        column.prop(self, "content")
        if self.content != "splats":
            column.prop(self, "texture")
        column.prop(self, "albedo")
        if self.content != "splats":
            column.prop(self, "animation")

    def request(self, context: Any) -> Generator[float, None, dict[str, Any]]:
        out, scratch = self.target(), self.scratch()
        scene, avatar = context.scene, get_chosen_avatar(context)
        yield from record_frames(context, [avatar], [scene.frame_current], scratch, camera=False)
        poses = None
        moving = self.animation and scene_export.is_animated(avatar.armature)
        if moving and self.content != "splats":
            poses = scratch / "poses.npz"
            yield from scene_export.record_poses(
                context, avatar, scene_export.scene_frames(scene), poses
            )
        return {
            "task": "export",
            "folder": str(scratch),
            "out": str(out),
            "poses": str(poses) if poses else None,
            "photo": self.photo(avatar),
            "options": asdict(
                ExportOptions(
                    self.content,
                    texture=int(self.texture),
                    albedo=self.albedo,
                    name=avatar.armature.name,
                )
            ),
        }


class ExportRig(AlbedoExportOperator, bpy.types.Operator):  # type: ignore[misc]
    """Save a rigged mesh with a baked texture and vertex colors, for game engines and other
    programs. The mesh is approximate: hair and loose clothes become bulges"""

    bl_idname = "likeness.export_rig"
    bl_label = "Export Rigged Mesh"
    suffixes = (".fbx",)

    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        default="*.fbx", options={"HIDDEN"}
    )
    animation: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Animation",
        description="Bake the bones and expressions over the scene's frame range, if anything "
        "moves the avatar",
        default=True,
    )
    program: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="For",
        description="Program whose importer the file suits",
        items=[
            ("BLENDER", "Blender", "And most other programs"),
            ("UNITY", "Unity", "Unit scale applied, so that objects come in at scale 1"),
            ("UNREAL", "Unreal", "With smoothing groups"),
        ],
    )
    texture: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Texture",
        description="Size of the texture in pixels",
        items=TEXTURE_SIZES,
        default="2048",
    )

    def draw(self, context: Any) -> None:
        column = _column(self.layout)
        for name in ("program", "texture", "albedo", "animation"):
            column.prop(self, name)

    def request(self, context: Any) -> Generator[float, None, dict[str, Any]]:
        self.target()
        scratch = self.scratch()
        avatar = get_chosen_avatar(context)
        self._armature = avatar.armature.name
        yield from record_frames(
            context, [avatar], [context.scene.frame_current], scratch, camera=False
        )
        return {
            "task": "export",
            "folder": str(scratch),
            "out": str(scratch / "mesh.npz"),
            "photo": self.photo(avatar),
            "options": asdict(ExportOptions(texture=int(self.texture), albedo=self.albedo)),
        }

    def done(self, context: Any, result: dict[str, Any]) -> None:
        out = self.target()
        avatar = get_avatar_by_name(self._armature)
        moving = self.animation and scene_export.is_animated(avatar.armature)
        frames = list(scene_export.scene_frames(context.scene)) if moving else []
        baked = Path(result["files"][0])
        scene_export.write_fbx(avatar, baked, out, frames, self.program)
        self.report({"INFO"}, f"Saved '{out}'")


def _column(layout: Any) -> Any:
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout.column()


def draw_export(layout: Any) -> None:
    layout.operator(ExportAvatar.bl_idname, text="Likeness Avatar (.safetensors)")
    layout.operator(ExportSplats.bl_idname, text="Likeness Splats (.ply/.spz)")
    layout.operator(ExportScene.bl_idname, text="Likeness glTF/USD (.glb/.usda/.usdz)")
    layout.operator(ExportRig.bl_idname, text="Likeness Rigged Mesh (.fbx)")


CLASSES = (ExportAvatar, ExportSplats, ExportScene, ExportRig)
