"""File > Import > Portrait as Avatar: choose photos, build in the background, import.

From the menu the operator asks for files, after a drop only for the main options.
"""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from ..addon import fit_preview, portrait, running
from ..addon.job_texts import JobTitle
from ..addon.option_properties import option_property, read_options
from ..addon.photo_names import guess_direction, sort_main_first
from ..addon.scene import fit_adjustment
from ..engine.core.types import MAX_GAUSSIANS, LikenessError
from ..engine.pipeline.options import BuildOptions
from .job_operator import PICTURES, JobOperator, picture_filter, show_all_layers, thumbnails
from .photo_options import BoneOptions, PhotoOptions

QUALITIES: dict[str, dict[str, Any]] = {
    "DRAFT": {"max_gaussians": 60_000, "refine": "off", "check_fit": "DOUBT"},
    "STANDARD": {"max_gaussians": 150_000, "refine": "fast", "check_fit": "DOUBT"},
    "BEST": {"max_gaussians": MAX_GAUSSIANS, "refine": "full", "check_fit": "ALWAYS"},
}
"""Quality -> the settings it sets. Only long builds always show the fit first: there it saves
most. A draft is its own preview."""

DIRECTIONS = (
    ("any", "Any Side", "Detect it from the photo"),
    ("front", "Front", "The front of the person"),
    ("back", "Back", "The back of the person"),
    ("left", "Left Side", "The person's own left side"),
    ("right", "Right Side", "The person's own right side"),
    ("side", "Either Side", "The left or right side"),
)


def _use_quality(operator: Any, context: Any) -> None:
    for name, value in QUALITIES[operator.quality].items():
        setattr(operator, name, value)


class LikenessPhoto(bpy.types.PropertyGroup):  # type: ignore[misc]
    """One more photo of the same person."""

    path: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Photo", description="Image file", subtype="FILE_PATH"
    )
    direction: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Shows", description="Side of the person that this photo shows", items=DIRECTIONS
    )


