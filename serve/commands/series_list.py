"""`phalanx data list`: the series that are stored."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serve.flags import JsonFlags
from serve.series_flags import ManySeriesFlags

if TYPE_CHECKING:
    from cluster.history import History
    from engines.series import FundingKey, SeriesKey


@dataclass(frozen=True, kw_only=True)
class ListFlags(JsonFlags, ManySeriesFlags):
    """What `phalanx data list` takes."""


def list_series(flags: ListFlags) -> int:
    """Show the stored series of bars and funding: how many, from when to when, with which gaps."""
    from cluster.history import History
    from serve.output import print_json, print_notes, print_table
    from serve.series_flags import stored_keys

    history = History()
    rows = [_row(history, key) for key in stored_keys(history, flags)]
    if flags.json:
        print_json({"history": history.shown, "series": rows})
        return 0
    print_notes([f"history in {history.shown}: {len(rows)} series"])
    if rows:
        header = ["venue", "symbol", "series", "rows", "first", "last", "gaps", "missing", "size"]
        print_table(header, [_cells(row) for row in rows])
    return 0


def _row(history: "History", key: "SeriesKey | FundingKey") -> dict[str, Any]:
    from engines.klines import Gap, gaps_of, interval_text, time_text
    from engines.series import SeriesKey

    survey = history.survey(key)
    rows = survey.rows
    first = last = None
    gaps = list[Gap]()
    if rows is not None:
        first, last = (time_text(int(rows.time_ms[place])) for place in (0, -1))
    if rows is not None and isinstance(key, SeriesKey):
        gaps = gaps_of(rows.time_ms, key.interval_ms)
    is_bars = isinstance(key, SeriesKey)
    return {
        "venue": key.venue,
        "symbol": key.symbol,
        "kind": "bars" if is_bars else "funding",
        "interval": interval_text(key.interval_ms) if isinstance(key, SeriesKey) else None,
        "price": str(key.price) if isinstance(key, SeriesKey) else None,
        "rows": 0 if rows is None else len(rows),
        "first": first,
        "last": last,
        "gaps": len(gaps),
        "missing": sum(gap.bars_missing for gap in gaps),
        "bytes": history.size_bytes(key),
        "damaged": [item.month for item in survey.broken],
    }


def _cells(row: dict[str, Any]) -> list[str]:
    mark = " mark" if row["price"] == "mark" else ""
    series = f"{row['interval']}{mark}" if row["kind"] == "bars" else "funding"
    damaged = f", damaged: {' '.join(row['damaged'])}" if row["damaged"] else ""
    counts = [f"{row['rows']:,}", row["first"] or "-", row["last"] or "-"]
    gaps = [f"{row['gaps']:,}", f"{row['missing']:,}", f"{row['bytes'] / 1e6:.1f} MB{damaged}"]
    return [row["venue"], row["symbol"], series, *counts, *gaps]
