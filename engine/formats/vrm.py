"""VRM 1.0 files: glTF of a humanoid with expressions, gaze and a licence, for VTubing.

The mesh rests in SMPL-X's T-pose, which is VRM's: arms along the x axis, palms down, facing +z,
soles on y = 0. All 52 ARKit shapes are custom expressions; VRM's presets for emotions, vowels and
blinks are mixed from them. The eyes look by their bones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.types import JOINT_INDEX, FloatArray, Pose
from ..files.atomic import atomic_write
from .glb import Gltf, MeshNodes, add_mesh
from .surface_mesh import SurfaceMesh
from .vrm_options import ALLOWED, VrmOptions

VRM = "VRMC_vrm"
LICENSE = "https://vrm.dev/licenses/1.0/"

_SIDES = ("left", "right")
_LIMBS = {
    "Shoulder": "collar",
    "UpperArm": "shoulder",
    "LowerArm": "elbow",
    "Hand": "wrist",
    "UpperLeg": "hip",
    "LowerLeg": "knee",
    "Foot": "ankle",
    "Toes": "foot",
    "Eye": "eye_smplhf",
    "ThumbMetacarpal": "thumb1",
    "ThumbProximal": "thumb2",
    "ThumbDistal": "thumb3",
    **{
        f"{finger.title()}{part}": f"{ours}{k}"
        for finger, ours in (
            ("index", "index"),
            ("middle", "middle"),
            ("ring", "ring"),
            ("little", "pinky"),
        )
        for k, part in enumerate(("Proximal", "Intermediate", "Distal"), 1)
    },
}
HUMAN_BONES: Mapping[str, str] = {
    "hips": "pelvis",
    "spine": "spine1",
    "chest": "spine2",
    "upperChest": "spine3",
    "neck": "neck",
    "head": "head",
    "jaw": "jaw",
    **{f"{side}{bone}": f"{side}_{joint}" for side in _SIDES for bone, joint in _LIMBS.items()},
}
"""VRM's bones, and our joints."""


def _both(**weights: float) -> dict[str, float]:
    """Shapes of both sides; names that end in ``_`` are of the middle."""
    out: dict[str, float] = {}
    for name, weight in weights.items():
        names = [name[:-1]] if name.endswith("_") else [f"{name}Left", f"{name}Right"]
        out |= dict.fromkeys(names, weight)
    return out


PRESETS: Mapping[str, Mapping[str, float]] = {
    "happy": _both(mouthSmile=0.75, cheekSquint=0.6, eyeSquint=0.3, mouthDimple=0.2),
    "angry": _both(browDown=0.9, eyeSquint=0.35, noseSneer=0.45, mouthFrown=0.35, mouthPress=0.5),
    "sad": _both(browInnerUp_=0.9, mouthFrown=0.7, mouthShrugLower_=0.35, eyeLookDown=0.15),
    "relaxed": _both(mouthSmile=0.3, eyeSquint=0.3, eyeLookDown=0.15),
    "surprised": _both(
        browInnerUp_=0.8, browOuterUp=0.8, eyeWide=0.7, jawOpen_=0.35, mouthFunnel_=0.15
    ),
    "aa": _both(jawOpen_=0.65, mouthLowerDown=0.25, mouthUpperUp=0.15),
    "ih": _both(jawOpen_=0.2, mouthStretch=0.35, mouthSmile=0.15, mouthLowerDown=0.3),
    "ou": _both(jawOpen_=0.12, mouthPucker_=0.9, mouthFunnel_=0.35),
    "ee": _both(jawOpen_=0.12, mouthStretch=0.3, mouthSmile=0.45, mouthUpperUp=0.2),
    "oh": _both(jawOpen_=0.4, mouthFunnel_=0.6, mouthPucker_=0.25),
    "blink": _both(eyeBlink=1.0),
    "blinkLeft": {"eyeBlinkLeft": 1.0},
    "blinkRight": {"eyeBlinkRight": 1.0},
    "neutral": {},
}
"""VRM's preset expressions, and the ARKit shapes that make them."""

