"""Bars to store: made from their place in time, so that any part can be made again."""

from collections.abc import Mapping

import numpy as np

from engines.klines import Klines

START_MS = 1_735_689_600_000  # 2025-01-01
STEP_MS = 15 * 60_000
NOW_MS = 1_782_864_000_000  # 2026-07-01
COLUMNS = ("open_time_ms", "open", "high", "low", "close", "volume", "turnover")


def bars(
    first: int,
    stop: int,
    *,
    symbol: str = "BTC/USDT:USDT",
    step_ms: int = STEP_MS,
    shift_ms: int = 0,
    turnover: bool = False,
    high_at: Mapping[int, float] | None = None,
) -> Klines:
    """Return the bars from `first` to before `stop` since 2025; `high_at` raises some highs."""
    count = np.arange(first, stop, dtype=np.int64)
    opens = 100 + np.sin(count / 7.0) * 10 + count * 1e-3
    closes = 100 + np.sin((count + 1) / 7.0) * 10 + (count + 1) * 1e-3
    raised = np.array([(high_at or {}).get(int(bar), 0.0) for bar in count])
    volume = 1 + np.abs(np.cos(count / 3.0))
    return Klines(
        symbol=symbol,
        interval_ms=step_ms,
        open_time_ms=START_MS + shift_ms + count * step_ms,
        open=opens,
        high=np.maximum(opens, closes) + 0.1 + raised,
        low=np.minimum(opens, closes) - 0.1,
        close=closes,
        volume=volume,
        turnover=volume * closes if turnover else None,
    )


def same(one: Klines, other: Klines) -> bool:
    """Return whether two series are the same to the last bit."""
    if (one.symbol, one.interval_ms) != (other.symbol, other.interval_ms):
        return False
    pairs = [(getattr(one, name), getattr(other, name)) for name in COLUMNS]
    return all(a is b if a is None or b is None else a.tobytes() == b.tobytes() for a, b in pairs)