class ImportPortrait(JobOperator, PhotoOptions, BoneOptions, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Build an animatable avatar of the person in a photo. Select more photos of the same person
    to include the back and the sides"""

    bl_idname = "likeness.import_portrait"
    bl_label = "Portrait as Avatar"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".jpg"
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="Photo of the person",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    directory: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Folder",
        description="Folder of the photos",
        subtype="DIR_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    files: bpy.props.CollectionProperty(  # type: ignore[valid-type]
        name="Files",
        description="Photos of the person",
        type=bpy.types.OperatorFileListElement,
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: picture_filter()  # type: ignore[valid-type]
    display_type: thumbnails()  # type: ignore[valid-type]
    others: bpy.props.CollectionProperty(  # type: ignore[valid-type]
        name="Other Photos",
        description="More photos of the same person, and the sides they show",
        type=LikenessPhoto,
        options={"SKIP_SAVE"},
    )

    quality: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Quality",
        description="Build time and quality; sets the settings below",
        items=(
            ("DRAFT", "Draft", "Fewer splats, not fitted to the photo: about 10 seconds"),
            ("STANDARD", "Standard", "Fitted to the photo: about 20 seconds"),
            (
                "BEST",
                "Best",
                "All splats, best fit: about a minute. Shows the fitted body before the long part",
            ),
        ),
        default="STANDARD",
        update=_use_quality,
    )
    max_gaussians: option_property(  # type: ignore[valid-type]
        BuildOptions,
        "max_gaussians",
        name="Gaussians",
        description="Maximum number of splats; fewer are faster to pose and draw",
        default=QUALITIES["STANDARD"]["max_gaussians"],
        soft_min=20_000,
    )
    refine: option_property(  # type: ignore[valid-type]
        BuildOptions,
        "refine",
        name="Refine",
        description="Time spent on fitting the splats to the photo",
        items=(
            ("off", "Off", "Do not fit them"),
            ("fast", "Fast", "Sharper: about 10 seconds on two cores"),
            ("full", "Full", "Sharpest: about 35 seconds on two cores"),
        ),
        default=QUALITIES["STANDARD"]["refine"],
    )
    below: option_property(  # type: ignore[valid-type]
        BuildOptions,
        "below",
        name="Below Photo",
        description="What follows where the photo's frame ends",
        items=(
            ("full", "Whole Person", "Continue the clothes down to the shoes"),
            ("fade", "Soft End", "Fade out below the photo's lower edge"),
            ("cut", "Bust", "Cut cleanly below the photo's lower edge, and close the cut"),
        ),
    )
    held: option_property(  # type: ignore[valid-type]
        BuildOptions,
        "held",
        name="Held Objects",
        description="What becomes of a thing in a hand",
        items=(
            ("keep", "Keep", "It stays with the hand that holds it"),
            ("remove", "Remove", "It goes, and what it hid is completed"),
        ),
    )
    check_fit: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Check the Fit",
        description="When to show the fitted body over the photo and ask before continuing",
        items=(
            ("NEVER", "Never", "Use the largest person, and continue"),
            ("DOUBT", "If in Doubt", "If there are several people, or the fit seems wrong"),
            ("ALWAYS", "Always", "In every build"),
        ),
        default=QUALITIES["STANDARD"]["check_fit"],
    )
    person: option_property(  # type: ignore[valid-type]
        BuildOptions,
        "person",
        name="Person",
        description="Which of several people, counted from the left from 1; 0 for the largest, "
        "or to be asked",
    )
    fov: option_property(  # type: ignore[valid-type]
        BuildOptions,
        "fov",
        name="Field of View",
        description="Field of view along the longer side in degrees; 0 if unknown",
    )
    body: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Body File",
        description="Your SMPL-X model file (.npz) with landmarks; empty for the one in the "
        "preferences or the default body",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    use_network: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Hidden Sides",
        description="Let a network correct the colors of the sides that the photo does not show",
        default=True,
    )
    improve: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Hidden Sides",
        description="Former name of this property; deprecated",
        options={"HIDDEN", "SKIP_SAVE"},
        get=lambda self: self.use_network,
        set=lambda self, value: setattr(self, "use_network", value),
    )
    network: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Network",
        description="Folder of your own trained network; empty for the bundled one",
        subtype="DIR_PATH",
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        """Ask for photos and options; after a drop, only for the options."""
        running.prepare_worker(context, "build")
        self.suggest_bones(context)
        if not self.properties.is_property_set("filepath") and not self.files:
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        photos = self.photos()
        self.filepath = str(photos[0])
        self.files.clear()
        self.others.clear()
        for path in photos[1:]:
            other = self.others.add()
            other.path, other.direction = str(path), guess_direction(path)
        answer: set[str] = context.window_manager.invoke_props_dialog(
            self, width=340, title="Portrait as Avatar", confirm_text="Build Avatar"
        )
        return answer

    def cancel(self, context: Any) -> None:
        running.drop_standby()
        JobOperator.cancel(self, context)

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        if context.area is None or context.area.type != "FILE_BROWSER":
            layout.label(text=Path(self.filepath).name, icon="IMAGE_DATA", translate=False)
        for other in self.others:
            row = layout.row()
            row.use_property_split = False
            row.label(text=Path(other.path).name, icon="IMAGE_REFERENCE", translate=False)
            row.prop(other, "direction", text="")
        row = layout.row()
        row.use_property_split = False  # the three names need the whole width
        row.prop(self, "quality", expand=True)
        layout.prop(self, "below")
        layout.prop(self, "check_fit")
        header, more = layout.panel("likeness_import_portrait_more", default_closed=True)
        header.label(text="More")
        if more is not None:
            for name in ("max_gaussians", "refine", "held"):
                more.prop(self, name)
            self.draw_photo(more)
            more.prop(self, "body", placeholder="The default body")
            more.prop(self, "use_network")
            own = more.row()
            own.active = self.use_network
            own.prop(self, "network", placeholder="The bundled one")
            more.prop(self, "bone_ends")

    def photos(self) -> list[Path]:
        """The chosen photos, the main one first."""
        active = Path(bpy.path.abspath(self.filepath))
        folder = Path(bpy.path.abspath(self.directory))
        chosen = [folder / file.name for file in self.files if file.name]
        return sort_main_first(chosen, active) if len(chosen) > 1 else [*chosen, active][:1]

    def title(self) -> JobTitle:
        return JobTitle("Building {name}", self.photos()[0].stem)

    def request(self, context: Any) -> dict[str, Any]:
        self.suggest_bones(context)
        main, *more = self.photos()
        if not main.name:
            raise LikenessError("No photo is selected.", "Select a photo of a person.")
        others = [(path, guess_direction(path)) for path in more]
        others += [(Path(bpy.path.abspath(o.path)), o.direction) for o in self.others]
        self.filepath = str(main)
        options = read_options(
            BuildOptions,
            self,
            {name: name for name in ("max_gaussians", "person", "fov", "refine", "below", "held")},
            camera_pitch=self.known_pitch,
            estimator=self.estimates,
            network=bpy.path.abspath(self.network) if self.use_network else "none",
        )
        confirm = "never" if bpy.app.background else self.check_fit.lower()
        return portrait.build_request(context, main, options, others, self.body, confirm)

    def done(self, context: Any, result: dict[str, Any]) -> Generator[Any, None, Any]:
        yield from portrait.import_avatar_steps(
            context,
            Path(result["scene"]),
            Path(result["avatar"]),
            Path(self.filepath).stem,
            self.bone_ends,
        )
        show_all_layers(self, context)

    def over(self, context: Any) -> None:
        fit_adjustment.leave_fit_scene(context)
        fit_preview.clear_preview()


class PortraitFileHandler(bpy.types.FileHandler):  # type: ignore[misc]
    """Photos dropped into a 3D view."""

    bl_idname = "LIKENESS_FH_portrait"
    bl_label = "Portrait as Avatar"
    bl_import_operator = ImportPortrait.bl_idname
    bl_file_extensions = ";".join(PICTURES)

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


def draw_import(layout: Any) -> None:
    layout.operator(ImportPortrait.bl_idname, text="Portrait as Avatar")


_PRESETS = str(Path(__file__).resolve().parent.parent)
"""The folder that contains ``presets``."""


def start() -> None:
    """Called when the extension is enabled: registers its presets."""
    bpy.utils.register_preset_path(_PRESETS)


def stop() -> None:
    """Called when the extension is disabled."""
    bpy.utils.unregister_preset_path(_PRESETS)


CLASSES = (LikenessPhoto, ImportPortrait, PortraitFileHandler)
