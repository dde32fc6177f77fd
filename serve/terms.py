"""Turn flags into the engine's terms: bars, instrument, plan and costs."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import numpy as np
import typer

from cluster.instrument_files import instrument_from
from cluster.kline_files import KlineFile, read_klines
from engines.costs import CommissionKind, Costs
from engines.errors import KlineFault, ParameterFault, PlanFault
from engines.instrument import TICK_NOISE, Instrument
from engines.klines import PRICE_COLUMNS, Klines, interval_text, parse_interval_ms, time_text
from engines.plan import CloseRule, Direction, Exits, Plan, Sizing, SizingKind
from engines.resample import aggregate
from serve.flags import BarFlags, PlanFlags, ratio

NUMBER_MIN, NUMBER_MAX = 1e-12, 1e15

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """The bars to trade and the rules of their instrument; `uncut` ignores --until."""

    klines: Klines
    uncut: Klines
    instrument: Instrument
    magnifier: Klines | None
    since_ms: int | None
    notes: tuple[str, ...]


def market_of(bars: Sequence[Path], flags: BarFlags) -> Market:
    """Read what the flags name.

    Raises: KlineFault, InstrumentFault or ParameterFault in one sentence.
    """
    symbol = flags.symbol or symbol_of(bars[0])
    read = _read(bars, symbol, flags.interval)
    return market_from(read.klines, read.notes, flags)


def market_from(klines: Klines, notes: Sequence[str], flags: BarFlags) -> Market:
    """Aggregate, complete and cut bars as the flags say."""
    notes, tick_source = list(notes), klines
    _require_sane(
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
    if flags.magnifier is not None:
        magnifier = _read([flags.magnifier], klines.symbol, None).klines
    found = instrument_from(
        klines.symbol,
        klines=_closed_by(tick_source, int(klines.close_time_ms[-1])),
        path=flags.instrument,
        tick_size=flags.tick_size,
        qty_step=flags.qty_step,
        point_value=flags.point_value,
        time_zone=flags.exchange_zone,
    )
    notes += found.notes
    tick_size = found.instrument.tick_size
    if _is_off_tick(klines, tick_size):
        notes.append(f"prices are off the tick size {tick_size:g}: fills are rounded to it")
    return Market(klines, uncut, found.instrument, magnifier, since_ms, tuple(notes))


def symbol_of(path: Path) -> str:
    """Return the symbol that a file's name begins with: BTCUSDT of BTCUSDT_15m_2024.csv.

    TradingView names its files EXCHANGE_SYMBOL, INTERVAL.
    """
    if exported := re.match(r"[A-Z0-9]+_([^,_]+), ", path.name):
        return exported[1]
    return re.split(r"[_ ,]", path.name.partition(".")[0])[0] or path.stem


def parse_time_ms(flag: str, text: str) -> int:
    """Return the UTC milliseconds of an ISO time or date; without a zone it is UTC.

    Raises: ParameterFault if it is neither.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ParameterFault(
            flag, "a time such as 2025-01-31 or 2025-01-31T12:45Z", repr(text)
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return round(moment.timestamp() * 1000)


def plan_of(flags: PlanFlags) -> Plan:
    """Return the plan that the flags describe.

    Raises: PlanFault for a setting out of range or two sizes.
    """
    _require_sane(
        {
            "--capital": flags.capital,
            "--qty": flags.qty,
            "--cash": flags.cash,
            "--equity-percent": flags.equity_percent,
            "--position-qty-max": flags.position_qty_max,
            "--take-profit": flags.take_profit,
            "--slippage-ticks": flags.slippage_ticks,
        }
    )
    return Plan(
        capital_quote=flags.capital,
        sizing=_sizing(flags),
        pyramiding=flags.pyramiding,
        close_rule=_choice("--close-rule", CloseRule, flags.close_rule),
        direction=_choice("--direction", Direction, flags.direction),
        exits=Exits(stop_loss_ratio=flags.stop_loss, take_profit_ratio=flags.take_profit),
        margin_long_ratio=flags.margin_long,
        margin_short_ratio=flags.margin_short,
        process_on_close=flags.process_on_close,
        limit_verify_ticks=flags.limit_verify_ticks,
        position_qty_max=flags.position_qty_max,
        intraday_fills_max=flags.intraday_fills_max,
        intraday_loss_ratio_max=flags.intraday_loss_max,
    )


def costs_of(flags: PlanFlags) -> Costs:
    """Return the costs that the flags describe; commission 0.07 % of notional unless given.

    Raises: PlanFault for a commission without a meaning.
    """
    kind = _choice("--commission-kind", CommissionKind, flags.commission_kind)
    if flags.commission is None:
        if kind is not CommissionKind.RATIO:
            raise PlanFault("--commission", f"an amount for kind {kind.value}", "none")
        return Costs(slippage_ticks=flags.slippage_ticks)
    if kind is not CommissionKind.RATIO and "%" in flags.commission:
        raise PlanFault("--commission", f"money for kind {kind.value}", flags.commission)
    try:
        amount = ratio(flags.commission)
    except typer.BadParameter as error:
        raise PlanFault("--commission", "0.0007 or 0.07% or an amount", error.message) from None
    return Costs(amount, kind, flags.slippage_ticks)


def _require_sane(given: Mapping[str, float | None]) -> None:
    """Refuse numbers that no market has and that overflow in products; zero is judged later."""
    for flag, value in given.items():
        if value and not NUMBER_MIN <= abs(value) <= NUMBER_MAX:
            expected = f"a number from {NUMBER_MIN:g} to {NUMBER_MAX:g}"
            raise ParameterFault(flag, expected, f"{value:g}")


def _is_off_tick(klines: Klines, tick_size: float) -> bool:
    for name in PRICE_COLUMNS:
        ticks = getattr(klines, name) / tick_size
        if (np.abs(ticks - np.rint(ticks)) > TICK_NOISE).any():
            return True
    return False


def _sizing(flags: PlanFlags) -> Sizing:
    given = {"--qty": flags.qty, "--cash": flags.cash, "--equity-percent": flags.equity_percent}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise PlanFault(
            "size of an order", "one of --qty, --cash, --equity-percent", " and ".join(named)
        )
    if flags.qty is not None:
        return Sizing(SizingKind.QTY, flags.qty)
    if flags.cash is not None:
        return Sizing(SizingKind.CASH, flags.cash)
    if flags.equity_percent is not None:
        return Sizing(SizingKind.EQUITY_RATIO, flags.equity_percent / 100)
    return Plan().sizing


def _choice(flag: str, kind: type[Choice], text: str) -> Choice:
    try:
        return kind(text.strip().lower())
    except ValueError:
        raise PlanFault(flag, f"one of {', '.join(kind)}", repr(text)) from None


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
