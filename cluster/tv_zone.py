"""Find the time zone of a trade list by laying its fills on the bars.

Theory. A list without offsets shows the wall clock of a chart. Under the right zone every fill
time is the open of a bar and every price lies inside that bar; under a wrong one the market has
moved and most prices lie outside. All offsets in use anywhere and the zones with summer time of
the world's exchanges are tried, those that give the same UTC times count as one, and the best must
fit nearly every fill and alone: two different answers are no answer. An open equals the close
before it, so market fills lie inside their bar and the one before; between zones that fit equally
the one under which more fills are at an open is right. (Orders filled at their bar's close are the
exception: their list needs its zone named.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from cluster.tv_vocabulary import ZONES
from engines.errors import TradeListFault
from engines.klines import DAY_MS, HOUR_MS, MINUTE_MS, Klines, time_text
from engines.parity import ListedTrade
from engines.types import BOOL_1D, F64_1D, I64_1D

# Whole hours, and every offset of quarter hours that some country keeps or kept this century.
QUARTERS = (-38, -18, -14, -10, 14, 18, 22, 23, 26, 30, 34, 35, 38, 42, 46, 51, 55)
OFFSETS_MS = sorted(
    [hour * HOUR_MS for hour in range(-12, 15)] + [n * 15 * MINUTE_MS for n in QUARTERS]
)
# Slippage and rounded exit levels leave some prices a few ticks outside their bars; a wrong zone
# leaves most of them outside.
FITTING_RATIO_MIN = 0.9


@dataclass(frozen=True, slots=True)
class _Fit:
    """How a zone fits: fills at a bar's open time; their prices inside the bar, or at its open."""

    zone: str
    utc_ms: I64_1D
    on_bar: int
    inside: int
    at_open: int

    @property
    def rank(self) -> tuple[int, int]:
        """Return what the best fit has most of."""
        return self.inside, self.at_open


def resolve_time_zone(
    trades: Sequence[ListedTrade],
    klines: Klines,
    *,
    first_zone: str = "UTC",
    has_clock: bool = True,
) -> tuple[str, tuple[ListedTrade, ...]]:
    """Return the zone of wall-clock times and the trades with UTC times.

    Raises: TradeListFault naming what was tried and how well the best fitted.
    """
    wall_ms, price, is_exact = _fills(trades)
    fits = [
        _fit(zone, utc_ms, price, is_exact, klines, has_clock)
        for zone, utc_ms in _candidates(wall_ms, first_zone)
    ]
    best = max(fits, key=lambda fit: fit.rank)
    total = int(is_exact.sum())
    tried = f"{len(fits)} time zones on bars {_span(klines)}"
    if best.inside < FITTING_RATIO_MIN * total or best.on_bar < total:
        found = f"{best.inside} of {total} prices inside their bars under the best, {best.zone}"
        if best.on_bar < total:
            found += f", and {total - best.on_bar} fills at no bar's open"
        raise TradeListFault(
            f"a trade list of another symbol or time zone ({tried})",
            "every fill at the open time of a bar, its price inside that bar",
            found,
        )
    rivals = [f for f in fits if f.rank == best.rank and (f.utc_ms != best.utc_ms).any()]
    if rivals:
        found = f"both {best.zone} and {rivals[0].zone} fit {best.inside} of {total} prices"
        raise TradeListFault(f"time zone of the trade list ({tried})", "one that fits", found)
    return best.zone, _with_times(trades, best.utc_ms)


def in_zone(trades: Sequence[ListedTrade], time_zone: str) -> tuple[ListedTrade, ...]:
    """Return wall-clock trades as UTC; the zone is an IANA name or an offset such as +03:00.

    Raises: TradeListFault if the zone is neither.
    """
    wall_ms, _, _ = _fills(trades)
    return _with_times(trades, _utc_of(wall_ms, _zone(time_zone)))


