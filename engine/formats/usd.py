"""USD text files (.usda): splats as a ParticleField3DGaussianSplat, and the rigged mesh.

Axes are the engine's: metres, y up, facing +z. The splats' schema is of OpenUSD 26.03; older
readers ignore it. The mesh is a SkelRoot with 55 joints, four weights a vertex, the expressions as
blend shapes, a texture beside the file, and linear vertex colours in ``displayColor``. If a file
holds both, they are variants of one prim (variant set ``look``) with the mesh selected, for they
are the same person.
"""

from __future__ import annotations

import re
import struct
import tempfile
import textwrap
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..core.color import srgb_to_linear
from ..core.geometry import vertex_normals
from ..core.types import JOINT_NAMES, FloatArray, Gaussians, IntArray, Motion, Pose
from ..files.atomic import atomic_write
from .glb import encode_png
from .ply import SH_C0
from .skinned_mesh import BONES_PER_VERTEX, Curves, bone_weights, joint_offsets, make_curves
from .surface_mesh import SurfaceMesh

_ZIP_HEADER, _ZIP_FIELD = 30, 4
"""Bytes of a ZIP entry's header without its name, and of an extra field's header."""

_USDZ_ALIGNMENT, _USDZ_FIELD = 64, 0x1986

_REACH = 3.0  # standard deviations of a splat that its extent holds


def texture_path(path: Path) -> Path:
    """Return the path of the texture beside a USD file of a mesh."""
    return path.with_name(f"{path.stem}_texture.png")


def write_usda(
    path: Path,
    splats: Gaussians | None = None,
    mesh: SurfaceMesh | None = None,
    pose: Pose | Motion | None = None,
    name: str = "Avatar",
    place: FloatArray | None = None,
) -> None:
    """Write splats, a rigged mesh, or both, and the mesh's texture beside the file.

    Args:
        path: The file.
        splats: Gaussians in world space.
        mesh: The textured surface.
        pose: Pose of the mesh, by default the rest pose; a motion becomes a SkelAnimation with
            one time code a frame.
        name: Name of the root prim.
        place: [4, 4] from the pose's space to the splats' world; the identity by default.

    Raises:
        ValueError: There are neither splats nor a mesh.
        LikenessError: The folder cannot be written to.
    """
    if splats is None and mesh is None:
        raise ValueError("nothing to write")
    root = re.sub(r"\W", "_", name) or "Avatar"
    root = f"_{root}" if root[0].isdigit() else root
    metadata = [f'defaultPrim = "{root}"', "metersPerUnit = 1", 'upAxis = "Y"']
    looks: dict[str, str] = {}
    if mesh is not None:
        taken = make_curves(
            mesh.body, Pose.rest(mesh.body.num_expression) if pose is None else pose
        )
        rate = f"{pose.frame_rate if isinstance(pose, Motion) else 24.0:.9g}"
        metadata += [
            f"timeCodesPerSecond = {rate}",
            f"framesPerSecond = {rate}",
            "startTimeCode = 0",
            f"endTimeCode = {len(taken.times) - 1}",
        ]
        looks["mesh"] = _mesh_prim(mesh, taken, f"/{root}/Body", texture_path(path).name, place)
    if splats is not None:
        looks["splats"] = _splats_prim(splats)
    text = "#usda 1.0\n(\n" + _indent("\n".join(metadata)) + "\n)\n\n" + _root(root, looks)
    if mesh is not None:
        with atomic_write(texture_path(path)) as scratch:
            scratch.write_bytes(encode_png(mesh.texture))
    with atomic_write(path) as scratch:
        scratch.write_text(text, encoding="utf-8", newline="\n")


def write_usdz(
    path: Path,
    splats: Gaussians | None = None,
    mesh: SurfaceMesh | None = None,
    pose: Pose | Motion | None = None,
    name: str = "Avatar",
    place: FloatArray | None = None,
) -> None:
    """Write what :func:`write_usda` writes, and the texture, as one package.

    Args:
        path: the file.
        splats: as for :func:`write_usda`.
        mesh: as there.
        pose: as there.
        name: as there.
        place: [4, 4] or None, as there.
    """
    with tempfile.TemporaryDirectory(prefix="likeness-usdz-") as folder:
        layer = Path(folder) / f"{path.stem}.usda"
        write_usda(layer, splats, mesh, pose, name, place)
        with atomic_write(path) as scratch, zipfile.ZipFile(scratch, "w") as package:
            end = 0
            for file in (layer, texture_path(layer)):  # the first is what opens
                if file.is_file():
                    end = _pack(package, file, end)


def _pack(package: zipfile.ZipFile, file: Path, start: int) -> int:
    """Store a file uncompressed from a multiple of 64 bytes, as USDZ demands; returns its end."""
    info, data = zipfile.ZipInfo(file.name), file.read_bytes()
    before = start + _ZIP_HEADER + len(info.filename.encode()) + _ZIP_FIELD
    pad = -before % _USDZ_ALIGNMENT
    info.extra = struct.pack("<HH", _USDZ_FIELD, pad) + bytes(pad)
    package.writestr(info, data)
    return before + pad + len(data)


