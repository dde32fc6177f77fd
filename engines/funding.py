"""Funding: what holders of a perpetual pay each other at settlements, and when a run pays it.

Theory. At a settlement the holder of `qty` (signed, long above zero) pays

    qty x mark price x rate

so at a positive rate longs pay shorts. A settlement at the open time of a bar, or in a gap before
it, is charged to the position that was held from the bar before, ahead of anything that fills at
that open. One inside a bar is charged after the fills of its open: what the path does later in the
bar comes later. Settlements before the first and after the last bar concern nobody.

The mark price is the open of the mark bar that opens at the settlement; failing that the close of
the last mark bar closed by then, if that was not longer than one mark interval ago; failing that
the open of the traded bar. Payments come out of the account, not out of a position's margin, so
they do not move the liquidation price of an isolated position.
Source: Bybit help centre, "Funding fee calculation": fee = position value x rate, position value =
quantity x mark price; settlements every 8 hours from 00:00 UTC, on some contracts 4 or 1.
"""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engines.errors import PlanFault
from engines.klines import HOUR_MS, Klines, time_text
from engines.plan import Market, Plan
from engines.plan.checks import contradict
from engines.types import F64_1D, I64_1D

INTERVAL_HOURS = (1, 4, 8)


@dataclass(frozen=True, slots=True, eq=False)
class Funding:
    """Settlements [N] in ascending order: UTC times, and the rate of each.

    Raises: PlanFault naming the first one that is wrong.
    """

    time_ms: I64_1D
    rate: F64_1D

    def __post_init__(self) -> None:
        times, rates = self.time_ms, self.rate
        is_aligned = times.ndim == 1 and times.shape == rates.shape
        if not (is_aligned and times.dtype.kind == "i" and rates.dtype.kind == "f"):
            found = f"{times.shape} of {times.dtype} and {rates.shape} of {rates.dtype}"
            raise PlanFault("funding", "as many whole times as rates", found)
        for name, column in (("time_ms", times), ("rate", rates)):
            view = column.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        late = np.flatnonzero(np.diff(times) <= 0)
        if len(late):
            first = int(late[0])
            expected = f"a time after {time_text(int(times[first]))}"
            raise PlanFault(f"funding {first + 1}", expected, time_text(int(times[first + 1])))
        wrong = np.flatnonzero(~(np.abs(rates) < 1))
        if len(wrong):
            first = int(wrong[0])
            subject = f"funding rate at {time_text(int(times[first]))}"
            raise PlanFault(subject, "a ratio between -1 and 1", repr(float(rates[first])))

    def __len__(self) -> int:
        return len(self.time_ms)

    def between(self, start_ms: int, stop_ms: int) -> "Funding":
        """Return the settlements with start_ms <= time < stop_ms."""
        start, stop = np.searchsorted(self.time_ms, (start_ms, stop_ms)).tolist()
        return Funding(self.time_ms[start:stop], self.rate[start:stop])


def constant_funding(rate: float, interval_hours: int, klines: Klines) -> Funding:
    """Return one `rate` at every settlement from the first bar's open to the last one's close.

    Settlements lie `interval_hours` (1, 4 or 8) apart from 00:00 UTC on.
    Raises: PlanFault for another interval or a rate of 1 or more.
    """
    if interval_hours not in INTERVAL_HOURS:
        raise PlanFault("funding interval_hours", "1, 4 or 8", repr(interval_hours))
    step_ms = interval_hours * HOUR_MS
    first = -(-int(klines.open_time_ms[0]) // step_ms)
    last = int(klines.close_time_ms[-1]) // step_ms
    times = step_ms * np.arange(first, last + 1, dtype=np.int64)
    return Funding(times, np.full(len(times), float(rate)))


class Settlement(NamedTuple):
    """One settlement of a run; `is_before_open`: ahead of what fills at its bar's open."""

    time_ms: int
    rate: float
    mark_price: float
    is_before_open: bool


class Settlements:
    """The settlements of one run, by the bar in which they fall."""

    def __init__(self, klines: Klines, funding: Funding, mark: Klines | None) -> None:
        bars = np.searchsorted(klines.close_time_ms, funding.time_ms, side="right")
        self._at: defaultdict[int, list[Settlement]] = defaultdict(list)
        marks = _mark_prices(funding.time_ms, mark)
        opens, times = klines.open, klines.open_time_ms
        first_ms = int(klines.open_time_ms[0])
        for place, bar in enumerate(bars.tolist()):
            time_ms = int(funding.time_ms[place])
            if time_ms < first_ms or bar >= len(klines):
                continue
            known = float(marks[place])
            mark_price = float(opens[bar]) if np.isnan(known) else known
            is_before = time_ms <= int(times[bar])
            self._at[bar].append(
                Settlement(time_ms, float(funding.rate[place]), mark_price, is_before)
            )
        self.bars = sorted(self._at)

    def __contains__(self, bar_index: int) -> bool:
        return bar_index in self._at

    def next_bar(self, bar_index: int, stop: int) -> int:
        """Return the first bar from `bar_index` on with a settlement, at most `stop`."""
        place = bisect_left(self.bars, bar_index)
        return stop if place == len(self.bars) else min(stop, self.bars[place])

    def of(self, bar_index: int, is_before_open: bool) -> list[Settlement]:
        """Return the settlements of one bar that fall before or after the fills of its open."""
        settlements = self._at.get(bar_index, ())
        return [item for item in settlements if item.is_before_open is is_before_open]


def settlements_of(
    plan: Plan, klines: Klines, funding: Funding | None, mark: Klines | None
) -> Settlements | None:
    """Return when a run settles, None if it pays no funding.

    Raises: PlanFault if the coin itself is traded, which pays none.
    """
    if funding is None:
        return None
    if plan.market is Market.SPOT:
        found = f"spot and {len(funding)} settlements"
        contradict("market", "funding", "spot without funding", found)
    return Settlements(klines, funding, mark)


def _mark_prices(times: I64_1D, mark: Klines | None) -> F64_1D:
    """Return the mark price at each time, NaN where no mark bar tells it."""
    prices = np.full(len(times), np.nan)
    if mark is None:
        return prices
    place = np.searchsorted(mark.open_time_ms, times, side="right") - 1
    held = np.maximum(place, 0)
    opens_there = (place >= 0) & (mark.open_time_ms[held] == times)
    prices[opens_there] = mark.open[held][opens_there]
    closed = np.searchsorted(mark.close_time_ms, times, side="right") - 1
    last = np.maximum(closed, 0)
    is_fresh = (closed >= 0) & (times - mark.close_time_ms[last] <= mark.interval_ms)
    use = is_fresh & ~opens_there
    prices[use] = mark.close[last][use]
    return prices
