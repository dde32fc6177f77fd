"""Bars as a venue shows them at a moment: closed ones, and the one that is still forming.

Theory. A file holds closed bars. What happened inside one is told by its path: open, the extreme
nearer to the open, the other extreme, close (the rule that the broker fills by), walked in
`PRINTS` equal steps of time, each a public trade of an equal share of the volume. So a forming bar
is the prints so far, its extremes are reached at a print, and the closed bar is exactly the file's.
Longer intervals are made of the shortest one that divides them, the forming bar included.

A bar is visible from its open on. The venue's pages hold the last `limit` bars of the asked range,
newest first; asked for a start alone, the first ones. A start inside a bar means that bar.
Source: Bybit v5, "Get Kline"; pages as ccxt's `fetch_ohlcv` comments them.
"""

from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np

from actors.venue_sim.intervals import bucket_ends, bucket_start, bucket_starts
from actors.venue_sim.wire import decimals_of, number_text
from engines.klines import Klines
from engines.types import F64_1D, I64_1D

# Two of every three prints lie between turning points, so that each of those falls on a print.
PRINTS = 61
TURN = (PRINTS - 1) // 3
# Bars looked at to see how many decimals a series is written with.
SAMPLE = 1000


class Bar(NamedTuple):
    """One bar as shown: `is_closed` once its end has passed."""

    open_time_ms: int
    end_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float
    is_closed: bool


class Print(NamedTuple):
    """One public trade of the tape."""

    time_ms: int
    price: float
    qty: float
    number: int