def _root(name: str, looks: dict[str, str]) -> str:
    if len(looks) == 1:
        return f'def Xform "{name}"\n{{\n{_indent(next(iter(looks.values())))}\n}}\n'
    variants = "\n".join(f'"{look}" {{\n{_indent(prim)}\n}}' for look, prim in looks.items())
    inside = f'variantSet "look" = {{\n{_indent(variants)}\n}}'
    head = 'variants = {\n    string look = "mesh"\n}\nprepend variantSets = "look"'
    return f'def Xform "{name}" (\n{_indent(head)}\n)\n{{\n{_indent(inside)}\n}}\n'


def _splats_prim(splats: Gaussians) -> str:
    reach = _REACH * splats.scales.max(1, initial=0.0)[:, None]
    means = np.asarray(splats.means, np.float64)
    degree0 = (np.asarray(splats.colors, np.float64) - 0.5) / SH_C0
    lines = [
        f"float3[] extent = {_extent(np.concatenate([means - reach, means + reach]))}",
        f"point3f[] positions = {_tuples(means)}",
        f"quatf[] orientations = {_tuples(splats.quats)}",
        f"float3[] scales = {_tuples(splats.scales)}",
        f"float[] opacities = {_numbers(np.clip(splats.opacities, 0, 1))}",
        "uniform int radiance:sphericalHarmonicsDegree = 0",
        f"float3[] radiance:sphericalHarmonicsCoefficients = {_tuples(degree0)}",
        'uniform token projectionModeHint = "perspective"',
        'uniform token sortingModeHint = "cameraDistance"',
    ]
    return _prim("ParticleField3DGaussianSplat", "Splats", lines)


# The rigged mesh ----------------------------------------------------------------------------


def _mesh_prim(
    mesh: SurfaceMesh, taken: Curves, path: str, texture: str, place: FloatArray | None
) -> str:
    body = mesh.body
    vertices = np.asarray(body.v_template, np.float64)
    joints, weights = bone_weights(body)
    st = np.asarray(mesh.uv, np.float64) * [1, -1] + [0, 1]
    of_vertices = '(\n    interpolation = "vertex"\n)'
    per_bone = f'(\n    elementSize = {BONES_PER_VERTEX}\n    interpolation = "vertex"\n)'
    names = [_identifier(n) for n in body.expression_names]
    lines = [
        'uniform token subdivisionScheme = "none"',
        "uniform bool doubleSided = 1",
        f"float3[] extent = {_extent(vertices)}",
        f"int[] faceVertexCounts = [{', '.join(['3'] * len(body.f))}]",
        f"int[] faceVertexIndices = {_integers(body.f)}",
        f"point3f[] points = {_tuples(vertices)}",
        f"normal3f[] normals = {_tuples(vertex_normals(vertices, body.f))} {of_vertices}",
        f'texCoord2f[] primvars:st = {_tuples(st)} (\n    interpolation = "faceVarying"\n)',
        f"int[] primvars:st:indices = {_integers(mesh.uv_f)}",
        f"color3f[] primvars:displayColor = {_tuples(srgb_to_linear(mesh.colors))} {of_vertices}",
        f"int[] primvars:skel:jointIndices = {_integers(joints)} {per_bone}",
        f"float[] primvars:skel:jointWeights = {_numbers(weights)} {per_bone}",
        f"matrix4d primvars:skel:geomBindTransform = {_matrix(np.zeros(3))}",
        f"rel material:binding = <{path}/Look>",
        f"rel skel:skeleton = <{path}/Skeleton>",
    ]
    if names:
        targets = ", ".join(f"<{path}/Mesh/{name}>" for name in names)
        lines += [
            f"uniform token[] skel:blendShapes = {_tokens(names)}",
            f"rel skel:blendShapeTargets = [{targets}]",
        ]
    shapes = [_blend_shape(name, body.exprdirs[:, :, e]) for e, name in enumerate(names)]
    skin = _prim("Mesh", "Mesh", lines + shapes, ("SkelBindingAPI", "MaterialBindingAPI"))
    posed = _extent(vertices + taken.root[0] - body.J_template[0])
    inside = [f"float3[] extent = {posed}"]
    if place is not None:
        rows = ", ".join("(" + ", ".join(f"{v:.9g}" for v in row) + ")" for row in place.T)
        inside += [
            f"matrix4d xformOp:transform = ({rows})",
            'uniform token[] xformOpOrder = ["xformOp:transform"]',
        ]
    inside += [skin, _skeleton(mesh, taken, names, path)]
    return _prim("SkelRoot", "Body", [*inside, _material(path, texture)])


