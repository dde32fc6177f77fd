"""`phalanx data sync`: fetch what is missing of series from a venue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from serve.flags import JsonFlags, ratio
from serve.series_flags import RangeFlags

if TYPE_CHECKING:
    from actors.sync import SyncResult
    from actors.upkeep import Failed
    from actors.venue.settings import VenueSettings
    from engines.series import FundingKey, SeriesKey

ADDRESS_HELP = "bybit, binance, sim, or a local server's http://host:port (PHALANX_VENUE)."


@dataclass(frozen=True, kw_only=True)
class SyncFlags(JsonFlags, RangeFlags):
    """What `phalanx data sync` takes."""

    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYMBOL", help="As BTC/USDT:USDT; all that are stored without."),
    ] = None
    venue: Annotated[str | None, typer.Option(help=ADDRESS_HELP)] = None
    interval: Annotated[str | None, typer.Option(help="Interval of the bars, such as 15m.")] = None
    funding: Annotated[bool, typer.Option("--funding", help="Settled funding, too.")] = False
    mark: Annotated[bool, typer.Option("--mark", help="Bars of the mark price, too.")] = False
    spike: Annotated[
        float | None,
        typer.Option(parser=ratio, metavar="RATIO|%", help="Longest way of a bar (20%)."),
    ] = None


def sync_series(flags: SyncFlags) -> int:
    """Fetch what is missing of bars and funding, and check the newest stored ones.

    It goes on where it was interrupted, and a second time fetches only what is new. Exit code 1:
    the venue says otherwise of stored bars, or sent rows that no bar can be (`phalanx data check`).
    2: some of them could not be fetched.
    """
    from actors.upkeep import Failed, sync_all
    from actors.venue.settings import venue_settings
    from serve.output import print_json, print_notes
    from serve.progress import shown
    from serve.series_flags import limits_of, range_ms

    settings = venue_settings(flags.venue)
    since_ms, until_ms = range_ms(flags.since, flags.until)
    limits = limits_of(flags.spike, None)
    keys = _keys(flags, settings)
    if not keys:
        print_notes([f"nothing of {settings.series_venue} is stored (name a SYMBOL to begin)"])
        return 0
    failed: Failed = {}
    with shown() as told:
        results = sync_all(settings, keys, since_ms, until_ms, told, limits, failed)
    require_some(results, failed)
    if flags.json:
        print_json({"series": [_document(each) for each in results], "failed": texts(failed)})
    else:
        _print(results)
    print_notes(f"{key}: {text}" for key, text in texts(failed).items())
    return 2 if failed else 0 if all(result.is_sound for result in results) else 1


def require_some(results: "Sequence[object]", failed: "Failed") -> None:
    """Raise the first of the faults if nothing went well."""
    if failed and not results:
        raise next(iter(failed.values()))


def texts(failed: "Failed") -> dict[str, str]:
    """Return what is to be said of the series that failed."""
    return {str(key): str(fault) for key, fault in failed.items()}


def _keys(flags: SyncFlags, settings: "VenueSettings") -> "list[SeriesKey | FundingKey]":
    from cluster.history import History
    from engines.errors import ParameterFault
    from engines.series import FundingKey, PriceKind
    from serve.series_flags import key_of, require_symbol

    venue = settings.series_venue
    if not flags.symbols:
        if flags.funding or flags.mark or flags.interval is not None:
            raise ParameterFault("SYMBOL", "one, with --interval, --funding or --mark", "none")
        history = History()
        every: list[SeriesKey | FundingKey] = [*history.keys(), *history.funding_keys()]
        return [key for key in every if key.venue == venue]
    keys: list[SeriesKey | FundingKey] = []
    for symbol in flags.symbols:
        if flags.interval is not None or flags.mark or not flags.funding:
            keys.append(key_of(symbol, venue, flags.interval, None))
        if flags.mark:
            keys.append(key_of(symbol, venue, flags.interval, PriceKind.MARK))
        if flags.funding:
            keys.append(FundingKey(venue, require_symbol(symbol)))
    return keys


def _print(results: "Sequence[SyncResult]") -> None:
    from engines.klines import time_text
    from serve.output import print_notes, print_table

    header = ["series", "from", "until", "added", "checked", "corrected", "rejected", "absent"]
    rows = [
        [
            *(str(result.key), time_text(result.since_ms), time_text(result.until_ms)),
            *(f"{result.written.added:,}", f"{result.written.equal:,}"),
            *(f"{result.written.corrected:,}", f"{len(result.flaws):,}", f"{result.absent:,}"),
        ]
        for result in results
    ]
    print_table(header, rows)
    asked, retries = (sum(getattr(each, name) for each in results) for name in ("asked", "retries"))
    notes = [f"{asked:,} pages" + (f", {retries:,} requests repeated" if retries else "")]
    for result in results:
        for time_ms, words in sorted(result.flaws.items())[:3]:
            notes.append(f"{result.key} at {time_text(time_ms)}: rejected, {words}")
        if result.written.corrected:
            notes.append(
                f"{result.key}: {result.written.corrected:,} stored bars differ from what the "
                "venue says now (phalanx data check shows them, data repair --accept takes them)"
            )
    print_notes(notes)


def _document(result: "SyncResult") -> dict[str, object]:
    from engines.klines import time_text

    return {
        "series": str(result.key),
        "from": time_text(result.since_ms),
        "until": time_text(result.until_ms),
        "added": result.written.added,
        "checked": result.written.equal,
        "corrected": result.written.corrected,
        "rejected": {time_text(at): words for at, words in sorted(result.flaws.items())},
        "absent": result.absent,
        "pages": result.asked,
        "repeated": result.retries,
    }
