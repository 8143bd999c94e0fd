"""A speaking avatar: from a recording, or another program's lip sync."""
# No postponed annotations here: Blender reads properties from them.

from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from ..addon.motion import motion_requests, sound
from ..addon.option_properties import option_property, read_options
from ..addon.scene.avatar_objects import find_avatars
from ..engine.workflows.options import SpeakOptions
from .motion_job import OTHERS, ActionProperties, MotionJob

_SPEECH = {
    "text": "text",
    "text_file": "text_file",
    "language": "language",
    "cue_fps": "cue_fps",
    "strength": "strength",
    "head": "head",
    "blinks": "blinks",
    "seed": "seed",
}
"""Option of ``SpeakOptions`` -> property."""


class AnimateFromAudio(MotionJob, ActionProperties, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Let the avatar speak a recording: mouth, jaw, blinks and small movements of the head. Also
    reads the lip sync of Rhubarb, Papagayo and Moho"""

    bl_idname = "likeness.animate_from_audio"
    bl_label = "Animate from Audio"
    bl_options = {"REGISTER", "PRESET"}  # noqa: RUF012

    filename_ext = ".wav"
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="File Path",
        description="Recording or lip-sync file",
        subtype="FILE_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )
    filter_glob: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Filter",
        description="File types to show",
        default=motion_requests.AUDIO_GLOB,
        options={"HIDDEN"},
    )
    text: option_property(  # type: ignore[valid-type]
        SpeakOptions,
        "text",
        name="Text",
        description="Spoken words, in English, for more accurate lip sync",
        options={"SKIP_SAVE"},
    )
    text_file: option_property(  # type: ignore[valid-type]
        SpeakOptions,
        "text_file",
        name="Text File",
        description="Text file with the words that are spoken",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    language: option_property(  # type: ignore[valid-type]
        SpeakOptions,
        "language",
        name="Language",
        description="Language of the speech, such as en or de. English words are recognized; in "
        "other languages the mouth follows energy and formants",
    )
    cue_fps: option_property(  # type: ignore[valid-type]
        SpeakOptions,
        "cue_fps",
        name="Switch Frame Rate",
        description="Frame rate of a Moho switch file (.dat), which does not contain it",
    )
    strength: option_property(  # type: ignore[valid-type]
        SpeakOptions, "strength", name="Mouth", description="How far the mouth moves"
    )
    head: option_property(  # type: ignore[valid-type]
        SpeakOptions, "head", name="Head", description="How far the head moves; 0 keeps it still"
    )
    blinks: option_property(  # type: ignore[valid-type]
        SpeakOptions, "blinks", name="Blink", description="Blink now and then"
    )
    seed: option_property(  # type: ignore[valid-type]
        SpeakOptions,
        "seed",
        name="Seed",
        description="Number from which blinks and head movements are drawn",
    )
    sound: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Add Sound",
        description="Add the recording to the sequencer, and play in time with it",
        default=True,
    )
    others: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Rest of Body",
        description="Joints and expressions that the motion does not know. Strips of the NLA leave "
        "them alone",
        items=OTHERS,
        default="keep",
    )

    def ask(self, context: Any, event: Any) -> set[str]:
        return self.ask_for_file(context, "Animate")

    def draw(self, context: Any) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        switch = self.filepath.lower().endswith(".dat")
        lip_sync = self.filepath.lower().endswith(motion_requests.CUE_SUFFIXES)
        names: tuple[str, ...] = ("cue_fps",) if switch else ()
        if not lip_sync:
            names = ("text", "text_file", "language", "sound")
        for name in (*names, "strength", "head", "blinks", "seed"):
            layout.prop(self, name)
        for name in ("others", "rate", "start_frame", "scene_range", "cyclic", "nla"):
            layout.prop(self, name)

    def request(self, context: Any) -> Any:
        audio = Path(bpy.path.abspath(self.filepath))
        wanted = self.wanted(context)
        avatar = self.for_avatar(context, str(audio), wanted)
        speech = read_options(SpeakOptions, self, _SPEECH)
        return motion_requests.speak_request(context, audio, avatar, wanted, speech)

    def done(self, context: Any, result: dict[str, Any]) -> Generator[Any, None, None]:
        yield from super().done(context, result)
        audio = Path(self._source)
        if self.sound and audio.suffix.lower() not in motion_requests.CUE_SUFFIXES:
            sound.add_sound(context.scene, audio, self._wanted.action.start)


class AudioFileHandler(bpy.types.FileHandler):  # type: ignore[misc]
    """Recordings dropped into a 3D view."""

    bl_idname = "LIKENESS_FH_audio"
    bl_label = "Speech for Avatar"
    bl_import_operator = AnimateFromAudio.bl_idname
    bl_file_extensions = ".wav;.mp3;.m4a;.flac;.ogg;.tsv;.pgo;.pg2;.dat"

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        return (
            context.area is not None
            and context.area.type == "VIEW_3D"
            and bool(find_avatars(context.scene))
        )


CLASSES = (AnimateFromAudio, AudioFileHandler)