def _blend_shape(name: str, moves: FloatArray) -> str:
    rows = np.flatnonzero(np.abs(moves).max(1) > 1e-6)
    return _prim(
        "BlendShape",
        name,
        [
            f"uniform vector3f[] offsets = {_tuples(moves[rows])}",
            f"uniform int[] pointIndices = {_integers(rows)}",
        ],
    )


def _skeleton(mesh: SurfaceMesh, taken: Curves, expressions: list[str], path: str) -> str:
    parents = mesh.body.parents
    paths: list[str] = []
    for j, name in enumerate(JOINT_NAMES):
        paths.append(f"{paths[parents[j]]}/{name}" if parents[j] >= 0 else name)
    joints = f"uniform token[] joints = {_tokens(paths)}"
    places = joint_offsets(mesh.body)
    bind = ", ".join(_matrix(p) for p in np.asarray(mesh.body.J_template, np.float64))
    rest = ", ".join(_matrix(p) for p in places)
    skeleton = _prim(
        "Skeleton",
        "Skeleton",
        [
            joints,
            f"uniform matrix4d[] bindTransforms = [{bind}]",
            f"uniform matrix4d[] restTransforms = [{rest}]",
            f"rel skel:animationSource = <{path}/Skeleton/Motion>",
            _animation(joints, places, taken, expressions),
        ],
        ("SkelBindingAPI",),
    )
    return skeleton


def _animation(joints: str, places: FloatArray, taken: Curves, expressions: list[str]) -> str:
    def translations(t: int) -> str:
        return _tuples(np.concatenate([taken.root[t][None], places[1:]]))

    frames = range(len(taken.times))
    ones = ", ".join(["(1, 1, 1)"] * len(places))
    lines = [
        joints,
        f"half3[] scales = [{ones}]",
        _samples("float3[] translations", [translations(t) for t in frames]),
        _samples("quatf[] rotations", [_tuples(taken.quats[t]) for t in frames]),
    ]
    if expressions:
        lines += [
            f"uniform token[] blendShapes = {_tokens(expressions)}",
            _samples("float[] blendShapeWeights", [_numbers(taken.expression[t]) for t in frames]),
        ]
    return _prim("SkelAnimation", "Motion", lines)


def _material(path: str, texture: str) -> str:
    look = f"{path}/Look"
    surface = [
        'uniform token info:id = "UsdPreviewSurface"',
        f"color3f inputs:diffuseColor.connect = <{look}/Texture.outputs:rgb>",
        "float inputs:roughness = 0.9",
        "token outputs:surface",
    ]
    picture = [
        'uniform token info:id = "UsdUVTexture"',
        f"asset inputs:file = @./{texture}@",
        'token inputs:sourceColorSpace = "sRGB"',
        f"float2 inputs:st.connect = <{look}/Places.outputs:result>",
        "float3 outputs:rgb",
    ]
    places = [
        'uniform token info:id = "UsdPrimvarReader_float2"',
        'string inputs:varname = "st"',
        "float2 outputs:result",
    ]
    shaders = [
        _prim("Shader", n, lines)
        for n, lines in (("Surface", surface), ("Texture", picture), ("Places", places))
    ]
    connect = f"token outputs:surface.connect = <{look}/Surface.outputs:surface>"
    return _prim("Material", "Look", [connect, *shaders])


# Text ---------------------------------------------------------------------------------------


def _prim(kind: str, name: str, inside: Iterable[str], schemas: tuple[str, ...] = ()) -> str:
    head = f'def {kind} "{name}"'
    if schemas:
        listed = ", ".join(f'"{schema}"' for schema in schemas)
        head += f" (\n    prepend apiSchemas = [{listed}]\n)"
    return f"{head}\n{{\n{_indent(chr(10).join(line for line in inside if line))}\n}}"


def _indent(text: str) -> str:
    return textwrap.indent(text, "    ")


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _samples(attribute: str, values: list[str]) -> str:
    """Time samples, even of a still pose: Blender reads no animation without a time."""
    frames = "\n".join(f"{t}: {value}," for t, value in enumerate(values))
    return f"{attribute}.timeSamples = {{\n{_indent(frames)}\n}}"


def _numbers(values: FloatArray) -> str:
    flat = np.asarray(values, np.float32).ravel()
    return "[" + ", ".join(["%.8g"] * len(flat)) % tuple(flat.tolist()) + "]"


def _integers(values: IntArray) -> str:
    return "[" + ", ".join(map(str, np.asarray(values).ravel().tolist())) + "]"


def _tuples(values: FloatArray) -> str:
    rows = np.asarray(values, np.float32)
    one = "(" + ", ".join(["%.8g"] * rows.shape[1]) + ")"
    return "[" + ", ".join([one] * len(rows)) % tuple(rows.ravel().tolist()) + "]"


def _tokens(names: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _extent(points: FloatArray) -> str:
    return _tuples(np.stack([points.min(0), points.max(0)]))


def _matrix(place: FloatArray) -> str:
    x, y, z = (f"{value:.9g}" for value in place)
    return f"((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), ({x}, {y}, {z}, 1))"
