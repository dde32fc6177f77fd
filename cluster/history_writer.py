"""Write to one stored series, as its only writer (`history` says by which rules)."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from cluster.history_place import HistoryBroken, HistoryFault
from cluster.history_rows import Correction, Overlap, Rows, WriteResult, merge, no_rows
from cluster.month_files import MonthFiles, by_month, month_of, month_range_ms
from engines.funding import Funding
from engines.klines import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    PRICE_COLUMNS,
    Klines,
    interval_text,
    time_text,
)
from engines.series import FundingKey, SeriesKey

Key: TypeAlias = SeriesKey | FundingKey
Series: TypeAlias = Klines | Funding
# Told of corrections, what has become of them, and the time: first that the stored rows are kept,
# and where they are to give way, once more when those that were offered are on disk.
Flag: TypeAlias = Callable[[Key, Sequence[Correction], Overlap, int], None]

CORRECTIONS_MAX = 100  # of one write, where they are most of the rows that are stored already
TIME_OF_BARS, BAR_VALUES = "open_time_ms", (*PRICE_COLUMNS, "volume", "turnover")
TIME_OF_FUNDING, FUNDING_VALUES = "time_ms", ("rate",)


def rows_of(series: Series) -> Rows:
    """Return bars or settlements as rows."""
    if isinstance(series, Funding):
        return Rows(series.time_ms.astype(np.int64), {"rate": series.rate.astype(np.float64)})
    columns = {name: getattr(series, name) for name in BAR_VALUES}
    if series.turnover is None:
        columns["turnover"] = np.full(len(series), np.nan)
    return Rows(series.open_time_ms, columns)


@dataclass(frozen=True, slots=True)
class Writer:
    """The one that writes to the series `key`, whose files are `files`, at the time `now_ms()`."""

    key: Key
    files: MonthFiles
    flag: Flag
    now_ms: Callable[[], int]

    def write(self, series: Series, overlap: Overlap = Overlap.KEEP) -> WriteResult:
        """Add closed bars or settlements; what is stored and offered with other values is flagged.

        Raises: HistoryFault for another series, bars within stored ones, or rows of which most
        differ from those that are kept; KlineFault for a bar that has not closed, HistoryBroken for
        a damaged file in the way. Then nothing is written.
        """
        merged = [
            (month, merge(self._stored(month), part, overlap))
            for month, part in by_month(self._checked(series))
        ]
        self._require_apart({month: item.rows for month, item in merged})
        result = sum((item.result for _, item in merged), WriteResult(0, 0))
        if overlap is Overlap.KEEP:
            self._require_alike(result)
        if result.corrections:
            self.flag(self.key, result.corrections, Overlap.KEEP, self.now_ms())
        for month, item in merged:
            if item.is_changed:
                self.files.write(month, item.rows)
            if overlap is Overlap.CORRECT and item.result.corrections:
                self.flag(self.key, item.result.corrections, overlap, self.now_ms())
        return result

    def replace_month(self, month: str, series: Series) -> int:
        """Put rows in the place of a month's damaged file and return how many there are.

        Raises: HistoryFault for rows of other months, or a file that is whole: what that holds is
        changed by `write` alone.
        """
        rows = self._checked(series)
        subject = f"{month} of {self.key}"
        since_ms, until_ms = month_range_ms(month)
        if len(rows) != len(rows.between(since_ms, until_ms)):
            found = f"{time_text(int(rows.time_ms[0]))} to {time_text(int(rows.time_ms[-1]))}"
            raise HistoryFault(subject, "rows of that month", found)
        self._require_apart({month: rows})
        try:
            self._stored(month)
        except HistoryBroken:
            self.files.write(month, rows)
            return len(rows)
        raise HistoryFault(subject, "a damaged file", "one that is whole, or none")

    def trim(self, before_ms: int, *, is_rehearsal: bool = False) -> int:
        """Take away the rows before a time, the oldest first, and return how many there are.

        A rehearsal only counts. A damaged file goes when its whole month does, uncounted.
        """
        last, count = month_of(before_ms), 0
        for month in self.files.months():
            if month > last:
                break
            try:
                rows = self.files.read(month)
            except HistoryBroken:
                if month == last:
                    raise
                rows = no_rows(self.files.values)
            kept = rows.take(rows.time_ms >= before_ms)
            count += len(rows) - len(kept)
            if not is_rehearsal and (len(kept) < len(rows) or not len(rows)):
                self.files.write(month, kept)
        return count

    def _stored(self, month: str) -> Rows:
        try:
            return self.files.read(month)
        except FileNotFoundError:
            return no_rows(self.files.values)

    def _checked(self, series: Series) -> Rows:
        """Return the rows of a series that belongs here and has happened."""
        if isinstance(series, Klines):
            self._require_ours(series)
            series.require_closed_by(self.now_ms())
        elif not isinstance(self.key, FundingKey):
            raise HistoryFault(f"{self.key}", "bars", "settlements")
        elif len(series) and int(series.time_ms[-1]) > self.now_ms() + MINUTE_MS:
            found = time_text(int(series.time_ms[-1]))
            raise HistoryFault(f"{self.key}", "settlements of the past", found)
        return rows_of(series)

    def _require_ours(self, klines: Klines) -> None:
        """Raise HistoryFault for bars of another series, or beside the grid of the stored ones."""
        key = self.key
        if isinstance(key, FundingKey):
            raise HistoryFault(f"{key}", "settlements", "bars")
        if (klines.symbol, klines.interval_ms) != (key.symbol, key.interval_ms):
            found = f"of {klines.symbol} {interval_text(klines.interval_ms)}"
            raise HistoryFault(f"bars for {key}", "bars of it", found)
        first_ms = (
            None if key.interval_ms >= DAY_MS else self._stored_ms(int(klines.open_time_ms[0]))
        )
        if first_ms is None:
            return
        if offset := int(klines.open_time_ms[0] - first_ms) % key.interval_ms:
            expected = f"opens a multiple of {interval_text(key.interval_ms)} from the stored ones"
            found = f"{offset / MINUTE_MS:g} minutes beside"
            raise HistoryFault(f"bars for {key}", expected, found)

    def _require_apart(self, changed: Mapping[str, Rows]) -> None:
        """Raise HistoryFault where months as they are to be hold bars that nobody could read.

        Bars of days and longer are on no grid, since a market may move its day by an hour; but
        where one opens well before the end of another, they are of two series.
        """
        key = self.key
        if not changed or isinstance(key, FundingKey) or key.interval_ms < DAY_MS:
            return
        months = sorted({*self.files.months(), *changed})
        first, last = months.index(min(changed)), months.index(max(changed))
        parts = [changed[month].time_ms for month in changed]
        for month in set(months[max(first - 1, 0) : last + 2]) - changed.keys():
            with contextlib.suppress(HistoryBroken):
                parts.append(self.files.read(month, ()).time_ms)
        opens = np.sort(np.concatenate(parts))
        within = np.flatnonzero(np.diff(opens) < key.interval_ms - HOUR_MS)
        if len(within):
            one, other = opens[within[0] : within[0] + 2].tolist()
            expected = f"{interval_text(key.interval_ms)} bars that do not open within one another"
            raise HistoryFault(
                f"bars for {key}", expected, f"{time_text(one)} and {time_text(other)}"
            )

    def _require_alike(self, result: WriteResult) -> None:
        """Raise HistoryFault for rows of which most differ from those that are stored.

        A venue corrects some rows; so many are of something else, and no one could judge them all.
        """
        if result.corrected > CORRECTIONS_MAX and result.corrected > result.equal:
            expected = f"mostly what is stored, or at most {CORRECTIONS_MAX} rows with other values"
            known = result.equal + result.corrected
            found = f"{result.corrected:,} of {known:,} others (--correct puts them in its place)"
            raise HistoryFault(f"rows for {self.key}", expected, found)

    def _stored_ms(self, near_ms: int) -> int | None:
        """Return the time of a stored row in the nearest month whose file is whole."""
        distance = {month: abs(month_range_ms(month)[0] - near_ms) for month in self.files.months()}
        for month in sorted(distance, key=distance.__getitem__):
            with contextlib.suppress(HistoryBroken):
                return int(self.files.read(month, ()).time_ms[0])
        return None
