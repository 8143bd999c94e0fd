"""glTF files, read by a reader of the test's own and by Khronos' validator where it is."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.engine.core.rotations import quaternion_to_matrix
from likeness.engine.core.types import JOINT_NAMES, Gaussians
from likeness.engine.formats.glb import write_glb
from likeness.engine.gaussians.mesh_extraction import extract_mesh
from likeness.engine.gaussians.posing import pose_avatar
from likeness.engine.render import render_camera
from likeness.engine.visual.metrics import psnr
from likeness.engine.workflows.export_files import poses_to_motion
from PIL import Image

_spec = importlib.util.spec_from_file_location("exported", Path(__file__).with_name("exported.py"))
exported = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(exported)

KHR = "KHR_gaussian_splatting"
VALIDATE = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])), {maxIssues: 500})
  .then(report => console.log(JSON.stringify(report.issues.messages)));
"""


@pytest.fixture(scope="module")
def avatar():
    return exported.painted_avatar()


@pytest.fixture(scope="module")
def mesh(avatar):
    return extract_mesh(avatar, 128)


@pytest.fixture(scope="module")
def motion(avatar):
    rest = avatar.pose.full_pose
    poses = [
        replace(avatar.pose, full_pose=k * rest, expression=k * avatar.pose.expression)
        for k in (1.0, 0.5, 0.0)
    ]
    return poses_to_motion(avatar, poses, 10.0)


@pytest.fixture(scope="module")
def file(avatar, mesh, motion, tmp_path_factory):
    path = tmp_path_factory.mktemp("glb") / "a.glb"
    write_glb(path, pose_avatar(avatar), mesh, motion, "Ann")
    return path


def test_splats_are_drawn_as_before(avatar, file) -> None:
    glb = exported.Glb(file)
    (node,) = glb.nodes_of("Splats")
    (primitive,) = glb.json["meshes"][node["mesh"]]["primitives"]
    assert primitive["mode"] == 0
    kind = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}
    assert primitive["extensions"][KHR] == kind
    assert KHR in glb.json["extensionsUsed"]
    held = {name: glb.array(index) for name, index in primitive["attributes"].items()}
    x, y, z, w = held[f"{KHR}:ROTATION"].T
    splats = Gaussians(
        held["POSITION"],
        np.stack([w, x, y, z], 1),
        held[f"{KHR}:SCALE"],
        held[f"{KHR}:OPACITY"][:, 0],
        0.5 + 0.282095 * held[f"{KHR}:SH_DEGREE_0_COEF_0"],
    )
    np.testing.assert_allclose(np.linalg.norm(splats.quats, axis=1), 1, atol=1e-6)
    a, b = (render_camera(g, avatar.camera).rgb for g in (pose_avatar(avatar), splats))
    assert psnr(a, b) > 60
    linear = held["COLOR_0"][:, :3]
    stored = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(stored, splats.colors, atol=2e-3)
    bounds = glb.json["accessors"][primitive["attributes"]["POSITION"]]
    np.testing.assert_allclose(bounds["max"], splats.means.max(0))


def posed(glb, frame: int | None) -> np.ndarray:
    """[V, 3] the skinned mesh as a glTF program has to show it, at a key of the animation."""
    holder, skinned = glb.nodes_of("Mesh")
    skin = glb.json["skins"][skinned["skin"]]
    nodes = [dict(node) for node in glb.json["nodes"]]
    mesh = glb.json["meshes"][skinned["mesh"]]
    weights = np.array(mesh["weights"])
    if frame is not None:
        animation = glb.json["animations"][0]
        for channel in animation["channels"]:
            values = glb.array(animation["samplers"][channel["sampler"]]["output"])
            if channel["target"]["path"] == "weights":
                weights = values.reshape(-1, len(weights))[frame]
            else:
                nodes[channel["target"]["node"]][channel["target"]["path"]] = values[frame]
    world = {}

    def walk(index: int, above: np.ndarray) -> None:
        node = nodes[index]
        here = np.eye(4)
        if "matrix" in node:
            here = np.array(node["matrix"]).reshape(4, 4).T
        x, y, z, w = node.get("rotation", [0, 0, 0, 1])
        here[:3, :3] = here[:3, :3] @ quaternion_to_matrix(np.array([w, x, y, z]))
        here[:3, 3] += node.get("translation", [0, 0, 0])
        world[index] = above @ here
        for child in node.get("children", []):
            walk(child, world[index])

    walk(glb.json["nodes"].index(holder), np.eye(4))
    (primitive,) = mesh["primitives"]
    points = glb.array(primitive["attributes"]["POSITION"]).astype(np.float64)
    for weight, target in zip(weights, primitive["targets"], strict=True):
        points = points + weight * glb.array(target["POSITION"])
    inverse = glb.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
    bones = np.array([world[k] for k in skin["joints"]]) @ inverse
    joints = glb.array(primitive["attributes"]["JOINTS_0"])
    share = glb.array(primitive["attributes"]["WEIGHTS_0"]).astype(np.float64)
    assert np.abs(share.sum(1) - 1).max() < 1e-6
    one = np.concatenate([points, np.ones((len(points), 1))], 1)
    return np.einsum("vk,vkab,vb->va", share, bones[joints], one)[:, :3]


