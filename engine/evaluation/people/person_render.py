"""A picture of a made-up person, and what is true in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...bake.plain_render import PersonPaint
from ...body import Body
from ...core.cameras import project
from ...core.geometry import vertex_normals
from ...core.types import JOINT_INDEX, BoolArray, Camera, FloatArray, IntArray, Portrait
from ...dataset.backgrounds import random_background
from ...render.mesh import rasterize_mesh
from ...synth import mesh_shading
from ...synth.dress import DressBody, PosedBody, garment_vertices, hidden_faces, pose_body
from ...synth.library import Garment, Library, load_garment, load_texture
from .person import RandomPerson

SUPERSAMPLING = 2
SURFACE_TOLERANCE = 0.006  # metres by which a vertex may lie behind the z-buffer and be seen
HIDDEN_BEHIND = 0.08  # metres of another body part in front of a joint that hide it
MIN_FACING = 0.05  # cosine between a vertex's normal and the line of sight
EYE_CENTRE = (0.704, 0.298)  # of the upper eye in MakeHuman's eye textures, v down
EYE_SCALE = 0.112 / 0.0058  # texture units per metre: the iris has the same size on everybody
BODY_JOINTS = 22
EYE_PARTS = ("eye", "eye_back")
THIN, THICK = 0.0025, 0.012  # metres by which brows and hair win against the skin below
SENSOR_NOISE = np.float32(0.008)
EYES_OPEN = 0.6  # least share of light that reaches an eyeball: lids let light through


@dataclass(frozen=True)
class Truth:
    """What is true in a picture.

    Attributes:
        vertices: [V, 3] and joints [55, 3], metres, the photo camera's space.
        rotations: [55, 3, 3] world rotation of each joint.
        alpha: [H, W] float32, how much of each pixel the person covers (hair and clothes too).
        vertex_visible: [V] in the frame, facing the camera, and hidden by nothing (z-buffer).
        joint_visible: [22] body joints in the frame, see :func:`visible_joints`.
    """

    vertices: FloatArray
    joints: FloatArray
    rotations: FloatArray
    alpha: FloatArray
    vertex_visible: BoolArray
    joint_visible: BoolArray


class _Textures:
    """Pictures as rows of one array."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.uint8]] = []

    def add(self, picture: NDArray[np.uint8]) -> int:
        self._rows.append(picture)
        return len(self._rows) - 1

    def array(self) -> NDArray[np.uint8]:
        return np.stack(self._rows) if self._rows else np.zeros((1, 1, 1, 4), np.uint8)


def random_light(rng: np.random.Generator) -> mesh_shading.SceneLight:
    """A key from before and above, a weaker fill from the other side, and sky light."""
    angle, height = rng.uniform(-1.1, 1.1), rng.uniform(0.1, 0.9)
    key = np.array([np.sin(angle) * np.cos(height), np.sin(height), np.cos(angle) * np.cos(height)])
    other = -np.sign(angle) * rng.uniform(0.5, 1.3)
    fill = np.array([np.sin(other), 0.2, np.cos(other)])
    warm = rng.normal(0, 0.06)
    tone = np.array([1 + warm, 1.0, 1 - warm])
    strength = rng.uniform(0.45, 0.9)
    return mesh_shading.SceneLight(
        key,
        fill / np.linalg.norm(fill),
        strength * tone,
        rng.uniform(0.1, 0.3) / tone,
        (1.15 - 0.7 * strength) * np.ones(3),
    )


def _body_mesh(
    posed: PosedBody, looks_skin: int, looks_eyes: int, library: Library | None, textures: _Textures
) -> mesh_shading.Mesh:
    """The skin, textured by MakeHuman's layout, and eyes by their place; painted (-1) without a
    library. Teeth, tongue and the mouth's inside are always painted."""
    body = posed.dress.body
    count = len(body.f)
    uv = np.zeros((count, 3, 2))
    texture = np.full(count, -1, np.int64)
    if library is not None and looks_skin >= 0:
        uv = np.asarray(body.vt, np.float64)[body.ft] * [1.0, -1.0] + [0.0, 1.0]
        painted = [
            body.part_names.index(name) for name in ("eye", "eye_back", "mouth", "teeth", "tongue")
        ]
        texture[~np.isin(body.face_part, painted)] = textures.add(
            load_texture(library.skins[looks_skin])
        )
        if looks_eyes >= 0:
            eye = textures.add(load_texture(library.eyes[looks_eyes]))
            corners = np.asarray(body.v_template, np.float64)[body.f]
            parts = [body.part_names.index(name) for name in EYE_PARTS]
            for name, side in (("left_eye_smplhf", 1.0), ("right_eye_smplhf", -1.0)):
                own = np.isin(body.face_part, parts) & (side * corners.mean(1)[:, 0] > 0)
                place = (corners[own] - body.J_template[JOINT_INDEX[name]])[..., :2]
                # Past the ball's silhouette the texture would wrap round: stay on the white.
                place = np.clip(place * EYE_SCALE, -0.2, 0.2)
                uv[own] = np.array(EYE_CENTRE) + place * [1.0, -1.0]
                texture[own] = eye
    return mesh_shading.Mesh(posed.vertices, body.f, uv, texture, np.ones((count, 3)))


