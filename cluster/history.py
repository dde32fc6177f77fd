"""The history: stored bars and funding of any venue, and the only door to them.

    ROOT/klines/venue=bybit/symbol=BTC%2FUSDT%3AUSDT/interval=15m/price=last/2025-01.parquet
    ROOT/funding/venue=bybit/symbol=BTC%2FUSDT%3AUSDT/2025-01.parquet

ROOT is a folder or the URL of any filesystem that pyarrow opens: PHALANX_HISTORY_URL, else the
user's folder for application files. The names are Hive's, so DuckDB, Polars and pandas read it too.

Theory. Bars are facts: once written they are never changed in silence (`history_rows` says what an
overlap does), a bar that has not closed is refused, and gaps are known, not filled. A month is a
file that is replaced whole (`month_files`), the earliest first, so that whoever dies while writing
leaves whole months. Readers take no lock. One program writes to a series at a time, under a lock of
the system: in the series' folder on a disk, so that several machines on one disk see it too; for an
object store in the user's folder, so that there it holds among the programs of one machine only,
and each series is to have one machine that writes it.

A correction is flagged in the application's database (`issues`) before anything is written: if it
cannot be, nothing is; that it was accepted is recorded when it is on disk. Rows of which most
differ from what is kept are no corrections, and refused. A damaged file is named by everything that
meets it, and given back only through `Writer.replace_month`.
"""

import difflib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
from platformdirs import user_data_path

from cluster.history_place import HISTORY_URL, HistoryBroken, HistoryBusy, HistoryFault, place_of
from cluster.history_rows import Correction, Overlap, Rows, WriteResult, joined
from cluster.history_writer import (
    BAR_VALUES,
    FUNDING_VALUES,
    TIME_OF_BARS,
    TIME_OF_FUNDING,
    Flag,
    Key,
    Writer,
)
from cluster.month_files import MonthFiles, month_of, month_range_ms
from cluster.whole_files import clear_scratch, hold
from engines.errors import KlineFault
from engines.funding import Funding
from engines.klines import Gap, Klines, gaps_of, interval_text, parse_interval_ms, time_text
from engines.series import FundingKey, PriceKind, SeriesKey
from engines.types import I64_1D

__all__ = [  # one door: what its users need beside it
    "BrokenMonth",
    "Correction",
    "History",
    "HistoryBroken",
    "HistoryBusy",
    "HistoryFault",
    "Overlap",
    "WriteResult",
    "Writer",
]

TURNOVER = ("turnover",)
KLINES, FUNDING, LOCK, LOCKS = "klines", "funding", ".lock", "locks"
BUSY_S = 2.0  # Most who write do so for a fraction of that.


@dataclass(frozen=True, slots=True)
class BrokenMonth:
    """A damaged file: its month, the times that belong to it, and what is said of it."""

    month: str
    since_ms: int
    until_ms: int
    fault: HistoryBroken


@dataclass(frozen=True, slots=True)
class Survey:
    """What can be read of a series (None: nothing), and the months that are damaged."""

    rows: Rows | None
    broken: tuple[BrokenMonth, ...]


def wall_clock_ms() -> int:
    """Return the time of this machine."""
    return time.time_ns() // 1_000_000


def flagged_in_database(
    key: Key, corrections: Sequence[Correction], overlap: Overlap, now_ms: int
) -> None:
    """Record corrections in the application's database, which readers never load."""
    from cluster.issues import flag_in_database

    flag_in_database(key, corrections, overlap, now_ms)


