"""`phalanx data import` and `phalanx data export`: stored series from and to files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engines.errors import ParameterFault
from serve.flags import JsonFlags, ratio
from serve.series_flags import OneSeriesFlags, RangeFlags

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from cluster.history import History, Overlap, WriteResult
    from cluster.series_import import Rejected
    from engines.funding import Funding
    from engines.series import FundingKey, SeriesKey

SHOWN_MAX = 10


@dataclass(frozen=True, kw_only=True)
class ImportFlags(JsonFlags, OneSeriesFlags):
    """What `phalanx data import` takes."""

    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="CSV, Parquet or Feather, of one series."),
    ]
    symbol: Annotated[str, typer.Option(help="Symbol of the series, as BTC/USDT:USDT.")]
    spike: Annotated[
        float | None,
        typer.Option(parser=ratio, metavar="RATIO|%", help="Longest way of a bar (20%)."),
    ] = None
    correct: Annotated[
        bool, typer.Option("--correct", help="Put other values in the place of stored ones.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class ExportFlags(JsonFlags, RangeFlags, OneSeriesFlags):
    """What `phalanx data export` takes."""

    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As BTC/USDT:USDT.")]
    to: Annotated[Path, typer.Option(metavar="FILE", help="NAME.csv or NAME.parquet.")]


def import_series(flags: ImportFlags) -> int:
    """Store the bars or settlements of files; bad rows are left out, counted and shown.

    Exit code 1: rows were rejected, or other values than offered are stored and stay.
    """
    from cluster.database import database
    from cluster.history import History, Overlap
    from engines.series import FundingKey
    from serve.series_flags import listing_of, require_symbol, series_venue

    overlap = Overlap.CORRECT if flags.correct else Overlap.KEEP
    require_symbol(flags.symbol)
    history, venue = History(), series_venue(flags.venue)
    with database() as engine:
        listing_of(venue, flags.symbol, engine)
        if flags.funding:
            return _import_funding(flags, history, FundingKey(venue, flags.symbol), overlap)
        return _import_bars(flags, history, venue, engine, overlap)


def _import_bars(
    flags: ImportFlags, history: "History", venue: str, engine: "Engine", overlap: "Overlap"
) -> int:
    from cluster.history import wall_clock_ms
    from cluster.issues import IssueLog
    from cluster.kline_files import settle_interval
    from cluster.series_import import import_bars, rows_of_files
    from engines.klines import parse_interval_ms
    from engines.series import SeriesKey
    from serve.market_files import require_named
    from serve.series_flags import limits_of, price_of

    for path in flags.files:
        require_named(path, flags.symbol)
    found = rows_of_files(flags.files)
    given = None if flags.interval is None else parse_interval_ms(flags.interval)
    interval_ms = settle_interval(found.rows.time_ms, given, flags.symbol)
    key = SeriesKey(venue, flags.symbol, interval_ms, price_of(flags.price))
    limits, log = limits_of(flags.spike, None), IssueLog(engine)
    done = import_bars(history, log, key, found, overlap, limits, wall_clock_ms())
    return _said(flags, key, done.result, done.notes, done.rejected)


def _import_funding(
    flags: ImportFlags, history: "History", key: "FundingKey", overlap: "Overlap"
) -> int:
    from cluster.funding_files import read_funding

    if flags.interval is not None or flags.price is not None:
        raise ParameterFault("--funding", "no --interval or --price beside it", "one")
    read = read_funding(flags.files, flags.symbol)
    result = history.write_funding(key.venue, key.symbol, read.funding, overlap)
    return _said(flags, key, result, read.notes, ())


def _said(
    flags: ImportFlags,
    key: "SeriesKey | FundingKey",
    result: "WriteResult",
    notes: "tuple[str, ...]",
    rejected: "tuple[Rejected, ...]",
) -> int:
    """Print what an import brought and return the exit code."""
    from serve.output import print_json, print_notes

    kept = 0 if flags.correct else result.corrected
    if flags.json:
        print_json(_document(key, result, notes, rejected))
    else:
        print_notes(notes)
        print_notes(_rejections(rejected))
        what = "put in the place of stored ones" if flags.correct else "other than stored (kept)"
        print(
            f"{key}: {result.added:,} new, {result.equal:,} as stored, "
            f"{result.corrected:,} {what}, {len(rejected):,} rejected"
        )
    return 1 if rejected or kept else 0


def _rejections(rejected: "tuple[Rejected, ...]") -> list[str]:
    """Return the rows that were left out, in words, the first ones of many."""
    lines = [f"rejected: {row}" for row in rejected[:SHOWN_MAX]]
    more = len(rejected) - len(lines)
    return [*lines, f"{more:,} more (phalanx data check --json has all)"] if more else lines


def _document(
    key: "SeriesKey | FundingKey",
    result: "WriteResult",
    notes: "tuple[str, ...]",
    rejected: "tuple[Rejected, ...]",
) -> dict[str, Any]:
    from engines.klines import time_text

    return {
        "series": str(key),
        "added": result.added,
        "equal": result.equal,
        "corrections": [
            {"time": time_text(c.time_ms), "stored": c.stored, "offered": c.offered}
            for c in result.corrections
        ],
        "rejected": [
            {"time": time_text(row.time_ms), "rule": row.rule, "row": row.values}
            for row in rejected
        ],
        "notes": notes,
    }


def export_stored(flags: ExportFlags) -> int:
    """Write stored bars or settlements into a CSV or Parquet file."""
    from cluster.history import History
    from cluster.series_export import export_series
    from engines.klines import Klines, time_text
    from engines.series import FundingKey
    from serve.output import print_json, print_notes
    from serve.series_flags import key_of, range_ms, require_symbol, series_venue

    since_ms, until_ms = range_ms(flags.since, flags.until)
    history, venue = History(), series_venue(flags.venue)
    key: SeriesKey | FundingKey
    series: Klines | Funding
    notes: tuple[str, ...] = ()
    if flags.funding:
        key = FundingKey(venue, require_symbol(flags.symbol))
        series = history.read_funding(key.venue, key.symbol, since_ms, until_ms)
    else:
        key = key_of(flags.symbol, venue, flags.interval, flags.price)
        series = history.read(key, since_ms, until_ms)
        notes = history.turnover_note(key, series)
    export_series(series, flags.to)
    times = series.open_time_ms if isinstance(series, Klines) else series.time_ms
    first, last = time_text(int(times[0])), time_text(int(times[-1]))
    if flags.json:
        known = {"series": str(key), "file": str(flags.to), "rows": len(times)}
        print_json(known | {"first": first, "last": last, "notes": notes})
    else:
        print_notes(notes)
        print(f"{key}: {len(times):,} rows, {first} to {last}, in {flags.to}")
    return 0
