"""VRM 1.0 files, read by a reader of the test's own that knows the specification's rules."""

from __future__ import annotations

import importlib.util
import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.engine.body.names import ARKIT_EXPRESSIONS
from likeness.engine.core.types import JOINT_NAMES, LikenessError
from likeness.engine.formats.vrm import HUMAN_BONES, PRESETS, write_vrm
from likeness.engine.formats.vrm_options import VrmOptions
from likeness.engine.gaussians.mesh_extraction import extract_mesh
from likeness.engine.workflows.export_files import export_avatar
from likeness.engine.workflows.options import ExportOptions
from PIL import Image

_spec = importlib.util.spec_from_file_location("exported", Path(__file__).with_name("exported.py"))
exported = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exported)

SIDES = ("left", "right")
REQUIRED = {"hips", "spine", "head"} | {
    f"{side}{bone}"
    for side in SIDES
    for bone in ("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")
}
FINGERS = {
    f"{side}{finger}{part}"
    for side in SIDES
    for finger in ("Thumb", "Index", "Middle", "Ring", "Little")
    for part in (
        ("Metacarpal", "Proximal", "Distal")
        if finger == "Thumb"
        else ("Proximal", "Intermediate", "Distal")
    )
}
PARENTS = {
    "spine": "hips",
    "chest": "spine",
    "upperChest": "chest",
    "neck": "upperChest",
    "head": "neck",
    "jaw": "head",
    **{f"{s}Eye": "head" for s in SIDES},
    **{f"{s}Shoulder": "upperChest" for s in SIDES},
    **{f"{s}UpperArm": f"{s}Shoulder" for s in SIDES},
    **{f"{s}LowerArm": f"{s}UpperArm" for s in SIDES},
    **{f"{s}Hand": f"{s}LowerArm" for s in SIDES},
    **{f"{s}UpperLeg": "hips" for s in SIDES},
    **{f"{s}LowerLeg": f"{s}UpperLeg" for s in SIDES},
    **{f"{s}Foot": f"{s}LowerLeg" for s in SIDES},
    **{f"{s}Toes": f"{s}Foot" for s in SIDES},
}
"""Each bone, and the nearest one above it, in the specification's order."""

OPTIONS = VrmOptions(("Ann", "Bob"), allow=("redistribution",), contact="ann@example.org")


@pytest.fixture(scope="module")
def avatar() -> Any:
    person = exported.painted_avatar(count=3000)
    return replace(person, provenance={"source": "a.png"})


@pytest.fixture(scope="module")
def vrm(avatar: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("vrm") / "ann.vrm"
    options = ExportOptions(texture=64, name="Ann", vrm=OPTIONS)
    assert export_avatar(avatar, path, avatar.pose, options) == [path]
    return exported.Glb(path)


def world_places(glb: Any) -> np.ndarray:
    """[N, 3] origins of the nodes, none of which is turned or scaled."""
    nodes = glb.json["nodes"]
    parent = {child: k for k, node in enumerate(nodes) for child in node.get("children", [])}
    out = np.zeros((len(nodes), 3))
    for k in range(len(nodes)):
        at: int | None = k
        while at is not None:
            assert nodes[at].get("scale", [1, 1, 1]) == [1, 1, 1]
            np.testing.assert_allclose(nodes[at].get("rotation", [0, 0, 0, 1]), [0, 0, 0, 1])
            out[k] += nodes[at].get("translation", [0, 0, 0])
            at = parent.get(at)
    return out


def test_every_bone_is_there_in_its_place(vrm: Any) -> None:
    bones = vrm.json["extensions"]["VRMC_vrm"]["humanoid"]["humanBones"]
    assert set(bones) >= REQUIRED | FINGERS | set(PARENTS)
    nodes = vrm.json["nodes"]
    parent = {child: k for k, node in enumerate(nodes) for child in node.get("children", [])}
    at = {bone: one["node"] for bone, one in bones.items()}
    assert len(set(at.values())) == len(at) == len(JOINT_NAMES)
    for bone, above in PARENTS.items():
        assert parent[at[bone]] == at[above], bone
    for side in SIDES:
        for finger in ("Thumb", "Index", "Middle", "Ring", "Little"):
            chain = [name for name in bones if name.startswith(f"{side}{finger}")]
            nodes_of_chain = [at[f"{side}Hand"], *(at[name] for name in chain)]
            assert [parent[k] for k in nodes_of_chain[1:]] == nodes_of_chain[:-1]


def test_it_stands_in_the_t_pose_on_the_floor(vrm: Any) -> None:
    places = world_places(vrm)
    bones = vrm.json["extensions"]["VRMC_vrm"]["humanoid"]["humanBones"]
    at = {bone: places[one["node"]] for bone, one in bones.items()}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = at[f"{side}Hand"] - at[f"{side}UpperArm"]
        assert sign * arm[0] > 0.99 * np.linalg.norm(arm)
        assert sign * at[f"{side}UpperLeg"][0] > 0
        assert at[f"{side}Toes"][2] > at[f"{side}Foot"][2]  # towards +z
    assert abs(at["hips"][0]) < 1e-6
    (mesh,) = vrm.json["meshes"]
    (primitive,) = mesh["primitives"]
    points = vrm.array(primitive["attributes"]["POSITION"])
    # The skin binds at rest: moved from the hips' bind place to where the hips are.
    skin = vrm.json["skins"][0]
    binds = vrm.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4)
    by = places[skin["joints"][0]] + binds[0, 3, :3]
    assert (points + by)[:, 1].min() == pytest.approx(0.0, abs=1e-5)


