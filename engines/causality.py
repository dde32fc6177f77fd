"""Prove that a strategy does not look ahead, by taking its future away.

Theory. A causal column keeps every earlier value when later bars are cut off. A leak of a few bars
shows only near the cut, and in a sparse column of wishes only if the cut falls on a wish; so the
cuts are laid right after bars that want something, evenly picked, besides some even ones. Whatever
differs is computed a second time on all bars first: a strategy that gives two answers to the same
bars is not repeatable, which is another fault than looking ahead. Floats may differ by noise, as
some of NumPy's sums are split by the length of the column.
"""

from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from engines.backtest import Tradable
from engines.errors import LookAhead, StrategyFault
from engines.klines import Klines, time_text
from engines.signals import Signals

NOISE_RATIO = 1e-11

Columns = Mapping[str, npt.NDArray[np.generic]]


def check_causal(strategy: Tradable, klines: Klines, cuts_each: int = 3) -> None:
    """Raise LookAhead if the signals or features of `strategy` change when later bars go.

    `cuts_each` even cuts and as many right after wishes are tried. Series with fewer than two bars
    have no future to take away.
    Raises: LookAhead naming the column, the bar and both values; StrategyFault if the strategy is
    not repeatable.
    """
    whole = _columns(strategy, klines)
    first_cut = _first_cut(klines)
    for cut in _cuts(whole, len(klines), cuts_each):
        if cut < first_cut:
            continue
        part_klines = klines.between(0, cut)
        part = _columns(strategy, part_klines)
        for name, full in whole.items():
            bar = _first_difference(full[:cut], part.get(name))
            if bar < 0:
                continue
            _require_repeatable(strategy, klines, whole)
            owner = type(getattr(strategy, "strategy", strategy)).__name__
            found = part[name][bar] if name in part else "no such column"
            raise LookAhead(
                f"{name} of {owner} at bar {bar}, {time_text(int(klines.open_time_ms[bar]))}",
                f"the value without later bars ({_text(found)} when the bars end at "
                f"{time_text(int(part_klines.open_time_ms[-1]))})",
                f"{_text(full[bar])} with them, so it looks ahead",
            )


def _columns(strategy: Tradable, klines: Klines) -> Columns:
    if not hasattr(strategy, "signals"):
        return dict(strategy.features(klines))
    wishes: Signals = strategy.signals(klines)
    named = {column.name: getattr(wishes, column.name) for column in fields(wishes)}
    columns = {name: values for name, values in named.items() if values is not None}
    for name, values in columns.items():
        if len(values) != len(klines):
            raise StrategyFault(f"signal column {name}", f"{len(klines)} values", f"{len(values)}")
    return columns


def _first_cut(klines: Klines) -> int:
    """Return the length from which on every further series has a closed bar."""
    first_closes = [int(other.close_time_ms[0]) for other in klines.others.values()]
    return klines.index_at(max(first_closes, default=0) - klines.interval_ms) + 1


def _cuts(columns: Columns, bars: int, cuts_each: int) -> list[int]:
    """Return lengths to cut to, ascending: some even ones, and some that end on a wish."""
    wishes = np.zeros(bars, dtype=np.bool_)
    for values in columns.values():
        if values.dtype.kind == "b":
            wishes |= values.astype(np.bool_)
    events = np.flatnonzero(wishes[:-1])
    even = np.linspace(0, bars, cuts_each + 2)[1:-1].astype(np.int64)
    cuts = {bars - 1, *even.tolist()}
    if len(events):
        picked = np.linspace(0, len(events) - 1, cuts_each).astype(np.int64)
        cuts.update((events[picked] + 1).tolist())
    return sorted(cut for cut in cuts if 0 < cut < bars)


def _first_difference(full: npt.NDArray[np.generic], part: npt.NDArray[np.generic] | None) -> int:
    """Return the first index at which two columns differ, NaN equal to NaN, or -1."""
    if part is None:
        return 0
    if full.dtype.kind == "f" and part.dtype.kind == "f":
        a, b = full.astype(np.float64), part.astype(np.float64)
        scale = np.abs(a[np.isfinite(a)]).max(initial=0.0)
        differs = ~np.isclose(a, b, rtol=NOISE_RATIO, atol=NOISE_RATIO * scale, equal_nan=True)
    else:
        differs = full != part
    index = int(differs.argmax())
    return index if differs[index] else -1


def _require_repeatable(strategy: Tradable, klines: Klines, whole: Columns) -> None:
    again = _columns(strategy, klines)
    for name, full in whole.items():
        if _first_difference(full, again.get(name)) >= 0:
            owner = type(getattr(strategy, "strategy", strategy)).__name__
            raise StrategyFault(
                f"{name} of {owner}", "the same values for the same bars", "other ones each time"
            )


def _text(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float | np.floating) else str(value)
