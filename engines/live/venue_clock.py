"""What time it is at the venue, from a few questions and answers.

Theory. A question sent at s (our clock) and answered at r says v, the venue's time at some moment
between: venue minus ours is v - (s + r) / 2, wrong by at most (r - s) / 2. Of the newest samples
the one with the shortest way decides. A sample whose bounds do not meet those of the one that
decides means that a clock was set: then only the new one counts. A sample is too old to trust
after `stale_ms`, for clocks drift.

Units: milliseconds; our clock is the one that requests are signed with (the system's).
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

SAMPLES_MAX = 8


class Sample(NamedTuple):
    """One answer: when it came, venue minus ours, and by how much that may be wrong."""

    at_ms: int
    offset_ms: float
    doubt_ms: float


@dataclass(slots=True)
class VenueClock:
    """Venue minus ours, as far as it is known."""

    stale_ms: int = 300_000
    _samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=SAMPLES_MAX))

    def learn(self, sent_ms: int, venue_ms: int, received_ms: int) -> None:
        """Take in the answer to one question."""
        doubt_ms = max(0, received_ms - sent_ms) / 2 + 1  # Each side rounds to a millisecond.
        sample = Sample(received_ms, venue_ms - (sent_ms + received_ms) / 2, doubt_ms)
        best = self._best()
        if best and abs(best.offset_ms - sample.offset_ms) > best.doubt_ms + doubt_ms:
            self._samples.clear()
        self._samples.append(sample)

    def is_stale(self, now_ms: int) -> bool:
        """Return whether the venue should be asked before its time matters."""
        return not self._samples or not 0 <= now_ms - self._samples[-1].at_ms <= self.stale_ms

    @property
    def is_known(self) -> bool:
        """Return whether there was an answer."""
        return bool(self._samples)

    @property
    def offset_ms(self) -> int:
        """Return venue minus ours; 0 before the first answer."""
        best = self._best()
        return round(best.offset_ms) if best else 0

    @property
    def doubt_ms(self) -> float:
        """Return by how much the offset may be wrong."""
        best = self._best()
        return best.doubt_ms if best else float("inf")

    def at(self, our_ms: int) -> int:
        """Return the venue's time at a time of ours."""
        return our_ms + self.offset_ms

    def forget(self) -> None:
        """Trust nothing: the venue refused a time."""
        self._samples.clear()

    def _best(self) -> Sample | None:
        return min(self._samples, key=lambda sample: sample.doubt_ms, default=None)
