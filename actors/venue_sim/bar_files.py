"""Listings made of files: bars, mark prices and funding of one market or of many.

A file is named with its market, `BTC/USDT:USDT=FILE` or `BTCUSDT=FILE` (the perpetual), or is a
perpetual's by the symbol that its name begins with. Files of one interval follow each other in
time; those of different intervals are series of their own.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from actors.venue_sim.listing import QUOTES, Listing, names_of
from cluster.funding_files import read_funding
from cluster.instrument_files import instrument_from
from cluster.kline_files import read_klines
from engines.errors import KlineFault
from engines.klines import Klines

FAR_MS = 2**43  # the bars may lie in the machine's future: the venue has its own clock


def listings_of(
    bars: Sequence[str],
    mark: Sequence[str] = (),
    funding: Sequence[str] = (),
    instrument: Sequence[str] = (),
) -> list[Listing]:
    """Return a listing for each market that the bars are of.

    Raises: Fault naming the file that is wrong, or of a market without bars.
    """
    files = {
        "bars": _by_market(bars),
        "mark": _by_market(mark),
        "funding": _by_market(funding),
        "instrument": _by_market(instrument),
    }
    for kind, by_market in files.items():
        for symbol in by_market.keys() - files["bars"].keys():
            expected = f"a market with bars ({', '.join(sorted(files['bars']))})"
            raise KlineFault(f"{kind} of {symbol}", expected, "none of it")
    return [_listing(symbol, files) for symbol in sorted(files["bars"])]


def unified(name: str) -> str:
    """Return ccxt's symbol of a market named in either way: BTCUSDT is the perpetual.

    Raises: KlineFault for a name that is neither.
    """
    if "/" in name:
        names_of(name)
        return name
    plain = name.removesuffix(".P")
    for quote in QUOTES:
        base = plain.removesuffix(quote)
        if base and base != plain:
            return f"{base}/{quote}:{quote}"
    raise KlineFault("market", "BTC/USDT:USDT, BTC/USDT (spot) or BTCUSDT", repr(name))


def _by_market(texts: Sequence[str]) -> Mapping[str, list[Path]]:
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or Path(text).is_file():
            name, path = Path(text).name.partition(".")[0].split("_")[0], text
        found[unified(name)].append(Path(path))
    return found


def _listing(symbol: str, files: Mapping[str, Mapping[str, list[Path]]]) -> Listing:
    klines = _series(symbol, files["bars"][symbol])
    finest = min(klines, key=lambda one: one.interval_ms)
    rules = files["instrument"].get(symbol)
    settled = files["funding"].get(symbol)
    history = read_funding(settled, symbol) if settled else None
    return Listing(
        symbol,
        klines,
        _series(symbol, files["mark"].get(symbol, [])),
        None if history is None else history.funding,
        None if not rules else instrument_from(symbol, klines=finest, paths=rules).instrument,
        8 * 3_600_000 if history is None else history.interval_ms,
    )


def _series(symbol: str, paths: Sequence[Path]) -> list[Klines]:
    """Return the series that files make: those of one interval are joined."""
    by_interval: defaultdict[int, list[Path]] = defaultdict(list)
    for path in paths:
        read = read_klines(path, symbol, None, FAR_MS)
        by_interval[read.klines.interval_ms].append(path)
    return [
        read_klines(joined, symbol, interval_ms, FAR_MS).klines
        for interval_ms, joined in sorted(by_interval.items())
    ]
