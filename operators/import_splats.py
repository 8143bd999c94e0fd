"""File > Import > Gaussian Splats: splats of any program as one object."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from ..addon import portrait
from ..addon.job_texts import JobTitle
from ..addon.scene import render_setup
from ..addon.translations import translate
from .job_operator import JobOperator, show_all_layers


class ImportSplats(JobOperator, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Import a Gaussian splat scene (.ply, .spz) as one object. View-dependent colors are
    averaged"""

    bl_idname = "likeness.import_splats"
    bl_label = "Import Gaussian Splats"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".ply"
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="Splat file",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter", description="File types to show", default="*.ply;*.spz", options={"HIDDEN"}
    )
    up: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Up Axis",
        description="Axis that points up in a PLY file; SPZ files define it",
        items=(
            ("-y", "-Y", "As most training programs of Gaussian splats save it"),
            ("y", "Y", "As in glTF"),
            ("z", "Z", "As in Blender"),
        ),
        default="-y",
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        """Ask for a file, unless one was dropped."""
        if self.properties.is_property_set("filepath"):
            return self.begin(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def title(self) -> JobTitle:
        return JobTitle("Opening {name}", Path(self.filepath).stem)

    def request(self, context: Any) -> dict[str, Any]:
        return portrait.splats_request(Path(bpy.path.abspath(self.filepath)), self.up)

    def done(self, context: Any, result: dict[str, Any]) -> Generator[Any, None, Any]:
        name = Path(self.filepath).stem
        yield from portrait.import_splats_steps(context, Path(result["scene"]), name)
        show_all_layers(self, context)
        transform = render_setup.find_changing_transform(context.scene)
        if transform:
            note = translate(
                "The view transform {name} changes the colors; Standard, under Render > Color "
                "Management, shows them as in the file"
            )
            self.report({"INFO"}, note.format(name=transform))


class SplatsFileHandler(bpy.types.FileHandler):  # type: ignore[misc]
    """Splat files dropped into a 3D view."""

    bl_idname = "LIKENESS_FH_splats"
    bl_label = "Gaussian Splats"
    bl_import_operator = ImportSplats.bl_idname
    bl_file_extensions = ".ply;.spz"

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


def draw_import(layout: Any) -> None:
    layout.operator(ImportSplats.bl_idname, text="Gaussian Splats (.ply/.spz)")


CLASSES = (ImportSplats, SplatsFileHandler)
"""Blender offers the file handler next to its own for PLY meshes."""
