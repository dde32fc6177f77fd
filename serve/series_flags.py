"""Which stored series a `phalanx data` command is about: flags, and the keys that they name."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from engines.errors import ParameterFault
from serve.times import parse_time_ms

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from cluster.history import History
    from cluster.instrument_book import Known
    from engines.quality import Limits
    from engines.series import FundingKey, PriceKind, SeriesKey

VENUE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
UNIFIED = re.compile(r"[^\s/:]{1,30}/[^\s/:]{1,20}(:[^\s/:]{1,20})?")


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class RangeFlags:
    """Which times."""

    panel: ClassVar[str] = "Series"
    since: Annotated[str | None, typer.Option(help="From this UTC time on.")] = None
    until: Annotated[str | None, typer.Option(help="Before this UTC time.")] = None


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class VenueFlags:
    """Whose series."""

    panel: ClassVar[str] = "Series"
    venue: Annotated[
        str | None, typer.Option(help="Venue that the series are of (PHALANX_VENUE, bybit).")
    ] = None


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class ManySeriesFlags:
    """Any number of stored series; all without a flag."""

    panel: ClassVar[str] = "Series"
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYMBOL", help="As BTC/USDT:USDT; all that are stored without."),
    ] = None
    venue: Annotated[str | None, typer.Option(help="Only those of this venue.")] = None
    interval: Annotated[str | None, typer.Option(help="Only those of this interval.")] = None
    price: Annotated[str | None, typer.Option(metavar="last|mark", help="Only these.")] = None


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class OneSeriesFlags(VenueFlags):
    """One series: bars, or settlements."""

    panel: ClassVar[str] = "Series"
    interval: Annotated[str | None, typer.Option(help="Interval of the bars, such as 15m.")] = None
    price: Annotated[
        str | None, typer.Option(metavar="last|mark", help="Whose price bars are made of (last).")
    ] = None
    funding: Annotated[bool, typer.Option("--funding", help="Funding instead of bars.")] = False


def require_symbol(symbol: str) -> str:
    """Return a symbol in ccxt's unified form.

    Raises: ParameterFault for another form.
    """
    if UNIFIED.fullmatch(symbol):
        return symbol
    expected = "ccxt's unified form, BTC/USDT:USDT (perpetual) or BTC/USDT (spot)"
    raise ParameterFault("symbol", expected, repr(symbol))


def series_venue(venue: str | None) -> str:
    """Return what the series of a venue are stored under: of a flag, else of the environment.

    Raises: ParameterFault for a name that is none.
    """
    from actors.venue.settings import venue_settings

    return require_venue(venue_settings(venue).series_venue)


def require_venue(venue: str) -> str:
    """Return the name of a venue.

    Raises: ParameterFault for another form.
    """
    if VENUE_NAME.fullmatch(venue):
        return venue
    raise ParameterFault("--venue", "a name of small letters and digits such as bybit", repr(venue))


def price_of(text: str | None) -> "PriceKind":
    """Return whose price bars are made of.

    Raises: ParameterFault for none that there is.
    """
    from engines.series import PriceKind

    if text is None:
        return PriceKind.LAST
    if text in set(PriceKind):
        return PriceKind(text)
    raise ParameterFault("--price", " or ".join(PriceKind), repr(text))


def key_of(symbol: str, venue: str, interval: str | None, price: str | None) -> "SeriesKey":
    """Return the key of a series of bars.

    Raises: ParameterFault or KlineFault naming the part that is none.
    """
    from engines.klines import parse_interval_ms
    from engines.series import SeriesKey

    if interval is None:
        raise ParameterFault("--interval", "the interval of the bars such as 15m", "none")
    interval_ms = parse_interval_ms(interval)
    return SeriesKey(require_venue(venue), require_symbol(symbol), interval_ms, price_of(price))


def stored_keys(history: "History", flags: ManySeriesFlags) -> "list[SeriesKey | FundingKey]":
    """Return the stored series that flags name, bars before funding.

    Raises: ParameterFault for a symbol, or other flags, of which nothing is stored.
    """
    from engines.klines import parse_interval_ms
    from engines.series import FundingKey, SeriesKey

    interval_ms = None if flags.interval is None else parse_interval_ms(flags.interval)
    price = None if flags.price is None else price_of(flags.price)
    venue = None if flags.venue is None else series_venue(flags.venue)
    every: list[SeriesKey | FundingKey] = [*history.keys(), *history.funding_keys()]
    _require_stored(flags.symbols or (), sorted({key.symbol for key in every}), history.shown)
    found = [
        key
        for key in every
        if (not flags.symbols or key.symbol in flags.symbols)
        and venue in (None, key.venue)
        and (
            flags.interval is flags.price is None
            if isinstance(key, FundingKey)
            else interval_ms in (None, key.interval_ms) and price in (None, key.price)
        )
    ]
    _require_any(flags, found, history.shown)
    return found


def _require_any(
    flags: ManySeriesFlags, found: "Sequence[SeriesKey | FundingKey]", where: str
) -> None:
    """Raise ParameterFault for flags that name nothing: whoever judges that would find it sound."""
    of_each = [
        f"--{name} {given}"
        for name in ("venue", "interval", "price")
        if (given := getattr(flags, name)) is not None
    ]
    symbols = {key.symbol for key in found}
    for symbol in flags.symbols or ():
        if symbol not in symbols:
            raise ParameterFault(
                " ".join([symbol, *of_each]), f"a series stored in {where}", "none"
            )
    if of_each and not found:
        raise ParameterFault(" ".join(of_each), f"a series stored in {where}", "none")


def _require_stored(symbols: Sequence[str], stored: Sequence[str], where: str) -> None:
    for symbol in symbols:
        if symbol not in stored:
            raise ParameterFault("symbol", f"one stored in {where}", did_you_mean(symbol, stored))


def listing_of(venue: str, symbol: str, engine: "Engine") -> "Known | None":
    """Return what a venue listed last of a symbol, also one that it lists no more.

    None: the venue's list is not known.
    Raises: ParameterFault for a symbol that a venue, whose list is known, never had.
    """
    from cluster.history import wall_clock_ms
    from cluster.instrument_book import InstrumentBook

    book = InstrumentBook(engine)
    known, listed = book.at(venue, symbol, wall_clock_ms()), book.symbols(venue)
    if known is None and listed:
        raise ParameterFault("symbol", f"one that {venue} lists", did_you_mean(symbol, listed))
    return known


def limits_of(spike: float | None, completeness: float | None) -> "Limits":
    """Return the limits of quality, the usual ones where no flag says another.

    Raises: ParameterFault for one that is none.
    """
    from engines.quality import Limits

    usual = Limits()
    spike = usual.spike_ratio if spike is None else spike
    least = usual.completeness_ratio_min if completeness is None else completeness
    if not 0 < spike < 1:
        raise ParameterFault("--spike", "a ratio between 0 and 1 such as 20%", repr(spike))
    if not 0 <= least <= 1:
        raise ParameterFault("--completeness", "a ratio from 0 to 1 such as 95%", repr(least))
    return Limits(spike_ratio=spike, completeness_ratio_min=least)


def did_you_mean(symbol: str, known: Sequence[str]) -> str:
    """Return what was found, with the known symbol that it looks like: BTCUSDT, BTC/USD:USDT."""
    letters = {re.sub(r"[^A-Z0-9]", "", each.partition(":")[0].upper()): each for each in known}
    plain = re.sub(r"[^A-Z0-9]", "", symbol.partition(":")[0].upper())
    near = difflib.get_close_matches(plain, letters, n=1, cutoff=0.7)
    hint = f" (did you mean {letters[near[0]]}?)" if near else ""
    return f"{symbol!r}{hint}"


def range_ms(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Return the times of --since and --until.

    Raises: ParameterFault for a text that is none, or an end before the start.
    """
    since_ms = None if since is None else parse_time_ms("--since", since)
    until_ms = None if until is None else parse_time_ms("--until", until)
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise ParameterFault("--until", f"a time after --since {since}", f"{until}")
    return since_ms, until_ms