def test_expressions_are_made_from_the_shapes(vrm: Any) -> None:
    said = vrm.json["extensions"]["VRMC_vrm"]["expressions"]
    assert set(said["preset"]) == set(PRESETS)
    assert list(said["custom"]) == list(ARKIT_EXPRESSIONS)
    names = vrm.json["meshes"][0]["extras"]["targetNames"]
    for group, wanted in (
        (said["preset"], PRESETS),
        (said["custom"], {name: {name: 1.0} for name in ARKIT_EXPRESSIONS}),
    ):
        for name, one in group.items():
            binds = one.get("morphTargetBinds", [])
            assert all("mesh" in vrm.json["nodes"][bind["node"]] for bind in binds)
            assert {names[bind["index"]]: bind["weight"] for bind in binds} == dict(wanted[name])
            assert all(0.0 < bind["weight"] <= 1.0 for bind in binds)
    spoken = ("aa", "ih", "ou", "ee", "oh")
    assert all(said["preset"][name]["morphTargetBinds"] for name in (*spoken, "blink", "happy"))


def test_gaze_licence_and_provenance(vrm: Any, avatar: Any) -> None:
    root = vrm.json
    said = root["extensions"]["VRMC_vrm"]
    assert "VRMC_vrm" in root["extensionsUsed"]
    assert said["specVersion"] == "1.0"
    meta = said["meta"]
    assert meta["licenseUrl"] == "https://vrm.dev/licenses/1.0/"
    assert (meta["name"], meta["authors"]) == ("Ann", ["Ann", "Bob"])
    assert meta["contactInformation"] == "ann@example.org"
    assert "version" not in meta
    allowed = {name for name, value in meta.items() if value is True}
    assert allowed == {"allowRedistribution"}
    assert meta["avatarPermission"] == "onlyAuthor"
    picture = root["images"][meta["thumbnailImage"]]
    with Image.open(io.BytesIO(vrm.view(picture["bufferView"]))) as image:
        assert image.width == image.height
    assert root["asset"]["extras"] == {"provenance": {"source": "a.png"}}
    (annotation,) = said["firstPerson"]["meshAnnotations"]
    assert "mesh" in root["nodes"][annotation["node"]]
    assert annotation["type"] == "auto"
    gaze = said["lookAt"]
    assert gaze["type"] == "bone"
    places = world_places(vrm)
    bones = {name: places[one["node"]] for name, one in said["humanoid"]["humanBones"].items()}
    between = (bones["leftEye"] + bones["rightEye"]) / 2
    np.testing.assert_allclose(bones["head"] + gaze["offsetFromHeadBone"], between, atol=1e-6)
    for name in ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp"):
        assert 0 < gaze[f"rangeMap{name}"]["outputScale"] <= 35


def test_a_body_without_the_shapes_has_no_presets(avatar: Any, tmp_path: Path) -> None:
    mesh = extract_mesh(avatar, 64)
    names = tuple(f"expr{k:02d}" for k in range(mesh.body.num_expression))
    other = replace(mesh, body=replace(mesh.body, expression_names=names))
    write_vrm(tmp_path / "a.vrm", other, OPTIONS)
    said = exported.Glb(tmp_path / "a.vrm").json["extensions"]["VRMC_vrm"]["expressions"]
    assert (set(said["preset"]), len(said["custom"])) == ({"neutral"}, len(names))


def test_bones_are_named_as_the_specification_has_them() -> None:
    assert set(HUMAN_BONES) == REQUIRED | FINGERS | set(PARENTS)
    assert sorted(HUMAN_BONES.values()) == sorted(JOINT_NAMES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs an author"),
        ({"vrm": VrmOptions((" ",))}, "needs an author"),
        ({"vrm": OPTIONS, "content": "splats"}, "cannot hold splats"),
        ({"vrm": OPTIONS, "place": "photo"}, "stands at the origin"),
    ],
)
def test_what_a_file_cannot_have(
    avatar: Any, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LikenessError, match=message):
        export_avatar(avatar, tmp_path / "a.vrm", avatar.pose, ExportOptions(**options))
    with pytest.raises(LikenessError, match="no author and licence"):
        export_avatar(avatar, tmp_path / "a.glb", avatar.pose, ExportOptions(vrm=OPTIONS))
    with pytest.raises(LikenessError, match="avatar_permission"):
        VrmOptions(("Ann",), avatar_permission="nobody")
    assert list(tmp_path.iterdir()) == []


VALIDATE = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])), {maxIssues: 500})
  .then(report => console.log(report.issues.numErrors, report.issues.numWarnings));
"""


def test_khronos_validator(vrm: Any, avatar: Any, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    path = tmp_path / "a.vrm"
    export_avatar(avatar, path, avatar.pose, ExportOptions(texture=64, vrm=OPTIONS))
    done = subprocess.run(
        ["node", "-e", VALIDATE, str(path)], capture_output=True, text=True, check=False
    )
    if "Cannot find module" in done.stderr:
        pytest.skip("needs gltf-validator (npm install gltf-validator; NODE_PATH)")
    assert done.stdout.split() == ["0", "0"], done.stdout + done.stderr
