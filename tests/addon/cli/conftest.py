"""The avatar that attributes are put on, as in the engine's tests."""

from tests.engine.wardrobe.conftest import average, person, person_file

__all__ = ["average", "person", "person_file"]
