"""`phalanx venue-sim`: a local Bybit on replayed bars."""

from dataclasses import dataclass
from typing import Annotated

import typer

from serve.flags import SYMBOL_FILE, JsonFlags


@dataclass(frozen=True, kw_only=True)
class VenueSimFlags(JsonFlags):
    """What `phalanx venue-sim` takes."""

    bars: Annotated[
        list[str],
        typer.Option(
            metavar=SYMBOL_FILE,
            help="Bars to replay, CSV or Parquet; repeatable. SYMBOL: BTC/USDT:USDT, BTC/USDT.",
        ),
    ]
    mark: Annotated[
        list[str] | None, typer.Option(metavar=SYMBOL_FILE, help="Bars of the mark price.")
    ] = None
    funding: Annotated[
        list[str] | None, typer.Option(metavar=SYMBOL_FILE, help="History of settlements.")
    ] = None
    instrument: Annotated[
        list[str] | None,
        typer.Option(metavar=SYMBOL_FILE, help="Trading rules; else the bars tell them."),
    ] = None
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1"
    # Where `--venue sim` of the data and feed commands looks for it.
    port: Annotated[int, typer.Option(help="Port to listen on, 0 for any.")] = 8980
    at: Annotated[
        str | None,
        typer.Option(help="UTC time at which the venue begins; else a day before its last bar."),
    ] = None
    speed: Annotated[
        float, typer.Option(help="How fast its time passes; 0 stands until it is driven.")
    ] = 1.0
    faults: Annotated[
        str | None,
        typer.Option(metavar="SHARE[:KIND,...]", help="Let replies and messages fail, as 0.1."),
    ] = None
    seed: Annotated[int, typer.Option(help="Of the faults.")] = 0


def venue_sim(flags: VenueSimFlags) -> int:
    """Serve a local Bybit (REST and WebSocket) from bars, until it is interrupted."""
    from serve.venue_sim import serve_venue, settings_of

    return serve_venue(settings_of(flags), json=flags.json)
