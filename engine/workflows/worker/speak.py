"""A recording to a motion file of a speaking face, for Blender, and that motion for one avatar.

Request::

    {"task": "speak", "audio": "me.wav", "output": "me.npz",
     "options": {"text": "Hello.", "fps": 24.0}, "prepared": "prepared.npz", "target": {...},
     "motion": {"frame_rate": 24.0}}

``options`` are fields of ``options.SpeakOptions``. Only ``audio`` and ``output`` are needed. With
``prepared``, the motion is prepared for an avatar, as :mod:`.motion` does, with ``motion`` as its
options. Result: ``{"motion_file": "…", "report": {…}, "warnings": []}`` and the answer of
:mod:`.motion`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.options import options_from_json
from .motion import parse_target, prepare_for

if TYPE_CHECKING:
    from .main import Channel

DEFAULTS: dict[str, Any] = {
    "audio": ...,
    "output": ...,
    "body": None,
    "options": {},
    "prepared": None,
    "target": None,
    "motion": {},
}


def run(request: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Listen, write and prepare the motion; see the module."""
    from ..options import SpeakOptions
    from ..speak_files import speak_to_file

    options = options_from_json(SpeakOptions, request["options"])
    target, wanted = parse_target(request)
    done = speak_to_file(
        Path(request["audio"]),
        Path(request["output"]),
        options,
        body_path=Path(request["body"]) if request["body"] else None,
        progress=channel.progress,
    )
    result: dict[str, Any] = {
        "motion_file": str(done.motion_file),
        "report": done.report,
        "warnings": [],
        "notes": list(done.speech.notes),
    }
    if target is not None:
        prepared = Path(request["prepared"])
        result |= prepare_for(done.motion_file, target, wanted, prepared, done.speech.notes)
    return result
