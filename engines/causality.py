"""Prove that a strategy does not look ahead, by taking its future away and by changing it.

Theory. A causal column keeps every earlier value when later bars are cut off or become others. A
leak of a few bars shows only near the cut, and in a sparse column of wishes only if the cut falls
on a wish; so the cuts are laid right after bars that want something, evenly picked, besides some
even ones. A wish that the future could have struck out survives a mere cut: therefore the bars
behind it are also mirrored, doubled and halved (`futures`). An order strategy shows its features
alone, and may read kept bars in `on_bar`; so it trades a first part of the bars, its commands are
taken down (`decisions`) and compared in the same way. Whatever differs is computed a second time
first: a strategy that gives two answers to the same bars is not repeatable, which is another fault
than looking ahead. Floats may differ by noise, as some of NumPy's sums are split by length.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial

import numpy as np
import numpy.typing as npt

from engines.backtest import run_backtest
from engines.context import PlacesOrders
from engines.costs import Costs
from engines.decisions import OPENING, Record, first_difference, recorded, text_of
from engines.errors import LookAhead, StrategyFault
from engines.futures import other_futures
from engines.instrument import Instrument
from engines.klines import Klines, time_text
from engines.plan import Plan
from engines.wishes import Tradable, checked_features, checked_signals, makes_signals, places_orders

NOISE_RATIO = 1e-11
FUTURE_BARS = 200
HEAD_BARS = 1000  # What an order strategy trades at first, and four times as much until it does.

Columns = Mapping[str, npt.NDArray[np.generic]]
Trade = Callable[[PlacesOrders, Klines], object]


def check_causal(
    strategy: Tradable,
    klines: Klines,
    cuts_each: int = 3,
    *,
    name: str = "",
    trade: Trade | None = None,
) -> None:
    """Raise LookAhead if what `strategy` says changes when later bars go or become others.

    `cuts_each` even cuts and as many right after wishes are tried. Series with fewer than two bars
    have no future to take away. `trade` runs an order strategy on bars, under plain terms if None.
    `name` stands in faults, the strategy's class unless given.
    Raises: LookAhead naming the column, the bar and both values; StrategyFault if the strategy is
    not repeatable or answers with something else than columns.
    """
    owner = name or type(strategy).__name__
    _check_columns(strategy, klines, cuts_each, owner)
    if places_orders(strategy):
        _check_orders(strategy, klines, cuts_each, trade or _plain_trade(), owner)


def _check_columns(strategy: Tradable, klines: Klines, cuts_each: int, owner: str) -> None:
    whole = _columns(strategy, klines)
    for cut in _cuts(whole, _first_cut(klines), len(klines), cuts_each):
        for part_klines in other_futures(klines, cut, FUTURE_BARS):
            part = _columns(strategy, part_klines)
            for name, full in whole.items():
                bar = _first_difference(full, part.get(name), cut)
                if bar < 0:
                    continue
                _require_repeatable(strategy, klines, whole, owner)
                found = _text(part[name][bar]) if name in part else "no such column"
                raise _look_ahead(f"{name} of {owner}", klines, bar, cut, found, _text(full[bar]))


def _check_orders(
    strategy: PlacesOrders, klines: Klines, cuts_each: int, trade: Trade, owner: str
) -> None:
    first_cut = _first_cut(klines)
    bars, head = max(HEAD_BARS, first_cut + 1), klines
    whole: Record = {}
    while not any(command[0] in OPENING for said in whole.values() for command in said):
        head = klines.between(0, min(bars, len(klines)))
        whole = _decisions(strategy, head, trade)
        if bars >= len(klines):
            break
        bars *= 4
    for cut in _order_cuts(whole, first_cut, len(head), cuts_each):
        for part_klines in other_futures(head, cut, FUTURE_BARS):
            part = _decisions(strategy, part_klines, trade)
            bar = first_difference(whole, part, cut)
            if bar < 0:
                continue
            subject = f"orders of {owner}"
            if first_difference(whole, _decisions(strategy, head, trade), len(head)) >= 0:
                raise StrategyFault(subject, "the same for the same bars", "other ones each time")
            found, full = text_of(part.get(bar)), text_of(whole.get(bar))
            raise _look_ahead(subject, klines, bar, cut, found, full)


def _plain_trade() -> Trade:
    instrument = Instrument("PLAIN", tick_size=1e-6, qty_step=1e-6)
    return partial(run_backtest, instrument=instrument, plan=Plan(), costs=Costs())


def _decisions(strategy: PlacesOrders, klines: Klines, trade: Trade) -> Record:
    taken_down = recorded(strategy)
    trade(taken_down, klines)
    return taken_down.record


def _look_ahead(
    subject: str, klines: Klines, bar: int, cut: int, found: str, full: str
) -> LookAhead:
    end = time_text(int(klines.open_time_ms[cut - 1]))
    return LookAhead(
        f"{subject} at bar {bar}, {time_text(int(klines.open_time_ms[bar]))}",
        f"the value without later bars ({found} when the bars end, or become others, at {end})",
        f"{full} with them, so it looks ahead",
    )


def _columns(strategy: Tradable, klines: Klines) -> Columns:
    if places_orders(strategy):
        return checked_features(strategy, klines)
    assert makes_signals(strategy)
    wishes = checked_signals(strategy, klines).priced()
    named = {column.name: getattr(wishes, column.name) for column in fields(wishes)}
    return {name: values for name, values in named.items() if values is not None}


def _first_cut(klines: Klines) -> int:
    """Return the length from which on every further series has a closed bar."""
    first_closes = [int(other.close_time_ms[0]) for other in klines.others.values()]
    return klines.index_at(max(first_closes, default=0) - klines.interval_ms) + 1


def _cuts(columns: Columns, first_cut: int, bars: int, cuts_each: int) -> list[int]:
    """Return lengths to cut to, ascending: some even ones, and some that end on a wish."""
    wishes = np.zeros(bars, dtype=np.bool_)
    for values in columns.values():
        if values.dtype.kind == "b":
            wishes |= values.astype(np.bool_)
    even = np.linspace(0, bars, cuts_each + 2)[1:-1].astype(np.int64)
    cuts = {bars - 1, *even.tolist(), *_picked(np.flatnonzero(wishes[:-1]), cuts_each)}
    return sorted(cut for cut in cuts if max(first_cut, 1) <= cut < bars)


def _order_cuts(record: Record, first_cut: int, bars: int, cuts_each: int) -> list[int]:
    """Return lengths that end on a bar that opens something, and one on any command."""
    opens = [bar for bar, said in record.items() if any(item[0] in OPENING for item in said)]
    low, high = max(first_cut, 1), bars - 1
    opening = np.array([bar for bar in opens if low <= bar + 1 <= high], dtype=np.int64)
    saying = np.array([bar for bar in record if low <= bar + 1 <= high], dtype=np.int64)
    cuts = {*_picked(opening, cuts_each), *_picked(saying[len(saying) // 2 :], 1)}
    return sorted(cuts)


def _picked(events: npt.NDArray[np.int64], count: int) -> list[int]:
    """Return the lengths that end on `count` of the events, evenly picked."""
    if not len(events):
        return []
    picked = np.linspace(0, len(events) - 1, count).astype(np.int64)
    return [int(cut) for cut in events[picked] + 1]


def _first_difference(
    full: npt.NDArray[np.generic], part: npt.NDArray[np.generic] | None, bars: int
) -> int:
    """Return the first index below `bars` at which two columns differ, or -1; NaN equals NaN."""
    if part is None:
        return 0
    full, part = full[:bars], part[:bars]
    if full.dtype.kind == "f" and part.dtype.kind == "f":
        a, b = full.astype(np.float64), part.astype(np.float64)
        scale = np.abs(a[np.isfinite(a)]).max(initial=0.0)
        differs = ~np.isclose(a, b, rtol=NOISE_RATIO, atol=NOISE_RATIO * scale, equal_nan=True)
    else:
        differs = full != part
    index = int(differs.argmax())
    return index if differs[index] else -1


def _require_repeatable(strategy: Tradable, klines: Klines, whole: Columns, owner: str) -> None:
    again = _columns(strategy, klines)
    for name, full in whole.items():
        if _first_difference(full, again.get(name), len(klines)) >= 0:
            raise StrategyFault(
                f"{name} of {owner}", "the same values for the same bars", "other ones each time"
            )


def _text(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float | np.floating) else str(value)
