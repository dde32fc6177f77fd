"""The venue's time, which a test drives: it stands, runs as the world's does, or runs faster.

The clock is the one thing here that looks at the machine's; everything below it is given a time.
It never goes back. Whoever listens is told of each jump at once, so that messages that the passing
time causes are on their way when `advance` returns.
"""

import time
from collections.abc import Callable


class VenueClock:
    """A clock at `at_ms` (None: the world's time) that runs `speed` times as fast, 0: stands."""

    def __init__(self, at_ms: int | None = None, speed: float = 1.0) -> None:
        assert speed >= 0, "time does not run backwards"
        self._base_ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
        self._since = time.monotonic()
        self._speed = speed
        self._listeners: list[Callable[[], None]] = []

    @property
    def speed(self) -> float:
        """Return how many of the venue's seconds pass in one of the world's."""
        return self._speed

    def now_ms(self) -> int:
        """Return the venue's time."""
        return self._base_ms + int((time.monotonic() - self._since) * 1000 * self._speed)

    def set(self, time_ms: int) -> None:
        """Jump to a time that is not earlier than now."""
        assert time_ms >= self.now_ms(), "the venue's clock never goes back"
        self._base_ms, self._since = time_ms, time.monotonic()
        for listener in self._listeners:
            listener()

    def advance(self, by_ms: int) -> None:
        """Jump forward."""
        self.set(self.now_ms() + by_ms)

    def run(self, speed: float) -> None:
        """Go on from now at another speed; 0 stands still until it is moved."""
        assert speed >= 0, "time does not run backwards"
        self._base_ms, self._since, self._speed = self.now_ms(), time.monotonic(), speed

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called after each jump."""
        self._listeners.append(listener)
