"""File > Export: the avatar as VRM 1.0, for VTubing and engines."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from dataclasses import asdict
from typing import Any

import bpy

from ..addon.option_properties import option_property, read_options
from ..addon.scene.avatar_objects import get_chosen_avatar
from ..addon.scene.frame_recorder import record_frames
from ..engine.workflows.options import ExportOptions, VrmOptions
from .export import TEXTURE_SIZES, ExportOperator

_USES = ("redistribution", "violence", "sexual", "politics", "antisocial")
_OPTIONS = {
    name: name
    for name in ("avatar_permission", "commercial_usage", "credit", "modification", "contact")
}


class ExportVrm(ExportOperator, bpy.types.Operator):  # type: ignore[misc]
    """Save the avatar as VRM 1.0 in the T-pose, with bones, expressions, gaze and a license, for
    VTubing and engines"""

    bl_idname = "likeness.export_vrm"
    bl_label = "Export VRM"
    suffixes = (".vrm",)

    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        default="*.vrm", options={"HIDDEN"}
    )
    author: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Author", description="Author of the model, which the file must name"
    )
    contact: option_property(  # type: ignore[valid-type]
        VrmOptions, "contact", name="Contact", description="How to reach the author; may be empty"
    )
    avatar_permission: option_property(  # type: ignore[valid-type]
        VrmOptions,
        "avatar_permission",
        name="Performers",
        description="Who may perform with the avatar",
        items=[
            ("onlyAuthor", "Only the Author", "Nobody but the author"),
            ("onlySeparatelyLicensedPerson", "Licensed People", "Whom the author licenses"),
            ("everyone", "Everyone", "Everybody who has the file"),
        ],
    )
    commercial_usage: option_property(  # type: ignore[valid-type]
        VrmOptions,
        "commercial_usage",
        name="Profit",
        description="Who may earn money with the avatar",
        items=[
            ("personalNonProfit", "None", "Use without profit only"),
            ("personalProfit", "Individuals", "Individuals may profit"),
            ("corporation", "Companies", "Companies may profit, too"),
        ],
    )
    credit: option_property(  # type: ignore[valid-type]
        VrmOptions,
        "credit",
        name="Credit",
        description="Whether the author must be named",
        items=[
            ("required", "Required", "The author must be named"),
            ("unnecessary", "Unnecessary", "The author need not be named"),
        ],
    )
    modification: option_property(  # type: ignore[valid-type]
        VrmOptions,
        "modification",
        name="Changes",
        description="Whether the model may be changed",
        items=[
            ("prohibited", "Prohibited", "It may not be changed"),
            ("allowModification", "Allowed", "It may be changed, but not passed on changed"),
            (
                "allowModificationRedistribution",
                "Allowed and Passed On",
                "It may be changed, and passed on changed",
            ),
        ],
    )
    allow: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Allowed",
        description="Uses that are allowed",
        options={"ENUM_FLAG"},
        items=[
            ("redistribution", "Redistribution", "Passing the file on"),
            ("violence", "Violence", "Depicting excessive violence"),
            ("sexual", "Sexual Content", "Depicting sexual acts"),
            ("politics", "Politics and Religion", "Political and religious purposes"),
            ("antisocial", "Antisocial Content", "Antisocial and hateful expressions"),
        ],
    )
    texture: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Texture",
        description="Size of the texture in pixels",
        items=TEXTURE_SIZES,
        default="2048",
    )

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        for name in ("author", "contact", "texture"):
            layout.prop(self, name)
        for name in ("avatar_permission", "commercial_usage", "credit", "modification"):
            layout.prop(self, name)
        layout.column().prop(self, "allow")

    def request(self, context: Any) -> Generator[float, None, dict[str, Any]]:
        out, scratch = self.target(), self.scratch()
        avatar = get_chosen_avatar(context)
        vrm = read_options(
            VrmOptions,
            self,
            _OPTIONS,
            authors=tuple(filter(None, [self.author.strip()])),
            allow=tuple(use for use in _USES if use in self.allow),
        )
        options = ExportOptions(texture=int(self.texture), name=avatar.armature.name, vrm=vrm)
        yield from record_frames(
            context, [avatar], [context.scene.frame_current], scratch, camera=False
        )
        return {
            "task": "export",
            "folder": str(scratch),
            "out": str(out),
            "options": asdict(options),
        }


def draw_export(layout: Any) -> None:
    layout.operator(ExportVrm.bl_idname, text="Likeness VRM (.vrm)")


CLASSES = (ExportVrm,)