def _garment_mesh(
    garment: Garment, posed: PosedBody, tint: FloatArray, bias: float, textures: _Textures
) -> mesh_shading.Mesh | None:
    if garment.texture is None:
        return None
    count = len(garment.f)
    row = textures.add(load_texture(garment.texture))
    return mesh_shading.Mesh(
        garment_vertices(garment, posed),
        garment.f,
        garment.uv,
        np.full(count, row, np.int64),
        np.tile(tint, (count, 1)),
        bias,
    )


@dataclass(frozen=True)
class DressedScene:
    """A dressed person under lights, to be drawn from anywhere.

    Attributes:
        posed: the body. solid: skin, clothes and shoes as one mesh, the body's triangles that
            nothing hides (``body_faces``) first. cards: brows, lashes and hair.
        textures: [T, 512, 512, 4]. light: in the space of the photo's camera.
        open_to: [V, 3] how much of key, fill and sky reaches the solid mesh's vertices.
        behind: [H, W, 3] what stands behind the person in the photo.
    """

    posed: PosedBody
    solid: mesh_shading.Mesh
    body_faces: IntArray
    cards: list[mesh_shading.Mesh]
    textures: NDArray[np.uint8]
    light: mesh_shading.SceneLight
    open_to: FloatArray
    behind: FloatArray


def make_scene(
    dress: DressBody, person: RandomPerson, library: Library | None, rng: np.random.Generator
) -> DressedScene:
    """Dress a person and put up the lights.

    Args:
        library: the one that ``person.looks`` refers to; None draws the painted body.
    """
    looks = person.looks
    body = dress.body
    posed = pose_body(dress, person.betas, person.pose)
    textures = _Textures()
    solid = [_body_mesh(posed, looks.skin, looks.eyes, library, textures)]
    cards: list[mesh_shading.Mesh] = []
    worn: list[Garment] = []
    if library is not None:
        blinks = [body.expression_index[name] for name in ("eyeBlinkLeft", "eyeBlinkRight")]
        open_eyes = float(np.asarray(person.pose.expression)[blinks].max()) < 0.1
        for row, files, bias, tint in (
            (looks.outfit, library.outfits, None, looks.cloth_tint),
            (looks.shoes, library.shoes, None, np.ones(3)),
            (looks.brows, library.brows, THIN, np.clip(looks.hair_tint, 0.4, 1.2)),
            # Lashes hang on helpers that expressions don't move.
            (looks.lashes if open_eyes else -1, library.lashes, THIN, np.ones(3)),
            (looks.hair, library.hair, THICK, looks.hair_tint),
        ):
            if row < 0:
                continue
            garment = load_garment(files[row])
            mesh = _garment_mesh(garment, posed, tint, bias or 0.0, textures)
            if mesh is not None:
                (solid if bias is None else cards).append(mesh)
                worn.append(garment)
    hidden = hidden_faces(worn, dress)
    solid[0] = _without(solid[0], hidden)
    mesh = mesh_shading.join_meshes(solid)
    light = random_light(rng)
    behind = random_background(person.camera.height, person.camera.width, rng)
    open_to = mesh_shading.ambient_occlusion(mesh, light, rng)
    eyeballs = np.isin(body.face_part, [body.part_names.index(name) for name in EYE_PARTS])
    rows = np.unique(body.f[eyeballs])
    open_to[rows] = np.maximum(open_to[rows], EYES_OPEN)
    body_faces = np.flatnonzero(~hidden)
    return DressedScene(posed, mesh, body_faces, cards, textures.array(), light, open_to, behind)


