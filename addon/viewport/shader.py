"""Splats on the GPU: placed on the body, projected and blended as in the engine.

Each instance is a quad, in the order of a texture. The vertex shader builds the triangle's frame
(docs/CONVENTIONS.md), the projected covariance with gsplat's 0.3 square pixels, and the rectangle
in which a splat's alpha is at least 1/255. Colours are linear, as Blender's drawing expects.
"""

from __future__ import annotations

from typing import Any

import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from ...engine.core.types import FloatArray, IntArray
from .splat_cloud import SplatCloud

_WIDTH = 2048
"""Texels per row of the textures."""

_VIEW = """
struct SplatView {
  mat4 model_view;
  mat4 projection;
  vec4 size_and_counts;
  vec4 first;
};
"""

_VERTEX = """
vec4 part(int k, int i)
{
  int t = k * int(seenBy.size_and_counts.z) + i;
  return texelFetch(splatTexture, ivec2(t % ROW, t / ROW), 0);
}

vec3 bodyTexel(int t)
{
  return texelFetch(bodyTexture, ivec2(t % ROW, t / ROW), 0).xyz;
}

void main()
{
  mat4 modelView = seenBy.model_view, projection = seenBy.projection;
  vec2 viewportSize = seenBy.size_and_counts.xy;
  float shownCount = seenBy.size_and_counts.w;
  int k = gl_InstanceID + int(seenBy.first.x + 0.5);
  int i = int(texelFetch(orderTexture, ivec2(k % ROW, k / ROW), 0).r + 0.5);
  vec4 p0 = part(0, i), p1 = part(1, i);
  vec3 local = part(2, i).xyz, axisU = part(3, i).xyz, axisV = part(4, i).xyz;
  splatColor = part(5, i);

  /* The triangle's frame on the posed body. */
  int va = int(p0.x + 0.5), vb = int(p0.y + 0.5), vc = int(p0.z + 0.5);
  float v = p0.w, w = p1.x, u = 1.0 - v - w;
  vec3 a = bodyTexel(2 * va);
  vec3 ab = bodyTexel(2 * vb) - a, ac = bodyTexel(2 * vc) - a;
  vec3 n = normalize(u * bodyTexel(2 * va + 1) + v * bodyTexel(2 * vb + 1) +
                     w * bodyTexel(2 * vc + 1));
  vec3 e1 = normalize(ab - dot(ab, n) * n);
  mat3 R = mat3(e1, cross(n, e1), n);
  float sigma = clamp(sqrt(length(cross(ab, ac)) * p1.y), SIGMA_LOW, SIGMA_HIGH);
  vec3 mean = a + v * ab + w * ac + sigma * (R * local);
  float grown = sigma * pow(max(1.0, p1.w / shownCount), GROWTH_POWER);

  /* Its covariance in pixels: one column a principal axis. */
  vec4 seen = modelView * vec4(mean, 1.0);
  vec4 clip = projection * seen;
  splatPlace = vec2(0.0);
  if (clip.w <= 0.0 || abs(clip.z) > clip.w) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    return;
  }
  mat3 turn = mat3(modelView) * R;
  vec2 middle = clip.xy / clip.w;
  vec2 bent = clamp(middle, vec2(-1.3), vec2(1.3));  /* as gsplat, far outside the picture */
  vec3 row0 = vec3(projection[0][0], projection[1][0], projection[2][0]);
  vec3 row1 = vec3(projection[0][1], projection[1][1], projection[2][1]);
  vec3 row3 = vec3(projection[0][3], projection[1][3], projection[2][3]);
  vec2 halfSize = 0.5 * viewportSize;
  vec3 jx = halfSize.x / clip.w * (row0 - bent.x * row3);
  vec3 jy = halfSize.y / clip.w * (row1 - bent.y * row3);
  vec3 axes[3];
  axes[0] = grown * (turn * axisU);
  axes[1] = grown * (turn * axisV);
  axes[2] = sigma * p1.z * (turn * vec3(cross(axisU, axisV) /
                                        max(length(cross(axisU, axisV)), 1e-20)));
  float xx = BLUR, xy = 0.0, yy = BLUR;
  for (int k = 0; k < 3; k++) {
    float x = dot(jx, axes[k]), y = dot(jy, axes[k]);
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  float half_trace = 0.5 * (xx + yy);
  float apart = length(vec2(0.5 * (xx - yy), xy));
  float large = half_trace + apart, small = max(half_trace - apart, 1e-6);
  vec2 along = abs(xy) > 1e-12 ? normalize(vec2(large - yy, xy)) :
                                 (xx >= yy ? vec2(1.0, 0.0) : vec2(0.0, 1.0));
  float reach = sqrt(max(2.0 * log(255.0 * splatColor.a), 0.0));
  splatPlace = corner * reach;
  vec2 pixels = splatPlace.x * sqrt(large) * along +
                splatPlace.y * sqrt(small) * vec2(-along.y, along.x);
  gl_Position = vec4(clip.xy + pixels / halfSize * clip.w, clip.zw);
}
"""

