"""The lift's constants in the registry."""

from __future__ import annotations

import likeness.engine.gaussians.mesh_extraction
import likeness.engine.pipeline.build  # noqa: F401 - importing registers
from likeness.engine.core.settings import list_settings, overridden_settings
from likeness.engine.gaussians.lift.splats.photo_splats import S as PHOTO_SPLATS
from likeness.engine.gaussians.lift.splats.photo_splats import splat_sigma


def test_every_constant_says_what_it_means() -> None:
    ours = [s for s in list_settings() if s.name.split(".")[0] in ("lift", "lod", "mesh", "refine")]
    assert len(ours) > 350
    assert [s.name for s in ours if not s.meaning] == []


def test_code_reads_overridden_values() -> None:
    assert splat_sigma(2000.0) == PHOTO_SPLATS.sigma
    with overridden_settings({"lift.photo_splats.sigma": "0.51"}):
        assert splat_sigma(2000.0) == 0.51
    assert splat_sigma(2000.0) == PHOTO_SPLATS.sigma