_GAZE = {
    "rangeMapHorizontalInner": (40.0, 25.0),
    "rangeMapHorizontalOuter": (40.0, 30.0),
    "rangeMapVerticalDown": (30.0, 20.0),
    "rangeMapVerticalUp": (30.0, 18.0),
}
"""Degrees to what is looked at, and degrees that the eyes turn for it."""


def write_vrm(
    path: Path,
    mesh: SurfaceMesh,
    options: VrmOptions,
    name: str = "Avatar",
    thumbnail: FloatArray | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a rigged mesh as VRM 1.0 atomically, in the T-pose on the floor.

    Args:
        path: The file.
        mesh: The textured surface.
        options: The author and the licence.
        name: Of the model and its nodes.
        thumbnail: [S, S, 3 or 4] picture of the head, sRGB 0..1; None for none.
        provenance: Where the avatar comes from, JSON-able; kept in ``asset.extras``.

    Raises:
        LikenessError: The folder cannot be written to.
    """
    gltf = Gltf()
    if provenance:
        gltf.root["asset"]["extras"] = {"provenance": dict(provenance)}
    body = mesh.body
    joints = np.asarray(body.J_template, np.float64)
    floor = np.asarray(body.v_template, np.float64)[:, 1].min()
    to_floor = np.array([-joints[0, 0], -floor, -joints[0, 2]])
    on_floor = replace(Pose.rest(body.num_expression), transl=to_floor)
    nodes = add_mesh(gltf, mesh, on_floor, name)
    gltf.root["scenes"] = [{"name": name, "nodes": nodes.roots}]
    meta = _make_meta(options, name)
    if thumbnail is not None:
        meta["thumbnailImage"] = gltf.image("Thumbnail", thumbnail)
    gltf.use(VRM)
    gltf.root["extensions"] = {
        VRM: {
            "specVersion": "1.0",
            "meta": meta,
            "humanoid": {
                "humanBones": {
                    bone: {"node": nodes.bones[JOINT_INDEX[joint]]}
                    for bone, joint in HUMAN_BONES.items()
                }
            },
            "firstPerson": {"meshAnnotations": [{"node": nodes.skinned, "type": "auto"}]},
            "lookAt": _make_gaze(joints),
            "expressions": _make_expressions(nodes, body.expression_names),
        }
    }
    with atomic_write(path) as scratch:
        scratch.write_bytes(gltf.to_bytes())


def _make_meta(options: VrmOptions, name: str) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "name": name,
        "authors": list(options.authors),
        "licenseUrl": LICENSE,
        "avatarPermission": options.avatar_permission,
        "commercialUsage": options.commercial_usage,
        "creditNotation": options.credit,
        "modification": options.modification,
        **{field: use in options.allow for use, field in ALLOWED.items()},
    }
    texts = {
        "version": options.version,
        "contactInformation": options.contact,
        "copyrightInformation": options.copyright,
        "otherLicenseUrl": options.other_license,
    }
    return meta | {field: text for field, text in texts.items() if text}


def _make_gaze(joints: FloatArray) -> dict[str, Any]:
    eyes = joints[[JOINT_INDEX["left_eye_smplhf"], JOINT_INDEX["right_eye_smplhf"]]].mean(0)
    return {
        "type": "bone",
        "offsetFromHeadBone": (eyes - joints[JOINT_INDEX["head"]]).tolist(),
        **{
            name: {"inputMaxValue": most, "outputScale": turn}
            for name, (most, turn) in _GAZE.items()
        },
    }


def _make_expressions(nodes: MeshNodes, names: Sequence[str]) -> dict[str, Any]:
    """The presets that the body's shapes can make, and every shape on its own."""
    row = {name: k for k, name in enumerate(names)}

    def make(weights: Mapping[str, float]) -> dict[str, Any]:
        binds = [
            {"node": nodes.skinned, "index": row[shape], "weight": weight}
            for shape, weight in weights.items()
        ]
        return {"isBinary": False, **({"morphTargetBinds": binds} if binds else {})}

    preset = {
        name: make(weights) for name, weights in PRESETS.items() if weights.keys() <= row.keys()
    }
    return {"preset": preset, "custom": {name: make({name: 1.0}) for name in names}}
