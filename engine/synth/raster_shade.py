"""One point of a surface under its light, in linear colours."""

from __future__ import annotations

import numpy as np

from ..core.kernels import kernel
from ..wardrobe.mesh_parts import KINDS
from .raster_light import beam_visibility
from .raster_textures import sample_texture

SKIN, EYE, HAIR, CLOTH = (KINDS.index(name) for name in ("skin", "eye", "hair", "cloth"))
# Light wraps round what scatters it inside; in skin red goes farthest.
WRAP = np.array([[0.28, 0.12, 0.06], [0.2, 0.2, 0.2], [0.2] * 3, [0.1] * 3, [0.0] * 3])
REFLECTANCE = np.array([0.022, 0.025, 0.046, 0.03, 0.04])  # by kind, seen straight on
# How much less or more comes back than a plain surface sends: measured against Cycles.
YIELD = np.array([[0.88, 0.92, 0.95], [0.95] * 3, [1.0] * 3, [1.15] * 3, [1.0] * 3])
COATED = 0.1  # share of its mirror image that clear glass shows
MIRROR = 0.2  # roughness under which beams are seen as pictures in the surface
Y0, Y1, Y2, Y20, Y22 = 0.282095, 0.488603, 1.092548, 0.315392, 0.546274


@kernel()
def _harmonics(c, x, y, z, k1, k2, out):  # type: ignore[no-untyped-def]
    """Light [3] from the coefficients ``c`` [27] about a direction; band factors k1 and k2."""
    f1, f2 = Y1 * k1, Y2 * k2
    a, b, d, e = f1 * y, f1 * z, f1 * x, f2 * x * y
    g, h, i, j = f2 * y * z, Y20 * k2 * (3 * z * z - 1), f2 * x * z, Y22 * k2 * (x * x - y * y)
    for n in range(3):
        value = (
            Y0 * c[n]
            + a * c[3 + n]
            + b * c[6 + n]
            + d * c[9 + n]
            + e * c[12 + n]
            + g * c[15 + n]
            + h * c[18 + n]
            + i * c[21 + n]
            + j * c[24 + n]
        )
        out[n] = max(value, 0.1 * Y0 * c[n])  # three bands ring below zero


@kernel()
def _mirrored(picture, x, y, z, out):  # type: ignore[no-untyped-def]
    """A lat-long picture [H, 2H, 3] in a direction, bilinear."""
    height, width = picture.shape[0], picture.shape[1]
    u = (np.arctan2(z, x) / (2 * np.pi) + 0.5) * width - 0.5
    v = np.arccos(min(max(y, -1.0), 1.0)) / np.pi * height - 0.5
    x0, y0 = int(np.floor(u)), min(max(int(np.floor(v)), 0), height - 2)
    fx, fy = u - x0, min(max(v - y0, 0.0), 1.0)
    x1, x0 = (x0 + 1) % width, x0 % width
    for c in range(3):
        top = picture[y0, x0, c] * (1 - fx) + picture[y0, x1, c] * fx
        low = picture[y0 + 1, x0, c] * (1 - fx) + picture[y0 + 1, x1, c] * fx
        out[c] = top * (1 - fy) + low * fy


@kernel()
def _reflected(lights, c, rough, x, y, z, out, other):  # type: ignore[no-untyped-def]
    """The environment in a surface of some roughness, seen in a direction."""
    open_share = c[27]
    if rough < MIRROR:
        _mirrored(lights.mirror, x, y, z, out)
        for n in range(3):
            out[n] *= np.sqrt(open_share)
        return
    if rough < 0.6:
        t = min(max((rough - 0.3) / 0.2, 0.0), 1.0)
        _mirrored(lights.glossy[0], x, y, z, out)
        _mirrored(lights.glossy[1], x, y, z, other)
        for n in range(3):
            out[n] = (out[n] * (1 - t) + other[n] * t) * open_share
    if rough > 0.45:
        width = rough**4
        _harmonics(c, x, y, z, np.exp(-0.5 * width * 2), np.exp(-0.5 * width * 6), other)
        t = min((rough - 0.45) / 0.15, 1.0)
        for n in range(3):
            out[n] = other[n] if t == 1.0 else out[n] * (1 - t) + other[n] * t


