"""Mend stored series from the venue: damaged months, gaps, and corrections that one accepts.

Theory. A damaged month file is fetched anew whole and put in its place. Every gap between stored
bars is asked for again, also where the venue once had nothing. Open corrections (the venue says
otherwise of bars that are stored) and rejected rows are only counted, unless they are accepted:
then those bars are asked for once more and what the venue says now takes the place of what was
stored; where it says what is stored after all, the correction was withdrawn. Nothing else that is
stored is changed. The series is locked for each write alone, as by a sync.
"""

import asyncio
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Engine

from actors.sync import SyncVenue, Told, silent
from actors.venue.pages import kept
from cluster.history import History
from cluster.history_rows import Overlap, WriteResult
from cluster.issues import ACCEPTED, Issue, IssueKind, IssueLog
from cluster.sync_plan import funding_gaps
from engines.funding import Funding
from engines.klines import Klines
from engines.series import FundingKey, SeriesKey

WITHDRAWN = "withdrawn by the venue"


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What one repair did.

    `months` fetched anew with how many rows each; `lost` damaged months of which the venue has
    nothing; `gaps` before, of so many bars `filled`; corrections `accepted`, and still `open`.
    """

    key: SeriesKey | FundingKey
    months: dict[str, int]
    lost: tuple[str, ...]
    gaps: int
    filled: int
    accepted: int
    open: int

    @property
    def is_sound(self) -> bool:
        """Return whether nothing is left to be done."""
        return not self.lost and not self.open


class Repair:
    """Repairs series of one venue in one history."""

    def __init__(
        self, venue: SyncVenue, history: History, engine: Engine, told: Told = silent
    ) -> None:
        self._venue = venue
        self._history = history
        self._issues = IssueLog(engine)
        self._told = told

    async def series(self, key: SeriesKey | FundingKey, *, accepts: bool = False) -> RepairResult:
        """Mend one series.

        Raises: VenueFault, HistoryFault, DatabaseFault; what was mended before stays so.
        """
        now_ms = await self._venue.time_ms()
        months, lost = await self._damaged(key, now_ms)
        gaps, filled = 0, WriteResult(0, 0)
        # With a month lost, what is stored cannot be read as a whole.
        if isinstance(key, SeriesKey) and not lost:
            gaps, filled = await self._gaps(key, accepts, now_ms)
        elif isinstance(key, FundingKey) and not lost:
            gaps, filled = await self._funding_gaps(key)
        wrong = self._open(key, IssueKind.CORRECTION)
        accepted = 0
        if accepts and not lost:
            for issue in wrong:
                accepted += await self._accept(key, issue, now_ms)
        left = len(wrong) - accepted
        return RepairResult(key, months, tuple(lost), gaps, filled.added, accepted, left)

    async def _damaged(
        self, key: SeriesKey | FundingKey, now_ms: int
    ) -> tuple[dict[str, int], list[str]]:
        """Fetch damaged months anew; return rows by month, and the months that cannot be had."""
        months: dict[str, int] = {}
        lost: list[str] = []
        for broken in self._history.broken(key):
            self._told(f"{key} {broken.month}", len(months) + len(lost), 0)
            fetched = await self._fetch(key, broken.since_ms, min(broken.until_ms, now_ms))
            if fetched is None:
                lost.append(broken.month)
                continue
            with self._history.writing(key) as writer:
                months[broken.month] = writer.replace_month(broken.month, fetched)
        return months, lost

    async def _gaps(self, key: SeriesKey, accepts: bool, now_ms: int) -> tuple[int, WriteResult]:
        """Ask for the bars of every gap, rejected ones only if one accepts them."""
        gaps, written = self._history.gaps(key), WriteResult(0, 0)
        rejected = self._open(key, IssueKind.REJECTED)
        refused = [] if accepts else [issue.time_ms for issue in rejected]
        for done, gap in enumerate(gaps):
            self._told(f"{key} gaps", done, len(gaps))
            since_ms = gap.after_ms + key.interval_ms
            klines = await self._venue.klines(key, since_ms, gap.before_ms)
            if klines is not None:
                klines = kept(klines, ~np.isin(klines.open_time_ms, refused))
            if klines is not None:
                written += await self._write(key, klines)
        if accepts:
            stored = set(self._history.times(key).tolist())
            there = [issue for issue in rejected if issue.time_ms in stored]
            self._issues.resolve(there, ACCEPTED, now_ms)
        return len(gaps), written

    async def _funding_gaps(self, key: FundingKey) -> tuple[int, WriteResult]:
        """Ask for the settlements of every gap between stored ones."""
        times, written = self._history.times(key).tolist(), WriteResult(0, 0)
        gaps = funding_gaps(times, times[0], times[-1]) if times else []
        for since_ms, until_ms in gaps:
            settled = await self._venue.funding(key.symbol, since_ms, until_ms)
            if settled is not None:
                written += await self._write(key, settled)
        return len(gaps), written

    async def _accept(self, key: SeriesKey | FundingKey, issue: Issue, now_ms: int) -> bool:
        """Take over what the venue says now, and return whether it says anything."""
        step_ms = key.interval_ms if isinstance(key, SeriesKey) else 1
        fetched = await self._fetch(key, issue.time_ms, issue.time_ms + step_ms)
        if fetched is None:
            return False
        is_other = (await self._write(key, fetched, Overlap.CORRECT)).corrected > 0
        self._issues.resolve([issue], ACCEPTED if is_other else WITHDRAWN, now_ms)
        return True

    async def _write(
        self, key: SeriesKey | FundingKey, series: Klines | Funding, overlap: Overlap = Overlap.KEEP
    ) -> WriteResult:
        def write() -> WriteResult:
            with self._history.writing(key) as writer:
                return writer.write(series, overlap)

        return await asyncio.to_thread(write)

    def _open(self, key: SeriesKey | FundingKey, kind: IssueKind) -> list[Issue]:
        return [issue for issue in self._issues.open(key) if issue.kind is kind]

    async def _fetch(
        self, key: SeriesKey | FundingKey, since_ms: int, until_ms: int
    ) -> Klines | Funding | None:
        if isinstance(key, FundingKey):
            return await self._venue.funding(key.symbol, since_ms, until_ms)
        return await self._venue.klines(key, since_ms, until_ms)
