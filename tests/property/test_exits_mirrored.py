"""What is done on mirrored bars is the mirror of what is done: no rule prefers a side.

Bars, prices and sides are mirrored at 100. Distances are in ticks and quote, because a ratio of 99
has no mirror at 101; ratios of an entry at 100 itself are in the unit tests. One rule does see the
side: entries that a gap has passed fill from the lower price up. So markets with gaps are given one
entry at a time, and the others entries that lie ahead of the price.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.plan import Basis, CloseRule
from engines.trades import Side
from tests.property.strategies_random import Source, one_of
from tests.unit.market import Bar, Command
from tests.unit.mirror import STACKED, Mirror, without_ties

BARS = 30
LONG, SHORT = Mirror(Side.BUY), Mirror(Side.SELL)
UNITS: tuple[Mapping[str, tuple[float, ...]], ...] = (
    {},
    {"trail_points": (0, 5, 12), "trail_offset": (0, 3, 7)},
    {"trail_activation_quote": (0.0, 0.5, 1.23), "trail_distance_quote": (0.1, 0.33, 0.7)},
)


def _bars(source: Source, has_gaps: bool) -> list[Bar]:
    """Return bars on the tick around 100."""
    bars, ticks = [], 1_000
    for _ in range(BARS):
        start = ticks + has_gaps * one_of(source, (0, 0, 0, 4, -4, 15, -15))
        end = start + int(source.integers(-12, 13))
        above, below = source.integers(0, 15, 2).tolist()
        prices = (start, max(start, end) + above, min(start, end) - below, end)
        bars.append(tuple(price / 10 for price in prices))
        ticks = end
    return without_ties(bars)


def _terms(source: Source) -> dict[str, Any]:
    """Return what an exit bracket says."""
    distances = {"profit_ticks": (6, 11, 25.5), "loss_ticks": (6, 11.5, 25)}
    terms = {n: one_of(source, v) for n, v in distances.items() if source.random() < 0.6}
    terms.update({n: one_of(source, v) for n, v in one_of(source, UNITS).items()})
    if source.random() < 0.3:
        terms["qty_ratio"] = 0.5
    return {**terms, "basis": one_of(source, list(Basis))}


def _said(
    source: Source, close: float, has_gaps: bool
) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Return what is said at a close, in the words of a long."""
    said: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
    for _ in range(int(source.integers(1, 4))):
        id = one_of(source, ("E1", "E2", "E3"))
        kind = one_of(source, ("enters", "enters", "reverses", "exits", "exits"))
        if has_gaps and kind != "exits":
            kind, id = "enters", "E1"
        if kind == "exits":
            said.append(
                (kind, (one_of(source, ("X1", "X2")), one_of(source, ("", id))), _terms(source))
            )
            continue
        terms: dict[str, Any] = {"with_position": bool(source.random() < 0.4)}
        if source.random() < 0.7:
            name = one_of(source, ("limit", "stop"))
            ahead = -1 if (name == "limit") == (kind == "enters") else 1
            terms[name] = round(close + ahead * int(source.integers(1, 21)) / 10, 6)
        said.append((kind, (id,), terms))
    return said


def outcomes(market: Mirror, seed: int) -> tuple[Counter[Any], list[Counter[Any]]]:
    """Return the fills and, by bar, the trades of one seed as those of a long.

    Which of two that happen at one price comes first does not count.
    """
    source = np.random.default_rng(seed)
    has_gaps = bool(source.random() < 0.5)
    bars = _bars(source, has_gaps)
    script: dict[int, Sequence[Command]] = {}
    for bar in range(BARS):
        if source.random() < 0.4:
            script[bar] = [
                getattr(market, kind)(*args, **terms)
                for kind, args, terms in _said(source, bars[bar][3], has_gaps)
            ]
    plan = replace(STACKED, close_rule=one_of(source, list(CloseRule)))
    result = market.play(bars, script, plan)
    return Counter(market.fills(result)), [
        Counter(
            (t.entry_bar, t.exit_bar, t.exit_reason, market.price(t.exit_price), round(t.qty, 6))
            for t in result.trades
            if t.exit_bar == bar
        )
        for bar in range(BARS)
    ]


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_short_on_mirrored_bars_does_what_a_long_does(seed: int) -> None:
    assert outcomes(SHORT, seed) == outcomes(LONG, seed)