def _zone(name: str) -> tzinfo:
    bare = name.strip().upper().removeprefix("UTC").removeprefix("GMT")
    if bare[:1] in ("+", "-"):
        hours, _, minutes = bare[1:].partition(":")
        if hours.isdigit() and (minutes or "0").isdigit() and int(hours) <= 14:
            offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
            return timezone(offset if bare[0] == "+" else -offset)
    try:
        return ZoneInfo(name.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TradeListFault(
            "time zone",
            "an IANA name such as Europe/Berlin or an offset such as +03:00",
            repr(name),
        ) from None


def _fills(
    trades: Sequence[ListedTrade],
) -> tuple[I64_1D, F64_1D, BOOL_1D]:
    """Return wall times, prices and whether a fill happened, entry and exit of each trade [2K].

    The exit of a trade still open is the moment of the export and no fill.
    """
    wall, price, is_exact = [], [], []
    for t in trades:
        wall += [t.entry_time_ms, t.entry_time_ms if t.exit_time_ms is None else t.exit_time_ms]
        price += [t.entry_price, t.entry_price if t.exit_price is None else t.exit_price]
        is_exact += [True, not t.is_open]
    return np.array(wall, dtype=np.int64), np.array(price), np.array(is_exact)


def _with_times(trades: Sequence[ListedTrade], utc_ms: I64_1D) -> tuple[ListedTrade, ...]:
    return tuple(
        replace(
            trade,
            entry_time_ms=int(utc_ms[2 * i]),
            exit_time_ms=None if trade.exit_time_ms is None else int(utc_ms[2 * i + 1]),
        )
        for i, trade in enumerate(trades)
    )


def _candidates(wall_ms: I64_1D, first_zone: str) -> list[tuple[str, I64_1D]]:
    """Return zones by name with the UTC times they give, each different set of times once."""
    candidates: list[tuple[str, I64_1D]] = []
    seen: set[bytes] = set()

    def add(name: str, utc_ms: I64_1D) -> None:
        if utc_ms.tobytes() not in seen:
            seen.add(utc_ms.tobytes())
            candidates.append((name, utc_ms))

    for name in (first_zone, "UTC"):
        add(name, _utc_of(wall_ms, _zone(name)))
    for offset_ms in OFFSETS_MS:
        sign = "-" if offset_ms < 0 else "+"
        hours, minutes = divmod(abs(offset_ms) // MINUTE_MS, 60)
        add(f"UTC{sign}{hours:02}:{minutes:02}", wall_ms - offset_ms)
    for name in ZONES:
        add(name, _utc_of(wall_ms, _zone(name)))
    return candidates


def _utc_of(wall_ms: I64_1D, zone: tzinfo) -> I64_1D:
    """Return UTC of wall-clock times; the hour that comes twice in autumn is its first.

    Offsets are looked up at the ends of each day and, only on days on which they change, for
    every time: a list of years costs some thousand look-ups and not one a fill.
    """
    day = wall_ms // DAY_MS
    days, of_day = np.unique(day, return_inverse=True)
    starts = np.array([_offset_ms(int(d) * DAY_MS, zone) for d in days], dtype=np.int64)
    ends = np.array([_offset_ms(int(d) * DAY_MS + DAY_MS, zone) for d in days], dtype=np.int64)
    offset = starts[of_day]
    for i in np.flatnonzero((starts != ends)[of_day]):
        offset[i] = _offset_ms(int(wall_ms[i]), zone)
    return wall_ms - offset


def _offset_ms(wall_ms: int, zone: tzinfo) -> int:
    moment = datetime.fromtimestamp(wall_ms / 1000, UTC).replace(tzinfo=zone)
    offset = moment.utcoffset()
    assert offset is not None
    return round(offset.total_seconds() * 1000)


def _fit(
    zone: str,
    utc_ms: I64_1D,
    price: F64_1D,
    is_exact: BOOL_1D,
    klines: Klines,
    has_clock: bool,
) -> _Fit:
    index = np.searchsorted(klines.open_time_ms, utc_ms, side="right") - 1
    bar = np.maximum(index, 0)
    open_ms = klines.open_time_ms[bar]
    within = (index >= 0) & (utc_ms < open_ms + klines.interval_ms)
    if not has_clock:
        # A day without a clock names its bar, whenever in the day that bar opens.
        utc_ms = np.where(within, open_ms, utc_ms)
    on_bar = within & (utc_ms == open_ms) & is_exact
    slack = 1e-9 * price
    inside = on_bar & (price >= klines.low[bar] - slack) & (price <= klines.high[bar] + slack)
    at_open = inside & (np.abs(price - klines.open[bar]) <= slack)
    return _Fit(zone, utc_ms, int(on_bar.sum()), int(inside.sum()), int(at_open.sum()))


def _span(klines: Klines) -> str:
    first, last = int(klines.open_time_ms[0]), int(klines.open_time_ms[-1])
    return f"from {time_text(first)} to {time_text(last)}"