class History:
    """Reads and writes stored series; several may be open at once, in any number of programs."""

    def __init__(
        self,
        root_url: str | None = None,
        *,
        flag: Flag = flagged_in_database,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._place = place_of(root_url or os.environ.get(HISTORY_URL))
        self._flag = flag
        self._now_ms = now_ms

    @property
    def shown(self) -> str:
        """Return where it lies, as people call it."""
        return self._place.shown

    def read(
        self, key: SeriesKey, since_ms: int | None = None, until_ms: int | None = None
    ) -> Klines:
        """Return the stored bars with since_ms <= open time < until_ms, all without limits.

        Raises: HistoryFault if there is none (it names what is near), HistoryBroken if a file is
        damaged.
        """
        rows = self._rows(key, since_ms, until_ms)
        if rows is None:
            raise self._none(key, since_ms, until_ms)
        columns = {TIME_OF_BARS: rows.time_ms, **rows.columns}
        if np.isnan(columns["turnover"]).any():  # Known of every bar or of none.
            del columns["turnover"]
        return Klines.of_columns(key.symbol, key.interval_ms, columns)

    def turnover_note(self, key: SeriesKey, klines: Klines) -> tuple[str, ...]:
        """Return what to say of bars that were read without the turnover that is stored of some."""
        since_ms, until_ms = int(klines.open_time_ms[0]), int(klines.open_time_ms[-1]) + 1
        rows = (
            None if klines.turnover is not None else self._rows(key, since_ms, until_ms, TURNOVER)
        )
        unknown = 0 if rows is None else int(np.isnan(rows.columns["turnover"]).sum())
        if rows is None or unknown in (0, len(rows)):
            return ()
        return (f"turnover left out: {unknown:,} of {len(rows):,} bars do not have it",)

    def read_funding(
        self, venue: str, symbol: str, since_ms: int | None = None, until_ms: int | None = None
    ) -> Funding:
        """Return the stored settlements with since_ms <= time < until_ms, all without limits.

        Raises: HistoryFault if there is none, HistoryBroken if a file is damaged.
        """
        key = FundingKey(venue, symbol)
        rows = self._rows(key, since_ms, until_ms)
        if rows is None:
            raise self._none(key, since_ms, until_ms)
        return Funding(rows.time_ms, rows.columns["rate"])

    def survey(self, key: Key, since_ms: int | None = None, until_ms: int | None = None) -> Survey:
        """Read every byte of a series, and return what can be read of a range and what cannot.

        For those who judge what is stored: the rows are not checked.
        """
        parts, broken, files = list[Rows](), list[BrokenMonth](), self._files(key)
        for month in files.months():
            try:
                parts += files.read_all(month, month)
            except HistoryBroken as fault:
                broken.append(BrokenMonth(month, *month_range_ms(month), fault))
        return Survey(_between(parts, since_ms, until_ms), tuple(broken))

    def size_bytes(self, key: Key) -> int:
        """Return how much room a series takes."""
        return self._place.size_bytes(_folder(key))

    def write(self, key: SeriesKey, klines: Klines, overlap: Overlap = Overlap.KEEP) -> WriteResult:
        """Add closed bars, as `Writer.write`.

        Raises: HistoryBusy if another program writes to the series, else as `Writer.write`.
        """
        with self.writing(key) as writer:
            return writer.write(klines, overlap)

    def write_funding(
        self, venue: str, symbol: str, funding: Funding, overlap: Overlap = Overlap.KEEP
    ) -> WriteResult:
        """Add settlements, as `write`."""
        with self.writing(FundingKey(venue, symbol)) as writer:
            return writer.write(funding, overlap)

    @contextmanager
    def writing(self, key: Key) -> Iterator[Writer]:
        """Be the one that writes to a series for several writes.

        Raises: HistoryBusy naming the program that is, and does not end within seconds.
        """
        with self._place.asked("one that can be written to"):
            folder = self._lock_folder(key)
            folder.mkdir(parents=True, exist_ok=True)
            lock = hold(folder / LOCK, f"{key} in {self.shown}", "one writer", HistoryBusy, BUSY_S)
        with lock:
            with self._place.asked("one that can be written to"):
                clear_scratch(folder)
            yield Writer(key, self._files(key), self._flag, self._now_ms)

    def span(self, key: Key) -> tuple[int, int] | None:
        """Return the times of the first and the last stored row, None if there is none."""
        files = self._files(key)
        months = files.months()
        if not months:
            return None
        first, last = (files.read_all(month, month, ()) for month in (months[0], months[-1]))
        if not first or not last:
            return self.span(key)  # They have been trimmed meanwhile.
        return int(first[0].time_ms[0]), int(last[-1].time_ms[-1])

    def times(self, key: Key, since_ms: int | None = None, until_ms: int | None = None) -> I64_1D:
        """Return the times of the stored rows with since_ms <= time < until_ms [N]."""
        rows = self._rows(key, since_ms, until_ms, ())
        return np.empty(0, dtype=np.int64) if rows is None else rows.time_ms

    def gaps(
        self, key: SeriesKey, since_ms: int | None = None, until_ms: int | None = None
    ) -> list[Gap]:
        """Return every place where bars are missing between two stored ones, in order."""
        return gaps_of(self.times(key, since_ms, until_ms), key.interval_ms)

    def missing(self, key: SeriesKey, since_ms: int, until_ms: int) -> list[tuple[int, int]]:
        """Return the ranges of since_ms <= open time < until_ms in which no bar is stored."""
        times = self.times(key, since_ms, until_ms)
        if not len(times):
            return [(since_ms, until_ms)] if since_ms < until_ms else []
        step_ms = key.interval_ms
        ranges = [(gap.after_ms + step_ms, gap.before_ms) for gap in gaps_of(times, step_ms)]
        if int(times[0]) - since_ms >= step_ms:
            ranges.insert(0, (since_ms, int(times[0])))
        if until_ms > int(times[-1]) + step_ms:
            ranges.append((int(times[-1]) + step_ms, until_ms))
        return ranges

    def broken(self, key: Key) -> tuple[BrokenMonth, ...]:
        """Return the months whose files are damaged, every byte of them read."""
        return self.survey(key).broken

    def keys(self) -> list[SeriesKey]:
        """Return the series of bars that are stored, sorted; folders of others are not ours."""
        found = [
            SeriesKey(venue, symbol, interval_ms, PriceKind(price))
            for venue, symbol, folder in self._symbols(KLINES)
            for interval, below in self._parts(folder, "interval")
            for interval_ms in _interval_ms(interval)
            for price, _ in self._parts(below, "price")
            if price in set(PriceKind)
        ]
        return sorted(key for key in found if self._files(key).months())

    def funding_keys(self) -> list[FundingKey]:
        """Return the series of settlements that are stored, sorted."""
        found = [FundingKey(venue, symbol) for venue, symbol, _ in self._symbols(FUNDING)]
        return sorted(key for key in found if self._files(key).months())

    def _symbols(self, kind: str) -> Iterator[tuple[str, str, str]]:
        for venue, folder in self._parts(kind, "venue"):
            for symbol, below in self._parts(folder, "symbol"):
                yield venue, symbol, below

    def _parts(self, folder: str, name: str) -> Iterator[tuple[str, str]]:
        """Yield the values of a partition, and where each lies."""
        for part in self._place.names(folder):
            if part.startswith(f"{name}="):
                yield unquote(part.partition("=")[2]), f"{folder}/{part}"

    def _files(self, key: Key) -> MonthFiles:
        folder, subject = _folder(key), str(key)
        if isinstance(key, FundingKey):
            return MonthFiles(self._place, folder, subject, TIME_OF_FUNDING, FUNDING_VALUES)
        return MonthFiles(self._place, folder, subject, TIME_OF_BARS, BAR_VALUES)

    def _lock_folder(self, key: Key) -> Path:
        if self._place.is_local:
            return Path(self._place.path(_folder(key)))
        locks = user_data_path("phalanx", appauthor=False) / LOCKS
        return locks / quote(self.shown, safe="") / _folder(key)

    def _rows(
        self,
        key: Key,
        since_ms: int | None,
        until_ms: int | None,
        values: Sequence[str] | None = None,
    ) -> Rows | None:
        """Return the rows of a range, None if there is none."""
        since = None if since_ms is None else month_of(since_ms)
        until = None if until_ms is None else month_of(until_ms - 1)
        return _between(self._files(key).read_all(since, until, values), since_ms, until_ms)

    def _none(self, key: Key, since_ms: int | None, until_ms: int | None) -> HistoryFault:
        """Return what to say where no row is stored: what is, and what may have been meant."""
        span = self.span(key)
        since = "" if since_ms is None else f" from {time_text(since_ms)}"
        until = "" if until_ms is None else f" until {time_text(until_ms)}"
        expected = f"some{since}{until} in {self.shown} (phalanx data sync fetches them)"
        if span is not None:
            found = f"{time_text(span[0])} to {time_text(span[1])} only"
            return HistoryFault(f"{key}", expected, found)
        stored: Sequence[Key] = self.keys() if isinstance(key, SeriesKey) else self.funding_keys()
        near = difflib.get_close_matches(str(key), map(str, stored), n=1, cutoff=0.6)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return HistoryFault(f"{key}", expected, f"none{hint}")


def _folder(key: Key) -> str:
    """Return where a series lies below the place."""
    symbol = f"venue={quote(key.venue, safe='')}/symbol={quote(key.symbol, safe='')}"
    if isinstance(key, FundingKey):
        return f"{FUNDING}/{symbol}"
    return f"{KLINES}/{symbol}/interval={interval_text(key.interval_ms)}/price={key.price}"


def _interval_ms(text: str) -> Iterator[int]:
    """Yield the interval of a folder, nothing for a name that is none of ours."""
    with suppress(KlineFault):
        yield parse_interval_ms(text)


def _between(parts: Sequence[Rows], since_ms: int | None, until_ms: int | None) -> Rows | None:
    """Return the rows of a range of months that follow each other, None if there is none."""
    if not parts:
        return None
    rows = joined(parts)
    first_ms = int(rows.time_ms[0]) if since_ms is None else since_ms
    stop_ms = int(rows.time_ms[-1]) + 1 if until_ms is None else until_ms
    return rows.between(first_ms, stop_ms) or None
