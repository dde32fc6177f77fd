"""Read bars from the files people have: exports of exchanges, charts and libraries.

A file becomes `Klines` or one `KlineFault` that says in a sentence what is wrong with it. Whatever
was decided on the reader's behalf (no volume column, columns ignored, gaps kept) is a note beside
the bars, so that a report can print it; nothing is repaired in silence.

Steps: `kline_table` unpacks and parses each file, `kline_columns` names its columns and reads its
times, and this module joins files in time, settles the interval and hands over to `Klines`, which
checks every row.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from cluster.kline_table import KlineTable, read_table
from engines.errors import KlineFault
from engines.klines import DAY_MS, HOUR_MS, Klines, interval_text, time_text
from engines.types import F64_1D, I64_1D

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class KlineFile:
    """Bars as read, and what a reader of their results should know about the file."""

    klines: Klines
    notes: tuple[str, ...]


def read_klines(
    paths: PathLike | Sequence[PathLike],
    symbol: str,
    interval_ms: int | None,
    now_ms: int,
    *,
    drop_unfinished: bool = False,
) -> KlineFile:
    """Read the closed bars of one symbol from one file, or from several that follow each other.

    `interval_ms` None takes the usual step of the file. `drop_unfinished` leaves out a last bar
    that is still open at `now_ms`; otherwise it is a fault, as is any bar in the future.
    Row numbers in faults count from 1, the first row of values.
    Raises: KlineFault.
    """
    tables = _in_time([read_table(Path(path)) for path in _listed(paths)])
    notes = _table_notes(tables)
    open_time_ms = np.concatenate([table.open_time_ms for table in tables])
    interval_ms = settle_interval(open_time_ms, interval_ms, symbol)
    columns, column_notes = _join_columns(tables)
    keep = len(open_time_ms)
    if drop_unfinished and open_time_ms[-1] <= now_ms < open_time_ms[-1] + interval_ms:
        keep -= 1
        dropped = time_text(int(open_time_ms[-1]))
        column_notes.append(f"last bar, opened {dropped}, has not closed: left out")
    klines = Klines(
        symbol=symbol,
        interval_ms=interval_ms,
        open_time_ms=open_time_ms[:keep],
        open=columns["open"][:keep],
        high=columns["high"][:keep],
        low=columns["low"][:keep],
        close=columns["close"][:keep],
        volume=columns["volume"][:keep],
        turnover=columns["turnover"][:keep] if "turnover" in columns else None,
    )
    klines.require_closed_by(now_ms)
    return KlineFile(klines, (*notes, *column_notes, *gap_notes(klines)))


def _listed(paths: PathLike | Sequence[PathLike]) -> list[PathLike]:
    listed = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not listed:
        raise KlineFault("files of bars", "at least one", "none")
    return listed


def _in_time(tables: list[KlineTable]) -> list[KlineTable]:
    """Return the tables ordered by their first bar; two that overlap are a fault."""
    ordered = sorted(tables, key=lambda table: int(table.open_time_ms[0]))
    for before, after in pairwise(ordered):
        last_ms, first_ms = int(before.open_time_ms[-1]), int(after.open_time_ms[0])
        if first_ms <= last_ms:
            raise KlineFault(
                after.source,
                f"to start after the last bar of {before.source} at {time_text(last_ms)}",
                f"its first bar at {time_text(first_ms)}, so bars would be there twice",
            )
    return ordered


def _table_notes(tables: list[KlineTable]) -> list[str]:
    """Return every table's notes, with the file's name where there are several files."""
    if len(tables) == 1:
        return list(tables[0].notes)
    return [f"{Path(table.source).name}: {note}" for table in tables for note in table.notes]


def settle_interval(open_time_ms: I64_1D, given_ms: int | None, symbol: str) -> int:
    """Return the interval of ascending times, the given one if they agree with it.

    Raises: KlineFault if they do not, or do not show one.
    """
    steps = np.diff(open_time_ms)
    steps = steps[steps > 0]
    if len(steps) == 0:
        if given_ms is None:
            raise KlineFault(
                f"interval of {symbol}",
                "to be given, as one bar does not show it",
                f"{len(open_time_ms)} bar{'s' * (len(open_time_ms) > 1)}",
            )
        return given_ms
    usual_ms = int(np.median(steps))
    if given_ms is None:
        return usual_ms
    # Days and weeks of an exchange with summer time are up to an hour longer or shorter.
    slack_ms = HOUR_MS if given_ms >= DAY_MS else 0
    if abs(usual_ms - given_ms) > slack_ms:
        raise KlineFault(
            f"interval of {symbol}",
            f"{interval_text(given_ms)} as given",
            f"bars usually {interval_text(usual_ms)} apart",
        )
    return given_ms


def _join_columns(tables: list[KlineTable]) -> tuple[dict[str, F64_1D], list[str]]:
    """Return the columns of all tables end to end and notes on those that some file lacks."""
    notes: list[str] = []
    columns: dict[str, F64_1D] = {}
    for name in ("open", "high", "low", "close"):
        columns[name] = np.concatenate([table.columns[name] for table in tables])
    lacking = [Path(table.source).name for table in tables if "volume" not in table.columns]
    if lacking:
        where = "" if len(tables) == 1 else f" in {', '.join(lacking)}"
        notes.append(f"no volume column{where}: volume is 0")
    columns["volume"] = np.concatenate(
        [table.columns.get("volume", np.zeros(len(table.open_time_ms))) for table in tables]
    )
    with_turnover = [table for table in tables if "turnover" in table.columns]
    if len(with_turnover) == len(tables):
        columns["turnover"] = np.concatenate([table.columns["turnover"] for table in tables])
    elif with_turnover:
        notes.append(f"turnover left out: {len(with_turnover)} of {len(tables)} files have it")
    return columns, notes


def gap_notes(klines: Klines) -> list[str]:
    """Return what a reader should know of the gaps between bars."""
    gaps = klines.gaps()
    if not gaps:
        return []
    missing = sum(gap.bars_missing for gap in gaps)
    return [
        f"{len(gaps)} gap{'s' * (len(gaps) > 1)}, {missing} bar{'s' * (missing > 1)} missing, "
        f"first after {time_text(gaps[0].after_ms)}"
    ]
