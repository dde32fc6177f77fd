"""The history kept up by venues: what the commands and other programs call.

Opens what a sync or a repair works with (the venue, the history, the database) for as long as the
work takes. A bar counts as closed by the venue's time, since that is what decides it. What is wrong
with one series of many (its symbol is listed no more, a file of it is damaged) need not keep the
others from their turn; what is wrong with the venue, the database or the question does.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from sqlalchemy import Engine

from actors.repair import Repair, RepairResult
from actors.sync import Sync, SyncResult, Told, silent
from actors.venue.faults import RequestRefused, SymbolRefused
from actors.venue.market import CcxtVenue
from actors.venue.opening import open_venue
from actors.venue.settings import VenueSettings
from cluster.database import database
from cluster.history import History, HistoryFault
from cluster.issues import flag_in_database
from engines.errors import Fault
from engines.quality import Limits
from engines.series import FundingKey, SeriesKey

T = TypeVar("T")
Failed: TypeAlias = dict[SeriesKey | FundingKey, Fault]
OF_ONE_SERIES = (SymbolRefused, RequestRefused, HistoryFault)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """A venue and the history that it keeps up."""

    venue: CcxtVenue
    history: History
    engine: Engine
    told: Told
    limits: Limits

    @property
    def sync(self) -> Sync:
        """Return what brings series up to date."""
        return Sync(self.venue, self.history, self.engine, self.told, self.limits)

    @property
    def repair(self) -> Repair:
        """Return what mends series."""
        return Repair(self.venue, self.history, self.engine, self.told)


@asynccontextmanager
async def upkeep(
    settings: VenueSettings, told: Told = silent, limits: Limits | None = None
) -> AsyncIterator[Upkeep]:
    """Yield the venue of these settings with the history and the database of the environment.

    Raises: Fault in one sentence for whatever cannot be opened or reached.
    """
    venue = open_venue(settings)
    try:
        with database() as engine:
            history = History(flag=flag_in_database, now_ms=lambda: venue.heard_ms)
            yield Upkeep(venue, history, engine, told, limits or Limits())
    finally:
        await venue.close()


def sync_all(
    settings: VenueSettings,
    keys: Sequence[SeriesKey | FundingKey],
    since_ms: int | None = None,
    until_ms: int | None = None,
    told: Told = silent,
    limits: Limits | None = None,
    failed: Failed | None = None,
) -> list[SyncResult]:
    """Bring series of one venue up to date, one after the other, and record its instruments.

    What is wrong with one of them goes into `failed`, where that is given.
    Raises: any other Fault; what was written before it stays.
    """

    async def work() -> list[SyncResult]:
        async with upkeep(settings, told, limits) as kept:
            sync = kept.sync
            await sync.list_instruments()
            return await _each(
                keys,
                lambda key: (
                    sync.bars(key, since_ms, until_ms)
                    if isinstance(key, SeriesKey)
                    else sync.funding(key.symbol, since_ms, until_ms)
                ),
                failed,
            )

    return asyncio.run(work())


def repair_all(
    settings: VenueSettings,
    keys: Sequence[SeriesKey | FundingKey],
    *,
    accepts: bool = False,
    told: Told = silent,
    failed: Failed | None = None,
) -> list[RepairResult]:
    """Mend series of one venue, one after the other.

    Raises: as `sync_all`.
    """

    async def work() -> list[RepairResult]:
        async with upkeep(settings, told) as kept:
            repair = kept.repair
            return await _each(keys, lambda key: repair.series(key, accepts=accepts), failed)

    return asyncio.run(work())


async def _each(
    keys: Sequence[SeriesKey | FundingKey],
    work: Callable[[SeriesKey | FundingKey], Awaitable[T]],
    failed: Failed | None,
) -> list[T]:
    """Return what the work on each series brings, without those that it failed for."""
    done = []
    for key in keys:
        try:
            done.append(await work(key))
        except OF_ONE_SERIES as fault:
            if failed is None:
                raise
            failed[key] = fault
    return done
