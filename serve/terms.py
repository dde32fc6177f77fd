"""Turn flags into markets: bars, their instrument and the series that go with them.

Files of bars are told apart by the symbol that their names begin with: those of one symbol follow
each other in time, each further symbol is a market of its own. What belongs to one market, as
`--instrument`, is given as SYMBOL=FILE, or as FILE where there is one market or the name says it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cluster.instrument_files import instrument_from
from cluster.kline_files import KlineFile, read_klines
from engines.errors import KlineFault, ParameterFault
from engines.funding import Funding
from engines.instrument import TICK_NOISE, Instrument
from engines.klines import PRICE_COLUMNS, Klines, interval_text, parse_interval_ms, time_text
from engines.resample import aggregate
from serve.flags import BarFlags
from serve.histories import funding_of, mark_of
from serve.market_files import files_of, symbol_of
from serve.plan_terms import require_sane
from serve.times import parse_time_ms

if TYPE_CHECKING:
    from serve.stored_bars import Sync


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """The bars to trade and the rules of their instrument; `uncut` ignores --until."""

    klines: Klines
    uncut: Klines
    instrument: Instrument
    magnifier: Klines | None
    funding: Funding | None
    mark: Klines | None
    since_ms: int | None
    notes: tuple[str, ...]


def markets_of(bars: Sequence[Path], flags: BarFlags, sync: "Sync | None" = None) -> list[Market]:
    """Read what the flags name, a market for each symbol in the order in which they are named.

    Without files it is bars from the history; those that are missing there are fetched by `sync`.
    Raises: KlineFault, InstrumentFault, ParameterFault or HistoryFault in one sentence.
    """
    if bars:
        files: dict[str, list[Path]] = {}
        only = one_symbol(flags)
        for path in bars:
            files.setdefault(only or symbol_of(path), []).append(path)
        markets = [_market(symbol, paths, flags, list(files)) for symbol, paths in files.items()]
    else:
        markets = _stored_markets(flags, sync)
    if len(markets) == 1:
        return markets
    return [
        replace(market, notes=tuple(f"{market.klines.symbol}: {note}" for note in market.notes))
        for market in markets
    ]


def markets_asked(bars: Sequence[Path], flags: BarFlags) -> list[Market]:
    """Read what the flags name; stored bars that are missing are fetched from their venue.

    Raises: as `markets_of`.
    """
    if bars:
        return markets_of(bars, flags)
    from serve.stored_bars import sync_of

    return markets_of((), flags, sync_of(flags.venue))


def market_of(bars: Sequence[Path], flags: BarFlags) -> Market:
    """Read the one market that the flags name; all files are of the first one's symbol.

    Raises: KlineFault, InstrumentFault or ParameterFault in one sentence.
    """
    symbol = one_symbol(flags) or symbol_of(bars[0])
    return _market(symbol, bars, flags, [symbol])


def one_symbol(flags: BarFlags) -> str | None:
    """Return the symbol that flags give to files.

    Raises: ParameterFault for flags of the history.
    """
    if flags.symbol is not None and len(flags.symbol) > 1:
        raise ParameterFault("--symbol", "one beside --bars", " and ".join(flags.symbol))
    if flags.venue is not None or flags.warm_up is not None:
        name = "--warm-up" if flags.venue is None else "--venue"
        raise ParameterFault(name, "stored bars (--symbol without --bars)", "--bars")
    return flags.symbol[0] if flags.symbol else None


def _stored_markets(flags: BarFlags, sync: "Sync | None") -> list[Market]:
    from serve.stored_bars import stored_bars

    symbols = list(dict.fromkeys(flags.symbol or ()))
    if not symbols:
        raise ParameterFault(
            "bars", "--bars FILE, or --symbol BTC/USDT:USDT of stored ones", "none"
        )
    markets = []
    for symbol in symbols:
        found = stored_bars(symbol, flags, sync)
        listed = None if found.listed is None else found.listed.instrument
        markets.append(market_from(found.klines, found.notes, flags, symbols, listed))
    return markets


def _market(symbol: str, bars: Sequence[Path], flags: BarFlags, symbols: Sequence[str]) -> Market:
    read = _read(bars, symbol, flags.interval)
    return market_from(read.klines, read.notes, flags, symbols)


def market_from(
    klines: Klines,
    notes: Sequence[str],
    flags: BarFlags,
    symbols: Sequence[str] = (),
    listed: Instrument | None = None,
) -> Market:
    """Aggregate, complete and cut bars as the flags say; `symbols` are those of all markets.

    `listed` are the rules that hold where neither a flag nor a file says another.
    """
    symbols = symbols or [klines.symbol]
    notes, tick_source = list(notes), klines
    require_sane(
        {
            "--tick-size": flags.tick_size,
            "--qty-step": flags.qty_step,
            "--point-value": flags.point_value,
        }
    )
    uncut = _with_others(_aggregated(klines, flags.aggregate, notes), flags, notes)
    klines = uncut
    if flags.until is not None:
        klines = _before(klines, parse_time_ms("--until", flags.until))
    since_ms = None if flags.since is None else parse_time_ms("--since", flags.since)
    if since_ms is not None and klines.index_at(since_ms) >= len(klines):
        last = time_text(int(klines.open_time_ms[-1]))
        raise ParameterFault("--since", f"a time not after the last bar ({last})", f"{flags.since}")
    magnifier = None
    if paths := files_of("--magnifier", flags.magnifier, klines.symbol, symbols):
        magnifier = _read(paths, klines.symbol, None).klines
    instrument = _instrument(klines, tick_source, flags, symbols, notes, listed)
    start_bar = 0 if since_ms is None else klines.index_at(since_ms)
    traded = klines.between(start_bar, len(klines))
    funding = funding_of(traded, flags, symbols, notes)
    mark = mark_of(traded, flags, symbols, notes)
    return Market(klines, uncut, instrument, magnifier, funding, mark, since_ms, tuple(notes))


def _instrument(
    klines: Klines,
    tick_source: Klines,
    flags: BarFlags,
    symbols: Sequence[str],
    notes: list[str],
    listed: Instrument | None,
) -> Instrument:
    found = instrument_from(
        klines.symbol,
        klines=_closed_by(tick_source, int(klines.close_time_ms[-1])),
        paths=files_of("--instrument", flags.instrument, klines.symbol, symbols),
        tick_size=flags.tick_size,
        qty_step=flags.qty_step,
        point_value=flags.point_value,
        time_zone=flags.exchange_zone,
        listed=listed,
    )
    notes += found.notes
    tick_size = found.instrument.tick_size
    if _is_off_tick(klines, tick_size):
        notes.append(f"prices are off the tick size {tick_size:g}: fills are rounded to it")
    return found.instrument


def _is_off_tick(klines: Klines, tick_size: float) -> bool:
    for name in PRICE_COLUMNS:
        ticks = getattr(klines, name) / tick_size
        if (np.abs(ticks - np.rint(ticks)) > TICK_NOISE).any():
            return True
    return False


def _read(paths: Sequence[Path], symbol: str, interval: str | None) -> KlineFile:
    """Read bars; an interval that they do not have is refused with the way to get it."""
    now_ms = time.time_ns() // 1_000_000
    found = read_klines(paths, symbol, None, now_ms, drop_unfinished=True)
    if interval is None:
        return found
    wanted_ms, is_ms = parse_interval_ms(interval), found.klines.interval_ms
    if wanted_ms == is_ms:
        return found
    hint = "" if wanted_ms % is_ms else f" (--aggregate {interval} would build longer ones)"
    raise KlineFault(
        f"interval of {paths[0]}",
        f"{interval} as given{hint}",
        f"bars {interval_text(is_ms)} apart",
    )


def _aggregated(klines: Klines, interval: str | None, notes: list[str]) -> Klines:
    if interval is None:
        return klines
    notes.append(f"bars of {interval_text(klines.interval_ms)} aggregated to {interval}")
    return aggregate(klines, parse_interval_ms(interval))


def _with_others(klines: Klines, flags: BarFlags, notes: list[str]) -> Klines:
    """Return the bars with the other series that a strategy reads, as long as they at least."""
    others = _others(flags.other or (), notes)
    if flags.aggregate is not None:
        for name, other in others.items():
            if other.interval_ms < klines.interval_ms:
                others[name] = aggregate(other, klines.interval_ms)
    return replace(klines, others=others) if others else klines


def _others(named: Sequence[str], notes: list[str]) -> dict[str, Klines]:
    others, files = {}, dict[str, str]()
    for text in named:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise ParameterFault("--other", "NAME=FILE", repr(text))
        if name in files:
            raise ParameterFault(f"--other {name}", "one file", f"{files[name]} and {path}")
        files[name] = path
        read = _read([Path(path)], name, None)
        others[name] = read.klines
        notes.extend(f"{name}: {note}" for note in read.notes)
    return others


def _closed_by(klines: Klines, time_ms: int) -> Klines:
    """Return the bars that open before `time_ms`, so that no later one decides anything."""
    return klines.between(0, max(1, klines.index_at(time_ms)))


def _before(klines: Klines, until_ms: int) -> Klines:
    stop = klines.index_at(until_ms)
    if not stop:
        first = time_text(int(klines.open_time_ms[0]))
        raise ParameterFault(
            "--until", f"a time after the first bar ({first})", time_text(until_ms)
        )
    return klines.between(0, stop)