@kernel()
def shade_point(scene, textures, lights, i, b0, b1, b2, level, back, eye, work, out):  # type: ignore[no-untyped-def]
    """Light towards the eye from a point of triangle ``i``.

    Args:
        scene: the figure.
        textures: of the figure.
        lights: that reach it.
        i: row of the triangle.
        b0: barycentric coordinate of the first corner.
        b1: barycentric coordinate of the second corner.
        b2: barycentric coordinate of the third corner.
        level: of the texture.
        back: the triangle is seen from behind.
        eye: [3] the camera's position, metres.
        work: [4, 28] scratch, its last row ``out``.
        out: [4]: linear colours with alpha in them, and alpha.
    """
    s, c, spare = work[0], work[1], work[2]
    m = scene.material[i]
    kind = scene.kind[m]
    u = b0 * scene.uv[i, 0, 0] + b1 * scene.uv[i, 1, 0] + b2 * scene.uv[i, 2, 0]
    v = b0 * scene.uv[i, 0, 1] + b1 * scene.uv[i, 1, 1] + b2 * scene.uv[i, 2, 1]
    sample_texture(textures, m, u, v, level, s[:7])
    p0, p1, p2 = scene.f[i, 0], scene.f[i, 1], scene.f[i, 2]
    for k in range(28):
        c[k] = b0 * lights.sky[p0, k] + b1 * lights.sky[p1, k] + b2 * lights.sky[p2, k]
    V, N = scene.vertices, scene.normals
    px = b0 * V[p0, 0] + b1 * V[p1, 0] + b2 * V[p2, 0]
    py = b0 * V[p0, 1] + b1 * V[p1, 1] + b2 * V[p2, 1]
    pz = b0 * V[p0, 2] + b1 * V[p1, 2] + b2 * V[p2, 2]
    nx = b0 * N[p0, 0] + b1 * N[p1, 0] + b2 * N[p2, 0]
    ny = b0 * N[p0, 1] + b1 * N[p1, 1] + b2 * N[p2, 1]
    nz = b0 * N[p0, 2] + b1 * N[p1, 2] + b2 * N[p2, 2]
    vx, vy, vz = eye[0] - px, eye[1] - py, eye[2] - pz
    long = np.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx / long, vy / long, vz / long
    if kind == HAIR:
        nx, ny, nz = nx + 0.3 * vx, ny + 0.3 * vy, nz + 0.3 * vz
    elif back:
        nx, ny, nz = -nx, -ny, -nz
    long = 1.0 / max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
    nx, ny, nz = nx * long, ny * long, nz * long
    sx, sy, sz = nx, ny, nz  # the smooth surface's, before its relief
    if s[5] != 0.0 or s[6] != 0.0:
        gx = s[5] * scene.slope[i, 0, 0] + s[6] * scene.slope[i, 1, 0]
        gy = s[5] * scene.slope[i, 0, 1] + s[6] * scene.slope[i, 1, 1]
        gz = s[5] * scene.slope[i, 0, 2] + s[6] * scene.slope[i, 1, 2]
        steep = np.sqrt(gx * gx + gy * gy + gz * gz)
        by = (-1.0 if back else 1.0) * min(1.0, 1.2 / max(steep, 1e-9))
        nx, ny, nz = nx - by * gx, ny - by * gy, nz - by * gz
        long = 1.0 / max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
        nx, ny, nz = nx * long, ny * long, nz * long
    facing = nx * vx + ny * vy + nz * vz
    rough = min(max(s[4], 0.05), 1.0)
    if kind == EYE:
        rough = min(rough, 0.1)
    metal = scene.metallic[m]

    diffuse, specular = spare[0:3], spare[3:6]
    a, b = spare[6:9], spare[9:12]
    _harmonics(c, nx, ny, nz, 2.0 / 3.0, 0.25, diffuse)
    if kind == SKIN:
        _harmonics(c, sx, sy, sz, 2.0 / 3.0, 0.25, a)
        diffuse[0] = 0.35 * diffuse[0] + 0.65 * a[0]
        diffuse[1] = 0.7 * diffuse[1] + 0.3 * a[1]
    # The environment in the surface, with Karis' fit of how much of it is sent on.
    nv = 0.6 if kind == HAIR else max(facing, 0.05)
    if kind != HAIR:
        mx, my, mz = 2 * facing * nx - vx, 2 * facing * ny - vy, 2 * facing * nz - vz
        _reflected(lights, c, rough, mx, my, mz, a, b)
    else:
        _harmonics(c, nx, ny, nz, 0.9, 0.7, a)
        for n in range(3):
            a[n] *= 0.25  # strands face every way, few the right one
    r0, r1 = 1.0 - rough, 0.0425 - 0.0275 * rough
    most = min(r0 * r0, 2.0 ** (-9.28 * nv)) * r0 + r1
    scale = -1.04 * most + 1.04 - 0.572 * rough
    grow = 1.04 * most - 0.04 + 0.022 * rough
    for n in range(3):
        f0 = REFLECTANCE[kind] * (1.0 - metal) + s[n] * metal
        specular[n] = a[n] * max(f0 * scale + grow, 0.0)

    for k in range(lights.towards.shape[0]):
        lx, ly, lz = lights.towards[k, 0], lights.towards[k, 1], lights.towards[k, 2]
        nl = nx * lx + ny * ly + nz * lz
        if nl < -0.35:
            continue
        # The blurred maps don't see into folds; the open share knows them.
        fold = 0.5 + c[27] if kind == HAIR else 2.0 * c[27]
        passing = beam_visibility(lights, k, px, py, pz) * min(fold, 1.0)
        if passing <= 0.0:
            continue
        hx, hy, hz = lx + vx, ly + vy, lz + vz
        long = 1.0 / max(np.sqrt(hx * hx + hy * hy + hz * hz), 1e-6)
        hx, hy, hz = hx * long, hy * long, hz * long
        gloss, tinted = 0.0, 0.0
        if kind == HAIR:
            # Kajiya and Kay's highlight, twice: off the strands, and through them, tinted.
            T = scene.along[i]
            tx = b0 * T[0, 0] + b1 * T[1, 0] + b2 * T[2, 0]
            ty = b0 * T[0, 1] + b1 * T[1, 1] + b2 * T[2, 1]
            tz = b0 * T[0, 2] + b1 * T[1, 2] + b2 * T[2, 2]
            long = 1.0 / max(np.sqrt(tx * tx + ty * ty + tz * tz), 1e-6)
            across = (tx * hx + ty * hy + tz * hz) * long
            lean = (tx * sx + ty * sy + tz * sz) * long
            first, second = across + 0.06 * (1.0 - lean), across - 0.1
            open_to = min(max(nl + 0.3, 0.0), 1.0)
            gloss = 0.04 * max(1.0 - first * first, 0.0) ** 40 * open_to
            tinted = 0.15 * max(1.0 - second * second, 0.0) ** 8 * open_to
        elif rough >= MIRROR and nl > 0.0:
            width = min(rough * rough + lights.spread[k], 1.0)
            nh = nx * hx + ny * hy + nz * hz
            lh = max(lx * hx + ly * hy + lz * hz, 0.0)
            q = nh * nh * (width * width - 1.0) + 1.0
            lobe = width * width / (np.pi * q * q)
            fresnel = REFLECTANCE[kind] + (1.0 - REFLECTANCE[kind]) * (1.0 - lh) ** 5
            gloss = lobe * nl * fresnel / (4.0 * max(lh * lh, 0.1) * (rough + 0.5))
        for n in range(3):
            wrap = WRAP[kind, n]
            lit = max((nl + wrap) / (1.0 + wrap), 0.0)
            through = passing ** (1.0 - wrap) if kind == SKIN else passing
            power = lights.irradiance[k, n]
            diffuse[n] += power / np.pi * lit * through
            metallic = 1.0 + metal * (s[n] / REFLECTANCE[kind] - 1.0)
            specular[n] += power * passing * (gloss * metallic + tinted / np.pi * s[n])

    solid = not scene.holes[i]
    alpha = 1.0 if solid else s[3]
    # A lens mirrors a little where it is clear: glasses are coated against it.
    gloss_alpha = alpha if kind == HAIR else max(alpha, COATED)
    fuzz = 0.12 * (1.0 - nv) ** 3 if kind == CLOTH else 0.0
    for n in range(3):
        colour = s[n] * (1.0 - metal) + fuzz * np.sqrt(s[n])
        out[n] = min(alpha * colour * YIELD[kind, n] * diffuse[n] + gloss_alpha * specular[n], 4.0)
    if kind != HAIR and not solid and s[3] > 0.004:
        shine = gloss_alpha * max(specular[0], specular[1], specular[2])
        alpha = max(alpha, min(shine, 1.0))
    elif not solid and s[3] <= 0.004:
        out[0] = out[1] = out[2] = 0.0
    out[3] = alpha
