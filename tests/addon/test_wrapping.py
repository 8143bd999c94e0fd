"""Notes in panels: long texts in lines."""

from __future__ import annotations

from likeness.addon.wrapping import count_cells, wrap_text


def test_words_stay_whole() -> None:
    text = "The view transform AgX changes the colors; Set Up Scene shows them"
    lines = wrap_text(text, 20)
    assert " ".join(lines) == text
    assert max(map(len, lines)) <= 20
    assert wrap_text("extraordinarily", 5) == ["extraordinarily"]
    assert wrap_text("  ", 5) == []


def test_japanese_breaks_between_letters_but_not_before_marks() -> None:
    text = "\u30d3\u30e5\u30fc\u5909\u63db AgX \u306f\u8272\u3092\u5909\u3048\u307e\u3059\u3002" * 3
    lines = wrap_text(text, 12)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(map(count_cells, lines)) <= 14  # a mark may hang over
    assert not any(line[0] in "\u3002\u30fc" for line in lines)
    assert any("AgX" in line for line in lines)
    assert wrap_text("\u672c\u5f53\u306b\uff1f\uff01", 6) == ["\u672c\u5f53", "\u306b\uff1f\uff01"]
