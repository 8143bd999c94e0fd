"""Progress and time left of a job. No bpy here."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..engine.core.progress import overall_progress
from .job_texts import Translate

_TRUST_SECONDS = 4.0
"""Seconds for which the table of stages outweighs the measured time."""

_CREEP = 0.9
"""Highest fraction shown for a stage that reports no progress."""

_SMOOTH_SECONDS = 2.5
_MIN_PROGRESS = 0.04  # below it the measured time is not extrapolated


class TimeEstimate:
    """Estimates the time left from a job's progress reports.

    Attributes:
        fraction: of the whole job, 0..1; never decreases.
        remaining: seconds; None if unknown.
    """

    def __init__(self, seconds: Mapping[str, float], now: float) -> None:
        """
        Args:
            seconds: stage -> seconds on an average computer, in order; empty for a task that
                only reports fractions.
            now: seconds of a monotonic clock.
        """
        self._seconds = dict(seconds)
        self._total = sum(self._seconds.values())
        self._start = self._stage_start = self._last = now
        self._stage, self._pace = "", 1.0
        self._smooth: float | None = None  # time of the end
        self._paused = False
        self.fraction = 0.0
        self.remaining: float | None = None

    def pause(self, now: float) -> None:
        """Stop the clock until the next :meth:`take`, while the job waits for the user."""
        if not self._paused:
            self._paused, self._last = True, now

    def take(self, stage: str, fraction: float, now: float) -> None:
        """Take in a report: the job is in ``stage``, of which ``fraction`` 0..1 is done."""
        if self._paused:
            waited = now - self._last
            self._paused, self._start = False, self._start + waited
            self._stage_start += waited
            self._smooth = None if self._smooth is None else self._smooth + waited
        if stage != self._stage:
            self._stage, self._stage_start = stage, now
        elapsed = now - self._start
        done = overall_progress(stage, fraction, self._seconds) if self._seconds else fraction
        left: float | None = None
        if self._seconds and done is not None:
            # The table's seconds, scaled to this computer's pace.
            spent = now - self._stage_start
            if fraction > 0.0 or spent == 0.0:
                self._pace = (elapsed + _TRUST_SECONDS) / (done * self._total + _TRUST_SECONDS)
            elif self._seconds[stage] > 0.0:
                self._pace = max(self._pace, _CREEP * spent / self._seconds[stage])
            creep = min(_CREEP, spent / self._expected(stage))
            done = overall_progress(stage, max(fraction, creep), self._seconds) or done
            left = (1.0 - done) * self._total * self._pace
        elif not self._seconds and fraction > _MIN_PROGRESS:
            left = elapsed * (1.0 - fraction) / fraction
        self.fraction = min(1.0, max(self.fraction, done or 0.0))
        if left is not None:
            self._end_at(now + left, now)
        self._last = now

    def _expected(self, stage: str) -> float:
        return max(self._seconds[stage] * self._pace, 1e-3)

    def _end_at(self, end: float, now: float) -> None:
        if self._smooth is None:
            self._smooth = end
        follow = 1.0 - math.exp(-max(now - self._last, 0.0) / _SMOOTH_SECONDS)
        self._smooth += follow * (end - self._smooth)
        self.remaining = max(self._smooth - now, 0.0)


def format_time_left(seconds: float | None, translate: Translate = str) -> str:
    """Time left for people: rounded up, more coarsely the longer it is.

    >>> format_time_left(3.2), format_time_left(41), format_time_left(130), format_time_left(4000)
    ('5 s left', '45 s left', '3 min left', '1 h 7 min left')
    >>> format_time_left(None)
    ''
    """
    if seconds is None:
        return ""
    if seconds <= 85.0:
        return translate("{seconds} s left").format(seconds=max(5, 5 * math.ceil(seconds / 5)))
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return translate("{minutes} min left").format(minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    return translate("{hours} h {minutes} min left").format(hours=hours, minutes=minutes)
