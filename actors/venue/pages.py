"""The bars of a range as they come in, until the range is full or the venue has no more of it.

Theory. A venue's page may be short, overlap another or hold a row that cannot be true, and by
itself none of this can be told from a venue that has no such bars. So what is missing in a range is
asked for again, until it is full or `QUIET_REPLIES` replies in a row brought nothing new: then the
venue has no more (`EMPTY_REPLIES` suffice where there never was a row). A row counts if it opens on
the interval's grid inside the range and its values can be those of a bar; any other is as good as
missing, and named in the end if it never came right. Of two rows of one time that differ neither
counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines.klines import MINUTE_MS, PRICE_COLUMNS, Klines
from engines.resample import bucket_offset_ms
from engines.series import PriceKind, SeriesKey
from engines.types import BOOL_1D, F64_2D, I64_1D

QUIET_REPLIES, EMPTY_REPLIES = 3, 2
COLUMNS = 7  # time, open, high, low, close, volume, turnover


def open_at_or_after(time_ms: int, interval_ms: int) -> int:
    """Return when the first bar opens that does not open before a time."""
    phase = bucket_offset_ms(interval_ms)
    return phase - (phase - time_ms) // interval_ms * interval_ms


def opens_between(since_ms: int, until_ms: int, interval_ms: int) -> I64_1D:
    """Return when bars open in [since_ms, until_ms)."""
    return np.arange(open_at_or_after(since_ms, interval_ms), until_ms, interval_ms, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """What came of a range: its bars (None: not one), and by open time what was wrong with rows."""

    klines: Klines | None
    flaws: dict[int, str]


@dataclass(slots=True, eq=False)
class Collected:
    """The rows of a range so far."""

    key: SeriesKey
    since_ms: int
    until_ms: int
    rows: F64_2D = field(default_factory=lambda: np.empty((0, COLUMNS)))
    flaws: dict[int, str] = field(default_factory=dict)
    quiet: int = 0  # replies in a row that brought nothing new

    @property
    def is_exhausted(self) -> bool:
        """Return whether the venue has no more of it."""
        is_empty = not len(self.rows) and not self.flaws
        return self.quiet >= (EMPTY_REPLIES if is_empty else QUIET_REPLIES)

    def missing(self) -> tuple[int, int] | None:
        """Return the range in which bars are still missing, None if it is full."""
        opens = opens_between(self.since_ms, self.until_ms, self.key.interval_ms)
        absent = opens[~np.isin(opens, self.rows[:, 0].astype(np.int64))]
        if not len(absent):
            return None
        return int(absent[0]), int(absent[-1]) + self.key.interval_ms

    def take(self, raw: Sequence[Sequence[Any]]) -> int:
        """Take in the rows of a reply, in any order; return how many are new."""
        rows = _once(_table(raw, self.key.price is PriceKind.MARK))
        rows = rows[(rows[:, 0] >= self.since_ms) & (rows[:, 0] < self.until_ms)]
        rows = rows[~np.isin(rows[:, 0], self.rows[:, 0])]
        is_right = self._judge(rows)
        fresh = rows[is_right]
        self.rows = np.concatenate((self.rows, fresh))
        self.quiet = 0 if len(fresh) else self.quiet + 1
        for time_ms in fresh[:, 0].astype(np.int64).tolist():
            self.flaws.pop(time_ms, None)
        return len(fresh)

    def page(self) -> Page:
        """Return what has come, ascending."""
        if not len(self.rows):
            return Page(None, self.flaws)
        rows = self.rows[np.argsort(self.rows[:, 0])]
        names = (*PRICE_COLUMNS, "volume", "turnover")
        columns = dict(zip(names, rows.T[1:].copy(), strict=True))
        if np.isnan(columns["turnover"]).any():  # Known of every bar or of none.
            del columns["turnover"]
        times = {"open_time_ms": rows[:, 0].astype(np.int64)}
        klines = Klines.of_columns(self.key.symbol, self.key.interval_ms, times | columns)
        return Page(klines, self.flaws)

    def _judge(self, rows: F64_2D) -> BOOL_1D:
        """Return which rows can be bars of this series; the others are noted."""
        times, prices = rows[:, 0], rows[:, 1:5]
        others, counts = np.unique(times, return_counts=True)
        on_grid = opens_between(self.since_ms, self.until_ms, self.key.interval_ms)
        reach = (rows[:, 2] >= rows[:, 1:5].max(axis=1)) & (rows[:, 3] <= rows[:, 1:5].min(axis=1))
        checks = (
            ("two rows of one time", np.isin(times, others[counts == 1])),
            ("an open off the grid", np.isin(times, on_grid)),
            ("a value that is no number", np.isfinite(rows[:, :6]).all(axis=1)),
            ("a price that is not above zero", (prices > 0).all(axis=1)),
            ("a volume below zero", (rows[:, 5] >= 0) & ~(rows[:, 6] < 0)),
            ("open or close beyond high and low", reach),
        )
        is_right = np.ones(len(rows), dtype=bool)
        for words, passes in checks:
            for time_ms in times[is_right & ~passes].tolist():
                self.flaws[int(time_ms)] = words
            is_right &= passes
        return is_right


@dataclass(slots=True, eq=False)
class CollectedFunding:
    """The settlements of a range so far, by time: expected on the grid of `step_ms` from the epoch.

    How often an instrument settles changes: a finer grid is taken up once it is seen, and where a
    coarser one was in force, what is missing on this one is asked for in vain.
    """

    since_ms: int
    until_ms: int
    step_ms: int
    rates: dict[int, float] = field(default_factory=dict)
    quiet: int = 0

    @property
    def is_exhausted(self) -> bool:
        """Return whether the venue has no more of it."""
        return self.quiet >= (QUIET_REPLIES if self.rates else EMPTY_REPLIES)

    def missing(self) -> tuple[int, int] | None:
        """Return the range in which settlements are still missing, None if it is full."""
        times = opens_between(self.since_ms, self.until_ms, self.step_ms).tolist()
        absent = [time_ms for time_ms in times if time_ms not in self.rates]
        return (absent[0], absent[-1] + 1) if absent else None

    def take(self, raw: Iterable[tuple[Any, Any]]) -> None:
        """Take in the rows of a reply, in any order."""
        before = len(self.rates)
        for time_ms, rate in raw:
            if time_ms is None or rate is None or not abs(rate) < 1:
                continue
            if self.since_ms <= time_ms < self.until_ms:
                self.rates.setdefault(int(time_ms), float(rate))
        self.quiet = 0 if len(self.rates) > before else self.quiet + 1
        steps = np.diff(sorted(self.rates))
        self.step_ms = min([self.step_ms, *steps[steps >= MINUTE_MS].tolist()])


def joined(parts: Sequence[Klines]) -> Klines | None:
    """Return bars end to end; each part begins after the one before."""
    if len(parts) < 2:
        return parts[0] if parts else None
    names: tuple[str, ...] = ("open_time_ms", *PRICE_COLUMNS, "volume")
    names += ("turnover",) if all(part.turnover is not None for part in parts) else ()
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Klines.of_columns(parts[0].symbol, parts[0].interval_ms, columns)


def kept(klines: Klines, mask: BOOL_1D) -> Klines | None:
    """Return the bars that a mask [T] names, None if it names none."""
    if not mask.any():
        return None
    names = ("open_time_ms", *PRICE_COLUMNS, "volume", "turnover")
    columns = {name: getattr(klines, name) for name in names}
    columns = {name: None if each is None else each[mask] for name, each in columns.items()}
    return Klines.of_columns(klines.symbol, klines.interval_ms, columns)


def _table(raw: Sequence[Sequence[Any]], is_mark: bool) -> F64_2D:
    """Return rows as numbers, what is absent as NaN; a mark price has no volume."""
    padded = [[*row[:COLUMNS], *[None] * (COLUMNS - len(row))] for row in raw if row and row[0]]
    table = np.array(padded, dtype=np.float64).reshape(-1, COLUMNS)
    if is_mark:
        table[:, 5:] = (0.0, np.nan)
    return table


def _once(rows: F64_2D) -> F64_2D:
    """Return rows without repetitions, bit by bit, for NaN is not equal to itself."""
    bits = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.itemsize * COLUMNS)))
    return rows[np.unique(bits.ravel(), return_index=True)[1]]