_FRAGMENT = """
void main()
{
  float alpha = min(0.999, splatColor.a * exp(-0.5 * dot(splatPlace, splatPlace)));
  if (alpha < 1.0 / 255.0) {
    discard;
  }
  fragColor = vec4(splatColor.rgb * alpha, alpha);
}
"""


def make_shader() -> Any:
    """Compile the shader; needs a GPU context."""
    from ...engine.render.raster_types import BLUR
    from ..scene.node_group import GROWTH_POWER, SIGMA_RANGE

    passed = gpu.types.GPUStageInterfaceInfo("likeness_splat")
    passed.smooth("VEC2", "splatPlace")
    passed.flat("VEC4", "splatColor")
    info = gpu.types.GPUShaderCreateInfo()
    constants = {
        "ROW": _WIDTH,
        "BLUR": BLUR,
        "GROWTH_POWER": GROWTH_POWER,
        "SIGMA_LOW": SIGMA_RANGE[0],
        "SIGMA_HIGH": SIGMA_RANGE[1],
    }
    for name, value in constants.items():
        info.define(name, str(value))
    info.typedef_source(_VIEW)  # push constants are limited to 128 bytes
    info.uniform_buf(0, "SplatView", "seenBy")
    info.sampler(0, "FLOAT_2D", "splatTexture")
    info.sampler(1, "FLOAT_2D", "bodyTexture")
    info.sampler(2, "FLOAT_2D", "orderTexture")
    info.vertex_in(0, "VEC2", "corner")
    info.vertex_out(passed)
    info.fragment_out(0, "VEC4", "fragColor")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


class GpuSplats:
    """The GPU's data of one avatar."""

    def __init__(self, shader: Any, cloud: SplatCloud) -> None:
        self._shader, self._cloud = shader, cloud
        self._splats = _texture(cloud.parts.reshape(-1, 4))
        corners = [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)]
        self._quad = batch_for_shader(shader, "TRI_STRIP", {"corner": corners})
        self._body: Any = None
        self._order: Any = None

    def pose(self, vertices: FloatArray, normals: FloatArray) -> None:
        """Set the body's posed vertices and normals [V, 3]."""
        texels = np.zeros((len(vertices), 2, 4), np.float32)
        texels[:, 0, :3], texels[:, 1, :3] = vertices, normals
        self._body = _texture(texels.reshape(-1, 4))

    def sort(self, order: IntArray) -> None:
        """Set the drawn splats [count], the farthest first."""
        self._shown = len(order)
        self._order = _texture(order.astype(np.float32)[:, None])

    def draw(
        self,
        model_view: Any,
        projection: Any,
        width: float,
        height: float,
        part: tuple[int, int],
        depth: bool = True,
    ) -> None:
        """Blend splats over the frame buffer.

        Args:
            model_view: [4, 4] the splats' space to view space.
            projection: [4, 4] view to clip space.
            width: of the view in pixels.
            height: of the view in pixels.
            part: the first of the sorted splats to draw, and how many.
            depth: test against the depth buffer.
        """
        shader, (first, count) = self._shader, part
        shader.bind()
        numbers = np.concatenate(
            [
                np.array(model_view, np.float32).T.ravel(),
                np.array(projection, np.float32).T.ravel(),
                np.array([width, height, self._cloud.count, self._shown], np.float32),
                np.array([first, 0, 0, 0], np.float32),
            ]
        )
        seen_by = gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", len(numbers), numbers))
        shader.uniform_block("seenBy", seen_by)
        shader.uniform_sampler("splatTexture", self._splats)
        shader.uniform_sampler("bodyTexture", self._body)
        shader.uniform_sampler("orderTexture", self._order)
        gpu.state.blend_set("ALPHA_PREMULT")
        gpu.state.depth_test_set("LESS_EQUAL" if depth else "NONE")
        gpu.state.depth_mask_set(False)
        try:
            self._quad.draw_instanced(shader, instance_count=count)
        finally:
            gpu.state.depth_test_set("NONE")
            gpu.state.blend_set("NONE")


def _texture(texels: FloatArray) -> Any:
    """A texture of [n, 1] or [n, 4] floats in rows of ``_WIDTH``."""
    count, channels = texels.shape
    rows = max(1, -(-count // _WIDTH))
    padded = np.zeros((rows * _WIDTH, channels), np.float32)
    padded[:count] = texels
    data = gpu.types.Buffer("FLOAT", padded.size, padded.reshape(-1))
    form = "R32F" if channels == 1 else "RGBA32F"
    return gpu.types.GPUTexture((_WIDTH, rows), format=form, data=data)
