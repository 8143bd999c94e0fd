"""Texts as the words of a pronouncing dictionary: lower case, without numbers and marks."""

from __future__ import annotations

import re
import unicodedata

MAX_WORDS = 20_000

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_SIGNS = {"&": "and", "%": "percent", "+": "plus", "=": "equals", "@": "at", "$": "dollars"}
_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?(?:st|nd|rd|th)?|[a-z]+(?:'[a-z]+)*'?|[&%+=@$]")


def split_words(text: str) -> list[str]:
    """The words of an English text, as they are spoken.

    >>> split_words("It's the 2nd of 1,024 — done!")
    ["it's", 'the', 'second', 'of', 'one', 'thousand', 'twenty', 'four', 'done']
    """
    text = unicodedata.normalize("NFKD", text).lower().replace("\u2019", "'")
    text = "".join(c for c in text if not unicodedata.combining(c))
    words: list[str] = []
    for token in _TOKEN.findall(text):
        if token in _SIGNS:
            words.append(_SIGNS[token])
        elif token[0].isdigit():
            words += _spell_token(token)
        else:
            words.append(token)
    return words


def spell_number(value: int) -> list[str]:
    """A whole number below a trillion in words.

    >>> " ".join(spell_number(31415))
    'thirty one thousand four hundred fifteen'
    """
    if value < 20:
        return [_UNITS[value]]
    if value < 100:
        rest = [_UNITS[value % 10]] if value % 10 else []
        return [_TENS[value // 10 - 2], *rest]
    size, name = next(scale for scale in _SCALES if value >= scale[0])
    rest = spell_number(value % size) if value % size else []
    return [*spell_number(value // size), name, *rest]


def _spell_token(token: str) -> list[str]:
    digits = token.replace(",", "")
    ordinal = digits[-2:] in ("st", "nd", "rd", "th")
    whole, _, part = (digits[:-2] if ordinal else digits).partition(".")
    # Long numbers (telephones) are read digit by digit, as are decimals.
    words = spell_number(int(whole)) if len(whole) < 10 else [_UNITS[int(d)] for d in whole]
    if part:
        words += ["point", *(_UNITS[int(d)] for d in part)]
    if ordinal:
        last = words[-1]
        words[-1] = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last[-1] == "y" else f"{last}th")
    return words
