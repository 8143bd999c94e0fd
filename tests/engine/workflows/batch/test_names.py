"""Where the names are that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from likeness.engine.core.types import LikenessError
from likeness.engine.workflows.batch.portrait_spec import PortraitSpec
from likeness.engine.workflows.batch.result_names import assign_names


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("b", "../../x"), "'t.csv', line 3: '../../x' does not lie inside 'out'."),
        (
            ("a", "a/b"),
            "'t.csv', line 3: the results 'a/b' would lie in those of 'a', of 't.csv', line 2.",
        ),
        (("me", "ME"), "'t.csv', line 3: the name 'ME' is there already, in 't.csv', line 2."),
    ],
)
def test_names_that_cannot_be_name_table_and_line(names: tuple[str, str], message: str) -> None:
    asked = [
        PortraitSpec(Path("p.jpg"), (), n, {}, f"'t.csv', line {k}") for k, n in enumerate(names, 2)
    ]
    with pytest.raises(LikenessError) as caught:
        assign_names(asked, Path("out"))
    assert caught.value.message == message
    assert caught.value.remedy


def test_a_photo_of_a_folder_is_named_itself() -> None:
    given = PortraitSpec(Path("p.jpg"), (), "a", {}, "'t.csv', line 2")
    asked = [given, PortraitSpec(Path("in/a/b.jpg"), (), "a/b")]
    with pytest.raises(LikenessError, match=r"^'in/a/b.jpg': the results 'a/b' would lie in"):
        assign_names(asked, Path("out"))
