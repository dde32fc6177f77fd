"""The rules of a venue's instruments, by the time they were in force.

A venue changes tick sizes, lists and takes away. What it says now is compared with what is in
force: rules that are other close the row of before and open a new one, so that the rules of any
past time can be asked for. Before the first time that was recorded the first rules hold: nobody
knows better.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, delete, insert, select, update

from cluster.tables import INSTRUMENTS
from engines.instrument import Instrument
from engines.margin import MarginTier

NUMBERS = ("tick_size", "qty_step", "qty_min", "notional_min", "point_value")


class Listing(Protocol):
    """An instrument as a venue lists it; None: it does not say."""

    @property
    def instrument(self) -> Instrument:
        """Return its rules."""
        ...

    @property
    def is_trading(self) -> bool:
        """Return whether orders are taken."""
        ...

    @property
    def launched_ms(self) -> int | None:
        """Return when it was first traded."""
        ...

    @property
    def funding_interval_ms(self) -> int | None:
        """Return the time between its settlements."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A listing as recorded, and when it was in force (until None: it is)."""

    venue: str
    instrument: Instrument
    is_trading: bool
    launched_ms: int | None
    funding_interval_ms: int | None
    valid_from_ms: int
    valid_until_ms: int | None


@dataclass(frozen=True, slots=True)
class Changes:
    """The symbols that a list brought, changed and no longer has."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]


class InstrumentBook:
    """Keeps instruments in a database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, venue: str, listings: Mapping[str, Listing], now_ms: int) -> Changes:
        """Take in the whole list of a venue, by symbol, and return what is new in it.

        A symbol without margin tiers keeps those that are known: not every list has them.
        """
        added, changed, gone = list[str](), list[str](), list[str]()
        with self._engine.begin() as connection:
            before = {row.symbol: row for row in _in_force(connection, venue)}
            for symbol, listing in listings.items():
                row, known = _row(venue, symbol, listing), before.get(symbol)
                if known is not None and not listing.instrument.margin_tiers:
                    row["margin_tiers"] = known.margin_tiers
                if known is None:
                    added.append(symbol)
                elif any(getattr(known, name) != value for name, value in row.items()):
                    changed.append(symbol)
                    _close(connection, known, now_ms)
                else:
                    continue
                connection.execute(insert(INSTRUMENTS).values(row | {"valid_from_ms": now_ms}))
            for symbol in sorted(before.keys() - listings.keys()):
                gone.append(symbol)
                _close(connection, before[symbol], now_ms)
        return Changes(tuple(added), tuple(changed), tuple(gone))

    def at(self, venue: str, symbol: str, time_ms: int) -> Known | None:
        """Return what was in force at a time, before the first record the first; None: unknown."""
        ours = (INSTRUMENTS.c.venue == venue) & (INSTRUMENTS.c.symbol == symbol)
        rows = select(INSTRUMENTS).where(ours).order_by(INSTRUMENTS.c.valid_from_ms)
        with self._engine.begin() as connection:
            found = connection.execute(rows).all()
        past = [row for row in found if row.valid_from_ms <= time_ms]
        return _known(past[-1] if past else found[0]) if found else None

    def symbols(self, venue: str) -> list[str]:
        """Return the symbols that are in force, sorted."""
        with self._engine.begin() as connection:
            return sorted(row.symbol for row in _in_force(connection, venue))


def _in_force(connection: Connection, venue: str) -> list[Any]:
    wanted = (INSTRUMENTS.c.venue == venue) & INSTRUMENTS.c.valid_until_ms.is_(None)
    return list(connection.execute(select(INSTRUMENTS).where(wanted)))


def _close(connection: Connection, row: Any, now_ms: int) -> None:
    """End what is in force; what was never in force for a moment was not."""
    mine = INSTRUMENTS.c.id == row.id
    if row.valid_from_ms >= now_ms:
        connection.execute(delete(INSTRUMENTS).where(mine))
        return
    connection.execute(update(INSTRUMENTS).where(mine).values(valid_until_ms=now_ms))


def _row(venue: str, symbol: str, listing: Listing) -> dict[str, Any]:
    instrument = listing.instrument
    tiers = [_plain(tier) for tier in instrument.margin_tiers]
    return {
        "venue": venue,
        "symbol": symbol,
        "is_trading": listing.is_trading,
        "launched_ms": listing.launched_ms,
        **{name: getattr(instrument, name) for name in NUMBERS},
        "time_zone": instrument.time_zone,
        "funding_interval_ms": listing.funding_interval_ms,
        "margin_tiers": json.dumps(tiers, sort_keys=True, allow_nan=False),
    }


def _known(row: Any) -> Known:
    tiers = tuple(_tier(fields) for fields in json.loads(row.margin_tiers))
    numbers = {name: getattr(row, name) for name in NUMBERS}
    return Known(
        venue=row.venue,
        instrument=Instrument(
            symbol=row.symbol, time_zone=row.time_zone, margin_tiers=tiers, **numbers
        ),
        is_trading=row.is_trading,
        launched_ms=row.launched_ms,
        funding_interval_ms=row.funding_interval_ms,
        valid_from_ms=row.valid_from_ms,
        valid_until_ms=row.valid_until_ms,
    )


def _plain(tier: MarginTier) -> dict[str, float | None]:
    """Return a tier as JSON has it; the last one has no end."""
    fields: dict[str, float | None] = asdict(tier)
    return fields | {"notional_max": None} if math.isinf(tier.notional_max) else fields


def _tier(fields: dict[str, Any]) -> MarginTier:
    return MarginTier(**{**fields, "notional_max": fields["notional_max"] or math.inf})
