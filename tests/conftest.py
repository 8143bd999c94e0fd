"""What several tests share; and folders of their own for whatever is cached."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# ``build.py test`` fills this folder. The variables have to be set before the engine is imported,
# and child processes inherit them.
_HOME = Path(__file__).resolve().parents[1] / ".test-cache"
if _HOME.is_dir():
    os.environ["LIKENESS_CACHE"] = str(_HOME / "cache")
    os.environ["LIKENESS_DATA"] = str(_HOME / "data")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from likeness.engine.files.weights import asset_path, cache_assets_dir  # noqa: E402
from PIL import Image  # noqa: E402

from tests.made_once import make_once  # noqa: E402
from tests.together import name_group  # noqa: E402

if TYPE_CHECKING:
    from likeness.engine.body import Body
    from likeness.engine.pipeline.build import LiftedPortrait
    from likeness.engine.synth.figure import SynthContext


@pytest.fixture(scope="session")
def sample_portrait() -> Path:
    """A photograph of a person (NASA, public domain), fetched by ``build.py test``."""
    path = cache_assets_dir().parent / "downloads" / "astronaut.png"
    if not path.is_file():
        pytest.fail(f"The sample portrait {path} is missing. Run 'python build.py test'.")
    return path


@pytest.fixture(scope="session")
def small_portrait(sample_portrait: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample portrait at 320 pixels: enough for a build whose picture is not measured."""
    path = tmp_path_factory.mktemp("portrait") / "small.png"
    with Image.open(sample_portrait) as photo:
        photo.convert("RGB").resize((320, 320)).save(path)
    return path


@pytest.fixture(scope="module")
def lifted_portrait(
    small_portrait: Path, tmp_path_factory: pytest.TempPathFactory
) -> LiftedPortrait:
    """The small portrait lifted to 40,000 Gaussians, for tests of what precedes or follows that."""

    def make(folder: Path) -> None:
        from likeness.engine.pipeline.build import lift_portrait
        from likeness.engine.pipeline.options import BuildOptions

        lifted = lift_portrait(small_portrait, BuildOptions(max_gaussians=40_000, refine="off"))
        (folder / "lifted").write_bytes(pickle.dumps(lifted))

    file = make_once(tmp_path_factory, "lifted-portrait", make) / "lifted"
    lifted: LiftedPortrait = pickle.loads(file.read_bytes())
    return lifted


@pytest.fixture(scope="session")
def default_body() -> Body:
    """The baked default body, where ``build.py assets`` has been run; none may change it."""
    from likeness.engine.body import load_body
    from likeness.engine.core.types import LikenessError

    try:
        return load_body(asset_path("body"))
    except LikenessError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def average(default_body: Body) -> Body:
    """The default body of average build."""
    return default_body.personalised(np.zeros(default_body.num_betas))


@pytest.fixture(scope="session")
def synth_world() -> SynthContext:
    """What synthetic people are made from, without an asset library."""
    from likeness.engine.core.types import LikenessError
    from likeness.engine.synth.figure import SynthOptions, open_context

    try:
        return open_context(SynthOptions(), print)
    except LikenessError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def quick_people() -> Iterator[None]:
    """Synthetic people in a third of the time: small textures, and light from few directions.

    For tests that measure where somebody is, not how the light falls on skin and cloth.
    """
    from likeness.engine.evaluation.people import person_render
    from likeness.engine.synth import raster_light

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster_light, "DIRECTIONS", 12)
        patch.setattr(raster_light, "SKY_MAP", 128)
        patch.setattr(person_render, "TEXTURE_SIZE", 256)
        yield


_FIRST = (
    "tests/test_package.py",  # it compiles the kernels of a build once for all;
    "tests/test_lint.py",  # meanwhile, these need few or none of them
    "tests/test_several_threads.py",
    "tests/engine/training/test_two_processes.py",
    "tests/test_docs.py",
    "tests/engine/training/test_resume.py",
    "Blender",
    "onnx",
    "diffusers",
    "tests/engine/training/test_training_people.py",  # compiles those of synthetic people
    "extension",
    "Blender 5.0",
    "tests/engine/tracking/test_video_tracking.py",
    "tests/engine/training/test_paper_form.py",
    "tests/engine/pipeline/test_photo_edit.py",
    "tests/engine/wardrobe/test_face_edits.py",
    "tests/engine/wardrobe/test_hair_edit.py",
    "tests/addon/test_synth_run.py",
    "tests/addon/cli/test_cli_batch.py",
    "tests/addon/cli/test_cli_track.py",
    "tests/test_recipes.py",
    "tests/engine/gaussians/lift/test_lift_outline.py",
    "tests/engine/core/test_kernels.py",
    "tests/engine/workflows/worker/test_worker.py",
    "tests/engine/gaussians/lift/test_lift_path.py",
    "tests/engine/training/test_guava_training.py",
    "tests/engine/bake/test_ehm.py",
    "tests/fuzz/test_fuzz.py",
    "tests/engine/evaluation/test_protocols_report.py",
    "tests/engine/evaluation/test_people_render.py",
    "tests/engine/evaluation/test_people_fov.py",
    "tests/engine/pipeline/test_real_build.py",
    "tests/engine/gaussians/lift/test_lift_labels.py",
    "tests/engine/gaussians/lift/test_lift_held.py",
    "tests/test_examples.py",
)
"""The longest files and groups (tests/together.py), so that none is left over when all others have
ended."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let a test's random weights not depend on the tests that ran before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {file: index for index, file in enumerate(_FIRST)}
    import numba  # after the engine, which says where its cache is

    if numba.config.NUMBA_NUM_THREADS < 2:
        skip = pytest.mark.skip(reason="tests/test_several_threads.py runs it")
        for item in items:
            if item.get_closest_marker("threads"):
                item.add_marker(skip)
    items.sort(key=lambda item: place.get(name_group(item.nodeid), len(_FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out files of tests, and some of them together."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return name_group(nodeid)

    return Together(config, log)
