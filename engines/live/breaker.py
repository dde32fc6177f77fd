"""A circuit breaker: after many failures in a row nothing is sent for a while, then one probe.

Theory. Closed, everything passes and failures in a row are counted. At `failures_max` it opens:
nothing passes for `rest_ms`. Then it is half open: one request passes as a probe, the others wait
as if it were open. A probe that succeeds closes it; one that fails opens it for twice as long, up
to `rest_ms_max`. A probe that never comes back frees its place after another rest, so that a lost
one cannot keep the breaker open for ever. A failure is the probe's if it was sent when that was.

Units: milliseconds of one clock that never goes back.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """The state of one venue's breaker."""

    failures_max: int = 8
    rest_ms: int = 1_000
    rest_ms_max: int = 30_000
    failures: int = 0
    rests: int = 0
    resting_until_ms: int = 0
    probed_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Return whether only a probe may pass."""
        return self.rests > 0

    def admit(self, now_ms: int) -> int:
        """Return 0 if a request may be sent now, else how long to wait before asking again."""
        if not self.is_open:
            return 0
        if now_ms < self.resting_until_ms:
            return self.resting_until_ms - now_ms
        self.probed_ms = now_ms
        self.resting_until_ms = now_ms + self._rest_ms()
        return 0

    def succeeded(self) -> None:
        """Close it: the venue answers."""
        self.failures, self.rests, self.probed_ms = 0, 0, None

    def failed(self, now_ms: int, sent_ms: int) -> None:
        """Count a failure; open after one too many, or for longer when the probe failed.

        `sent_ms` is when it was admitted.

        What was sent before it opened and fails afterwards changes nothing.
        """
        self.failures += 1
        is_probe = self.is_open and sent_ms == self.probed_ms
        if is_probe or (not self.is_open and self.failures >= self.failures_max):
            self.rests += 1
            self.probed_ms = None
            self.resting_until_ms = now_ms + self._rest_ms()

    def _rest_ms(self) -> int:
        return min(self.rest_ms_max, self.rest_ms << min(max(0, self.rests - 1), 20))