@dataclass(frozen=True, slots=True)
class Grain:
    """How finely a series is written: decimals of its prices, volumes and turnovers."""

    price: int
    volume: int
    turnover: int

    @classmethod
    def of(cls, klines: Klines) -> "Grain":
        """Return the most decimals that a sample of the bars shows."""
        step = max(1, len(klines) // SAMPLE)
        turnover = klines.turnover
        return cls(
            price=max(decimals_of(value) for value in klines.close[::step].tolist()),
            volume=max(decimals_of(value) for value in klines.volume[::step].tolist()),
            turnover=4
            if turnover is None
            else max(decimals_of(value) for value in turnover[::step].tolist()),
        )


class Tape:
    """The bars of one symbol, ascending; those of a file have one interval.

    `is_made`: put together from other tapes, and not to be corrected itself. `finer` tells what has
    happened inside a forming bar; without it the bar's own path does.
    """

    def __init__(
        self,
        interval: str,
        grain: Grain,
        times: tuple[I64_1D, I64_1D],
        columns: tuple[F64_1D, ...],
        *,
        is_made: bool = False,
    ) -> None:
        self.interval = interval
        self.grain = grain
        self.open_ms, self.end_ms = times
        self.columns = columns
        self.is_made = is_made
        self.finer: Tape | None = None
        self._rows: list[list[str] | None] = [None] * len(self.open_ms)

    @classmethod
    def of(cls, klines: Klines, interval: str) -> "Tape":
        """Return the bars of a file; turnover is volume at the mean price where it has none."""
        grain = Grain.of(klines)
        turnover = klines.turnover
        if turnover is None:
            typical = (klines.open + klines.high + klines.low + klines.close) / 4
            turnover = np.round(klines.volume * typical, grain.turnover)
        prices = (klines.open, klines.high, klines.low, klines.close)
        times = (klines.open_time_ms, bucket_ends(klines.open_time_ms, interval))
        return cls(interval, grain, times, (*prices, klines.volume, turnover))

    def __len__(self) -> int:
        return len(self.open_ms)

    def visible(self, now_ms: int) -> int:
        """Return how many bars have opened by now."""
        return int(np.searchsorted(self.open_ms, now_ms, side="right"))

    def closed(self, now_ms: int) -> int:
        """Return how many bars have closed by now."""
        return int(np.searchsorted(self.end_ms, now_ms, side="right"))

    def at(self, index: int, now_ms: int) -> Bar:
        """Return a bar that has opened, as it stands now."""
        bar = self._whole(index)
        return bar if bar.end_ms <= now_ms else self._forming(bar, now_ms)

    def last(self, now_ms: int) -> Bar | None:
        """Return the newest bar that has opened, None before the first."""
        count = self.visible(now_ms)
        return self.at(count - 1, now_ms) if count else None

    def rows(
        self, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int
    ) -> list[list[str]]:
        """Return a page, newest first: start, open, high, low, close, volume, turnover as text."""
        stop = self.visible(now_ms)
        if end_ms is not None:
            stop = min(stop, int(np.searchsorted(self.open_ms, end_ms, side="right")))
        start = 0
        if start_ms is not None:
            from_ms = bucket_start(start_ms, self.interval)
            start = int(np.searchsorted(self.open_ms, from_ms, side="left"))
            if end_ms is None:
                stop = min(stop, start + limit)
        start = max(start, stop - limit)
        return [self._row(index, now_ms) for index in range(stop - 1, start - 1, -1)]

    def correct(self, open_time_ms: int, bar: Bar) -> None:
        """Replace the values of a bar for good, as a venue that corrects itself does."""
        index = self.index_of(open_time_ms)
        columns = [column.copy() for column in self.columns]
        for column, value in zip(columns, bar[2:8], strict=True):
            column[index] = value
        self.columns = tuple(columns)
        self._rows[index] = None

    def index_of(self, open_time_ms: int) -> int:
        """Return the index of the bar that opens at a time; there must be one."""
        index = int(np.searchsorted(self.open_ms, open_time_ms))
        assert index < len(self) and self.open_ms[index] == open_time_ms, "no bar opens then"
        return index

    def prints(self, index: int, now_ms: int) -> list[Print]:
        """Return the public trades of a bar up to now, oldest first."""
        bar = self._whole(index)
        step, rest = self._shares(bar)
        count = self._prints_by(bar, now_ms)
        first = index * PRINTS
        return [
            Print(
                print_time(bar, place),
                self._price(bar, place),
                rest if place == PRINTS - 1 else step,
                first + place,
            )
            for place in range(count)
        ]

    def _whole(self, index: int) -> Bar:
        values = [float(column[index]) for column in self.columns]
        return Bar(
            int(self.open_ms[index]),
            int(self.end_ms[index]),
            *(values[0], values[1], values[2], values[3], values[4], values[5]),
            is_closed=True,
        )

    def _row(self, index: int, now_ms: int) -> list[str]:
        row = self._rows[index]
        if row is not None and self.end_ms[index] <= now_ms:
            return row
        bar = self.at(index, now_ms)
        row = [str(bar.open_time_ms), *(number_text(value) for value in bar[2:8])]
        if bar.is_closed:
            self._rows[index] = row
        return row

    def inside(self, bar: Bar, now_ms: int) -> list[Bar]:
        """Return the bars that have opened inside a longer one, none if it is not longer."""
        first, stop = np.searchsorted(self.open_ms, (bar.open_time_ms, bar.end_ms))
        stop = min(int(stop), self.visible(now_ms))
        parts = [self.at(index, now_ms) for index in range(int(first), stop)]
        return parts if parts and parts[0].end_ms < bar.end_ms else []

    def _forming(self, bar: Bar, now_ms: int) -> Bar:
        parts = [] if self.finer is None else self.finer.inside(bar, now_ms)
        return self._joined(bar, parts) if parts else self._on_path(bar, now_ms)

    def _joined(self, bar: Bar, parts: list[Bar]) -> Bar:
        return Bar(
            *bar[:3],
            max(part.high for part in parts),
            min(part.low for part in parts),
            parts[-1].close,
            round(sum(part.volume for part in parts), self.grain.volume),
            round(sum(part.turnover for part in parts), self.grain.turnover),
            is_closed=False,
        )

    def _on_path(self, bar: Bar, now_ms: int) -> Bar:
        count = self._prints_by(bar, now_ms)
        first_turn, second_turn = turning_points(bar)
        reached = [bar.open, self._price(bar, count - 1)]
        reached += [first_turn] if count > TURN else []
        reached += [second_turn] if count > 2 * TURN else []
        step, _ = self._shares(bar)
        share = bar.volume if count == PRINTS else round(step * count, self.grain.volume)
        part = share / bar.volume if bar.volume else 0.0
        turnover = round(bar.turnover * part, self.grain.turnover)
        high, low, close = max(reached), min(reached), reached[1]
        return Bar(*bar[:3], high, low, close, share, turnover, is_closed=False)

    def _prints_by(self, bar: Bar, now_ms: int) -> int:
        """Return how many prints of a bar have happened by now; the first one opens it."""
        if now_ms >= bar.end_ms:
            return PRINTS
        return min(
            PRINTS, (now_ms - bar.open_time_ms) * PRINTS // (bar.end_ms - bar.open_time_ms) + 1
        )

    def _shares(self, bar: Bar) -> tuple[float, float]:
        """Return the quantity of each print, and of the last one, which takes the rest."""
        unit = 10**self.grain.volume
        step = int(bar.volume * unit / PRINTS) / unit
        return step, round(bar.volume - step * (PRINTS - 1), self.grain.volume)

    def _price(self, bar: Bar, place: int) -> float:
        points = (bar.open, *turning_points(bar), bar.close)
        leg, along = divmod(place, TURN)
        if along == 0:
            return points[leg]
        price = points[leg] + (points[leg + 1] - points[leg]) * along / TURN
        return round(price, self.grain.price)


def print_time(bar: Bar, place: int) -> int:
    """Return when the print of this place happens, rounded up so that it is then visible."""
    return bar.open_time_ms - (-place * (bar.end_ms - bar.open_time_ms) // PRINTS)


def turning_points(bar: Bar) -> tuple[float, float]:
    """Return the extremes in the order in which the path reaches them."""
    if bar.high - bar.open < bar.open - bar.low:
        return bar.high, bar.low
    return bar.low, bar.high


def grouped(base: Tape, interval: str) -> Tape:
    """Return the bars of a longer interval, made of a base tape's.

    A first bar whose beginning the base lacks is left out.
    """
    starts = bucket_starts(base.open_ms, interval)
    first = np.flatnonzero(np.r_[True, starts[1:] != starts[:-1]])
    first = first[int(base.open_ms[0] != starts[0]) :]
    begin = int(first[0]) if len(first) else 0
    opens, highs, lows, closes, volumes, turnovers = (c[begin:] for c in base.columns)
    at = first - begin
    last = np.r_[at[1:], len(base) - begin][: len(at)] - 1
    grain = base.grain
    columns = (
        opens[at],
        _reduced(np.maximum, highs, at),
        _reduced(np.minimum, lows, at),
        closes[last],
        np.round(_reduced(np.add, volumes, at), grain.volume),
        np.round(_reduced(np.add, turnovers, at), grain.turnover),
    )
    times = (starts[first], bucket_ends(starts[first], interval))
    return Tape(interval, grain, times, columns, is_made=True)


def merged(coarse: Tape, fine: Tape) -> Tape:
    """Return one tape of both: fine bars where they fill a coarse one, the coarse one elsewhere."""
    passed_ms = np.r_[0, np.cumsum(fine.end_ms - fine.open_ms)]
    begin, stop = (np.searchsorted(fine.open_ms, edge) for edge in (coarse.open_ms, coarse.end_ms))
    is_filled = passed_ms[stop] - passed_ms[begin] == coarse.end_ms - coarse.open_ms
    over = np.searchsorted(coarse.open_ms, fine.open_ms, side="right") - 1
    is_inside = (over >= 0) & (fine.open_ms < coarse.end_ms[over])
    kept = ~is_inside | is_filled[over]
    opens = np.r_[coarse.open_ms[~is_filled], fine.open_ms[kept]]
    order = np.argsort(opens, kind="stable")
    ends = np.r_[coarse.end_ms[~is_filled], fine.end_ms[kept]]
    pairs = zip(coarse.columns, fine.columns, strict=True)
    columns = tuple(np.r_[one[~is_filled], other[kept]][order] for one, other in pairs)
    finest = Grain(*map(max, zip(astuple(coarse.grain), astuple(fine.grain), strict=True)))
    return Tape(fine.interval, finest, (opens[order], ends[order]), columns, is_made=True)


def _reduced(fold: np.ufunc, column: F64_1D, at: I64_1D) -> F64_1D:
    """Return a column folded from each of these places to the next."""
    folded: F64_1D = fold.reduceat(column, at) if len(at) else column[:0]
    return folded
