"""`phalanx feed`: bars of a venue as they close."""

from dataclasses import dataclass
from typing import Annotated

import typer

from serve.commands.series_sync import ADDRESS_HELP
from serve.flags import JsonFlags


@dataclass(frozen=True, kw_only=True)
class FeedFlags(JsonFlags):
    """What `phalanx feed` takes."""

    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL", help="As BTC/USDT:USDT; at least one.")
    ]
    interval: Annotated[str, typer.Option(help="Interval of the bars, such as 15m.")]
    longer: Annotated[
        list[str] | None,
        typer.Option(metavar="INTERVAL", help="A longer interval to build from them, repeatable."),
    ] = None
    venue: Annotated[
        str | None,
        typer.Option(help=ADDRESS_HELP),
    ] = None
    since: Annotated[
        str | None, typer.Option(help="Show bars from this UTC time on (the last closed one).")
    ] = None
    bars: Annotated[int | None, typer.Option(min=1, help="End after so many bars (at Ctrl-C).")] = (
        None
    )


def feed(flags: FeedFlags) -> int:
    """Show the bars of symbols as they close, and keep the store current with them.

    On a terminal a table, elsewhere a line a bar. What is missing since the last stored bar,
    or since --since, is fetched first; a cut, a silent or a lying stream costs time and no bar.
    """
    from actors.venue.settings import venue_settings
    from engines.klines import parse_interval_ms
    from serve.feed_run import Wanted, longer_intervals, show_feed
    from serve.output import print_notes
    from serve.series_flags import require_symbol
    from serve.times import parse_time_ms

    interval_ms = parse_interval_ms(flags.interval)
    wanted = Wanted(
        symbols=tuple(dict.fromkeys(map(require_symbol, flags.symbols))),
        interval_ms=interval_ms,
        longer_ms=longer_intervals(flags.longer or (), interval_ms),
        since_ms=None if flags.since is None else parse_time_ms("--since", flags.since),
        bars_max=flags.bars,
    )
    count = show_feed(venue_settings(flags.venue), wanted, is_json=flags.json)
    print_notes([f"{count:,} bars of {', '.join(wanted.symbols)}"])
    return 0
