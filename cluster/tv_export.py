"""Read a trade list: TradingView's export in any language, or a table with one row a trade.

Steps: `tv_table` opens the file, `tv_columns` finds what each column holds, `tv_rows` makes trades
of the rows (`tv_flat` where a row is a trade), `tv_zone` finds the time zone of a list whose times
carry none. Words are looked up in `tv_vocabulary`.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from cluster.tv_columns import find_roles
from cluster.tv_flat import flat_trades, is_flat
from cluster.tv_rows import ListedRows, paired_trades
from cluster.tv_table import read_sheets
from cluster.tv_zone import in_zone, resolve_time_zone
from engines.errors import TradeListFault
from engines.klines import Klines
from engines.parity import ListedTrade


@dataclass(frozen=True, slots=True)
class TradeList:
    """Trades of a list in order of their numbers.

    `time_zone` is None while the times are wall-clock times of an unknown zone (counted as if they
    were UTC); `has_clock` is False where only days are shown.
    """

    trades: tuple[ListedTrade, ...]
    time_zone: str | None
    has_clock: bool
    notes: tuple[str, ...]


def read_trade_list(
    path: str | os.PathLike[str], time_zone: str | None = None, klines: Klines | None = None
) -> TradeList:
    """Read a trade list; times without an offset are in `time_zone`, or the one the bars tell.

    With neither zone nor bars such times stay wall-clock times, see `TradeList.time_zone`.
    Raises: TradeListFault if the file is no list, or its zone is not in these bars.
    """
    found = _listed_rows(Path(path))
    listed = TradeList(
        found.trades, "UTC" if found.has_offset else None, found.has_clock, found.notes
    )
    if listed.time_zone is not None:
        return listed
    if time_zone is not None:
        return replace(listed, trades=in_zone(listed.trades, time_zone), time_zone=time_zone)
    return listed if klines is None else locate(listed, klines)


def locate(listed: TradeList, klines: Klines, first_zone: str = "UTC") -> TradeList:
    """Return the list with UTC times, its zone found by laying its prices on the bars.

    Raises: TradeListFault naming what was tried, if no zone or several fit.
    """
    if listed.time_zone is not None:
        return listed
    zone, trades = resolve_time_zone(
        listed.trades, klines, first_zone=first_zone, has_clock=listed.has_clock
    )
    note = f"times without a zone read as {zone}, where all prices lie inside their bars"
    return replace(listed, trades=trades, time_zone=zone, notes=(*listed.notes, note))


def _listed_rows(path: Path) -> ListedRows:
    lacks = []
    for sheet in read_sheets(path):
        if is_flat(sheet.header):
            return flat_trades(sheet, str(path))
        roles = find_roles(sheet)
        if not isinstance(roles, str):
            return paired_trades(sheet, roles, str(path))
        lacks.append(f"{sheet.title + ': ' if sheet.title else ''}no {roles.removeprefix('a ')}")
    raise TradeListFault(
        str(path),
        "a list of trades (two rows a trade as TradingView exports it, or one)",
        "; ".join(lacks),
    )
