"""Speech without a text: words, heard several times."""

from __future__ import annotations

from likeness.engine.motion.speech import free_speech
from likeness.engine.motion.speech.visemes import Phone


def spoken(names: str, at: float = 0.0) -> list[Phone]:
    """Sounds of a tenth of a second each."""
    return [Phone(n, at + 0.1 * k, at + 0.1 * (k + 1)) for k, n in enumerate(names.split())]


def test_the_hearing_on_which_most_agree_is_chosen() -> None:
    right, wrong = spoken("DH AH M AE P"), spoken("S IY F OW T")
    late = spoken("DH AH M AE P", 0.03)  # within the tolerance
    assert free_speech.choose_hearing([wrong, right], [late, late], [-4, -4]) == 1
    assert free_speech.choose_hearing([right, late, wrong], [right], [-4, -4, -4]) in (0, 1)
    nothing = free_speech.choose_hearing([wrong, []], [right, right], [-4, -9])
    assert nothing == 2  # words agree with nothing
    assert free_speech.choose_hearing([[], []], [[], []], [-9, -9]) == 2


def test_of_hearings_that_agree_alike_the_likelier_is_chosen() -> None:
    one, other = spoken("DH AH M AE P"), spoken("DH AH M IY T")
    for likelihoods, best in (((-4.0, -5.0), 0), ((-5.0, -4.0), 1)):
        assert free_speech.choose_hearing([one, other], [], likelihoods) == best
