"""The largest drawdown a plan allows: it ends the position, and trading, where it is reached."""

from typing import Any

import pytest

from engines.costs import FREE, Costs
from engines.plan import Exits, Plan
from engines.trades import ExitReason
from tests.unit.market import (
    BUY,
    Script,
    buys,
    closed,
    closes,
    exits,
    fills,
    orders,
    plan_with,
    play,
    sells,
    still,
)
from tests.unit.test_funding import at_hours

FLAT = still(100.0)


def limited(ratio: float = 0.1, capital_quote: float = 1_000.0, **terms: Any) -> Plan:
    """Return a plan that ends at this drawdown."""
    return plan_with(capital_quote=capital_quote, exits=Exits(drawdown_ratio_max=ratio), **terms)


def test_position_is_closed_where_equity_has_fallen_so_far() -> None:
    # 5 contracts at 100 lose 100 of 1000 at 80.
    for low, is_met in ((80.1, False), (80.0, True)):
        bars = [FLAT, FLAT, (100.0, 100.0, low, 95.0), FLAT]
        result = play(bars, {0: buys(qty=5.0)}, limited())
        assert len(closed(result)) == is_met
    (trade,) = closed(result)
    assert (trade.exit_bar, trade.exit_price) == (2, 80.0)
    assert trade.exit_reason is ExitReason.MAX_DRAWDOWN


def test_short_is_the_mirror() -> None:
    bars = [FLAT, FLAT, (100.0, 120.0, 100.0, 110.0), FLAT]
    assert fills(play(bars, {0: sells(qty=5.0)}, limited())) == [(1, -5.0, 100.0), (2, 5.0, 120.0)]


def test_it_counts_from_the_highest_close_of_equity_not_from_a_wick() -> None:
    # Closes of 100, 120, 110: equity 1000, 1100, 1050. Ten percent of 1100 are lost at 98; the
    # wick to 140 does not count.
    bars = [FLAT, FLAT, (100.0, 140.0, 100.0, 120.0), still(110.0), (110.0, 110.0, 90.0, 95.0)]
    result = play([*bars, FLAT], {0: buys(qty=5.0)}, limited())
    assert fills(result)[1] == (4, -5.0, 98.0)


def test_level_between_ticks_closes_on_the_tick_against_the_position() -> None:
    # 3 contracts bought at 100 lose 100 at 66.67: sold at 66.6. Bought two ticks higher they do at
    # 66.87: due at 66.8, sold at 66.6.
    bars = [FLAT, FLAT, (100.0, 100.0, 60.0, 70.0), FLAT]
    for ticks, lost in ((0, 100.2), (2, 100.8)):
        costs = Costs(commission=0.0, slippage_ticks=ticks)
        result = play(bars, {0: buys(qty=3.0)}, limited(), costs)
        assert fills(result)[1][2] == 66.6
        assert closed(result)[0].pnl_quote == pytest.approx(-lost)
        assert result.fills[1].slippage_quote == pytest.approx(0.3 * ticks)


def test_open_beyond_closes_at_the_open() -> None:
    bars = [FLAT, FLAT, still(70.0), FLAT]
    assert fills(play(bars, {0: buys(qty=5.0)}, limited()))[1] == (2, -5.0, 70.0)


def test_stop_before_it_fills_first_and_trading_goes_on() -> None:
    bars = [FLAT, FLAT, (100.0, 100.0, 75.0, 95.0), FLAT, FLAT]
    script: Script = {0: (buys(qty=5.0), exits("X", "L", stop=81.0)), 2: buys("M", qty=1.0)}
    assert [fill.name for fill in play(bars, script, limited()).fills] == ["L", "X", "M"]


def test_nothing_is_entered_any_more() -> None:
    bars = [FLAT, FLAT, still(70.0), FLAT, FLAT, FLAT]
    script: Script = {
        0: (buys(qty=5.0), buys("W", limit=65.0)),
        2: buys("M"), 3: (sells("S"), orders("O", BUY)),
    }  # fmt: skip # what comes after is refused
    result = play([*bars, still(60.0)] * 10, script, limited(pyramiding=3))
    assert len(result.fills) == 2
    assert result.refusals["entries after a cap of the day"] == 3


def test_loss_that_was_realised_ends_trading_too() -> None:
    # Closed at 81.5 by the strategy, 92.5 are lost; the commission of both fills makes it 101.575.
    bars = [FLAT, FLAT, still(81.5), still(81.5), FLAT, FLAT]
    script: Script = {0: buys(qty=5.0), 2: closes("L"), 3: buys("M")}
    for costs, names in ((FREE, ["L", "Close entry(s) order L", "M"]), (
        Costs(commission=0.01), ["L", "Close entry(s) order L"]
    )):  # fmt: skip # two runs
        assert [fill.name for fill in play(bars, script, limited(), costs).fills] == names


def test_funding_that_was_paid_counts() -> None:
    # 5 contracts at 100 pay 20 %: a hundred of a thousand.
    result = play([FLAT] * 5, {0: buys(qty=5.0)}, limited(), funding=at_hours(2, rate=0.2))
    assert fills(result) == [(1, 5.0, 100.0), (2, -5.0, 100.0)]
    assert closed(result)[0].pnl_quote == pytest.approx(-100.0)


def test_run_that_never_falls_so_far_is_the_same_without_it() -> None:
    bars = [FLAT, FLAT, still(90.0), still(105.0), still(99.0), FLAT]
    script: Script = {0: buys(), 2: closes("L"), 3: sells()}
    with_limit = play(bars, script, limited())
    without = play(bars, script, plan_with(capital_quote=1_000.0))
    assert with_limit.trades == without.trades