def render_scene(
    scene: DressedScene, camera: Camera, behind: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Draw a person over a picture ``behind`` [H, W, 3] of the camera's size.

    Returns:
        The picture [H, W, 3] and the person's alpha [H, W], and at twice that size the depth
        of the nearest solid thing.
    """
    large = camera.resized(camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
    mesh = scene.solid
    buffer = rasterize_mesh(mesh.vertices, mesh.f, large)
    covered = buffer.face >= 0
    face, bary = buffer.face[covered], buffer.bary[covered].astype(np.float64)
    colours = mesh_shading.sample_albedo(
        face, bary, mesh.uv, mesh.texture, mesh.tint, scene.textures
    )
    painted = np.flatnonzero(mesh.texture[face] < 0)
    paint = PersonPaint(scene.posed.dress.body)
    colours[painted] = paint(scene.body_faces[face[painted]], bary[painted])
    picture = np.repeat(np.repeat(behind, SUPERSAMPLING, 0), SUPERSAMPLING, 1).astype(np.float64)
    picture[covered] = mesh_shading.shade_pixels(mesh, buffer, colours, scene.light, scene.open_to)
    alpha = covered.astype(np.float64)
    front = buffer.depth
    if scene.cards:
        front = mesh_shading.blend_cards(
            picture, alpha, buffer.depth, scene.cards, scene.textures, large, scene.light
        )
    return _smaller(picture), _smaller(alpha[..., None])[..., 0], front


def render_person(
    dress: DressBody, person: RandomPerson, library: Library | None = None
) -> tuple[Portrait, Truth]:
    """Draw a person.

    Args:
        library: the one that ``person.looks`` refers to; None draws the painted body.

    Returns:
        The picture as if loaded from a file (without alpha), and the truth.
    """
    rng = np.random.default_rng(person.looks.seed)
    return take_photo(make_scene(dress, person, library, rng), person, rng)


def take_photo(
    scene: DressedScene, person: RandomPerson, rng: np.random.Generator
) -> tuple[Portrait, Truth]:
    """The person's photo with a sensor's noise, and what is true in it."""
    body, posed, camera = scene.posed.dress.body, scene.posed, person.camera
    rgb, alpha, front = render_scene(scene, camera, scene.behind)
    rgb += rng.standard_normal(rgb.shape, np.float32) * SENSOR_NOISE
    portrait = Portrait(
        rgb=np.clip(rgb, 0.0, 1.0),
        alpha=None,
        path=Path(f"person-{person.looks.seed}.png"),
        original_size=(camera.width, camera.height),
    )
    large = camera.resized(camera.width * SUPERSAMPLING, camera.height * SUPERSAMPLING)
    truth = Truth(
        vertices=posed.vertices,
        joints=posed.joints,
        rotations=posed.R,
        alpha=alpha,
        vertex_visible=visible_vertices(posed.vertices, body.f, front, large),
        joint_visible=visible_joints(posed.vertices, posed.joints, body, large),
    )
    return portrait, truth


def _without(mesh: mesh_shading.Mesh, hidden: BoolArray) -> mesh_shading.Mesh:
    keep = ~hidden
    return mesh_shading.Mesh(
        mesh.vertices, mesh.f[keep], mesh.uv[keep], mesh.texture[keep], mesh.tint[keep]
    )


def _smaller(picture: FloatArray) -> FloatArray:
    """[sH, sW, C] -> [H, W, C] float32, means of the samples."""
    s = SUPERSAMPLING
    height, width, channels = picture.shape
    boxes = picture.reshape(height // s, s, width // s, s, channels)
    total = sum(boxes[:, i, :, j] for i in range(s) for j in range(s))
    return np.asarray(np.clip(total / s**2, 0.0, 1.0), np.float32)


def _pixels(points: FloatArray, camera: Camera) -> tuple[IntArray, IntArray, FloatArray, BoolArray]:
    """Column, row (clipped), depth and whether the point is in the frame."""
    xy, depth = project(points, camera)
    xy = np.nan_to_num(xy)
    inside = (depth > 0) & (xy >= 0).all(-1) & (xy < [camera.width, camera.height]).all(-1)
    col = np.clip(xy[..., 0], 0, camera.width - 1).astype(np.int64)
    row = np.clip(xy[..., 1], 0, camera.height - 1).astype(np.int64)
    return col, row, depth, inside


def visible_vertices(
    vertices: FloatArray, f: IntArray, depth: FloatArray, camera: Camera
) -> BoolArray:
    """[V] vertices in the frame that face the camera and lie at the z-buffer's depth."""
    col, row, z, inside = _pixels(vertices, camera)
    sight = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    facing = (vertex_normals(vertices, f) * sight).sum(1) > MIN_FACING
    first = depth[row, col]
    near = np.isfinite(first) & (z <= first + SURFACE_TOLERANCE)
    out: BoolArray = inside & facing & near
    return out


def visible_joints(
    vertices: FloatArray, joints: FloatArray, body: Body, camera: Camera
) -> BoolArray:
    """[22] body joints that the picture shows.

    A joint is seen when it lies in the frame and the bare body's first surface at its pixel is
    less than 8 cm in front of it, beyond the thickness of the flesh around the joint (its distance
    to the nearest vertex at rest): an arm before the trunk hides the trunk's joints.

    Args:
        vertices: [V, 3] and joints [55, 3] of the posed person. body: that they are of.
    """
    depth = rasterize_mesh(vertices, body.f, camera).depth
    col, row, z, inside = _pixels(joints[:BODY_JOINTS], camera)
    flesh = np.array(
        [
            np.linalg.norm(body.v_template - joint, axis=1).min()
            for joint in body.J_template[:BODY_JOINTS]
        ]
    )
    out: BoolArray = inside & (z - depth[row, col] < HIDDEN_BEHIND + flesh)
    return out