def places(glb, mesh) -> np.ndarray:
    """[n] which of the body's vertices each vertex of the file is, by where it lies at rest."""
    _, skinned = glb.nodes_of("Mesh")
    (primitive,) = glb.json["meshes"][skinned["mesh"]]["primitives"]
    points = glb.array(primitive["attributes"]["POSITION"])
    return np.array([np.abs(mesh.body.v_template - p).sum(1).argmin() for p in points])


@pytest.mark.parametrize("frame", [None, 0, 1, 2])
def test_mesh_follows_bones_and_expressions(mesh, motion, file, frame) -> None:
    glb = exported.Glb(file)
    expected, _ = mesh.body.vertices(motion.pose(frame or 0))
    off = np.linalg.norm(posed(glb, frame) - expected[places(glb, mesh)], axis=1)
    assert np.median(off) < 1e-5
    assert off.max() < 0.01  # of more than four bones the lightest are left out


def test_place_in_the_world(avatar, mesh, tmp_path: Path) -> None:
    place = np.eye(4)
    place[:3] = [[0, 0, 2, 1], [0, 2, 0, 0.5], [-2, 0, 0, 3]]
    write_glb(tmp_path / "a.glb", None, mesh, avatar.pose, place=place)
    glb = exported.Glb(tmp_path / "a.glb")
    expected, _ = mesh.body.vertices(avatar.pose)
    expected = expected[places(glb, mesh)] @ place[:3, :3].T + place[:3, 3]
    assert np.median(np.linalg.norm(posed(glb, None) - expected, axis=1)) < 1e-5


def test_names_and_texture(mesh, file) -> None:
    glb = exported.Glb(file)
    _, skinned = glb.nodes_of("Mesh")
    held = glb.json["meshes"][skinned["mesh"]]
    assert held["extras"]["targetNames"] == list(mesh.body.expression_names)
    joints = glb.json["skins"][0]["joints"]
    assert [glb.json["nodes"][k]["name"] for k in joints] == list(JOINT_NAMES)
    assert glb.json["scene"] == 1  # what moves is shown first
    (image,) = glb.json["images"]
    picture = np.asarray(Image.open(io.BytesIO(glb.view(image["bufferView"])))) / 255
    np.testing.assert_allclose(picture, mesh.texture, atol=0.5 / 255 + 1e-6)
    times = glb.array(glb.json["animations"][0]["samplers"][0]["input"])
    np.testing.assert_allclose(times[:, 0], [0, 0.1, 0.2], atol=1e-7)


def test_khronos_validator(avatar, mesh, motion, file, tmp_path: Path) -> None:
    """The mesh: nothing to say at all. Splats: only that it does not know the extension yet, whose
    names of attributes it therefore refuses."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("No node: install Node.js and 'npm install gltf-validator' to run this.")
    found = subprocess.run(
        [node, "-e", "require.resolve('gltf-validator')"], capture_output=True, check=False
    )
    if found.returncode:
        pytest.skip("No gltf-validator: 'npm install gltf-validator', or name it in NODE_PATH.")

    def issues(path: Path) -> list[dict]:
        done = subprocess.run(
            [node, "-e", VALIDATE, str(path)], capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    write_glb(tmp_path / "mesh.glb", None, mesh, motion)
    assert issues(tmp_path / "mesh.glb") == []
    said = issues(file)
    codes = {issue["code"] for issue in said}
    assert codes <= {"UNSUPPORTED_EXTENSION", "MESH_PRIMITIVE_INVALID_ATTRIBUTE"}
    for issue in said:
        assert KHR in issue["message"] + issue["pointer"]
