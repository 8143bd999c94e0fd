"""Which of a foreign rig's bones are which of our joints, by their names.

``bones.csv`` lists what Mixamo, Rigify, Unreal, VRM, MakeHuman and others call them, without side,
prefix and punctuation. Spines are left out: rigs divide them as they like.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from ...core.types import JOINT_INDEX, JOINT_NAMES

_PREFIXES = r"^(mixamorig\d*|def|org|j_bip|bip0*1|cc_base|valvebiped_bip0*1|b|bn|bone|g)[_\s-]+"
_SIDES = (
    (r"^(left|right)[_]?(.+)$", 1, 2),
    (r"^(.+?)[_]?(left|right)$", 2, 1),
    (r"^(l|r)_(.+)$", 1, 2),
    (r"^(.+?)_(l|r)$", 2, 1),
)
_MIDDLE = ("pelvis", "neck", "head")
_EXACT = 15
"""With this many of SMPL-X's own names it is SMPL-X's own rig, whose 'shoulder' is not a
collar."""


@lru_cache
def _table() -> dict[str, str]:
    with Path(__file__).with_name("bones.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: row["joint"] for row in rows for name in row["names"].split()}


def joint_for_bone(bone: str) -> str | None:
    """The joint at the head of a bone of this name, or None.

    >>> joint_for_bone("mixamorig:LeftForeArm"), joint_for_bone("J_Bip_L_Index2")
    ('left_elbow', 'left_index2')
    >>> joint_for_bone("clavicle_r"), joint_for_bone("Spine1"), joint_for_bone("LeftHandThumb1")
    ('right_collar', None, 'left_thumb1')
    """
    name = re.split(r"[:|]", bone)[-1].lower()
    name = re.sub(r"[.\s-]+", "_", name)
    for _ in range(2):  # mixamorig_LeftArm; DEF-ORG-...
        name = re.sub(_PREFIXES, "", name)
    name = re.sub(r"^c_", "", name)  # VRM's middle
    side = ""
    for pattern, which, rest in _SIDES:
        found = re.match(pattern, name)
        if found:
            side, name = found.group(which)[0], found.group(rest)
            break
    joint = _table().get(name.replace("_", ""))
    if joint is None or (joint in _MIDDLE) != (side == ""):
        return None
    return joint if side == "" else f"{'left' if side == 'l' else 'right'}_{joint}"


def joints_for_bones(bones: Sequence[str]) -> dict[int, int]:
    """Rows of ``bones`` by joint index; the first bone of several with one meaning counts."""
    exact = {JOINT_INDEX[name]: row for row, name in enumerate(bones) if name in JOINT_INDEX}
    if len(exact) >= _EXACT:
        return exact
    out: dict[int, int] = {}
    for row, name in enumerate(bones):
        joint = joint_for_bone(name)
        if joint is not None and joint in JOINT_NAMES:
            out.setdefault(JOINT_INDEX[joint], row)
    return out
