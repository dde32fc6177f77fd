"""Rungs: entries that wait beside a position and go with it; entries sized by a share of equity.

A long of 100.0 has a target at 101.0 and a rung waiting at 98.0. Every case is played for a short
on mirrored bars too.
"""

import math
from typing import Any

import pytest

from engines.errors import OrderFault
from engines.plan import Basis
from engines.trades import ExitReason
from tests.unit.market import Bar, Row, Script, closes_all, plan_with, still
from tests.unit.mirror import BOTH_SIDES, STACKED, Mirror

FLAT = still(100.0)
FIRST: Row = (1, 1.0, 100.0)
# High first (1.0 < 3.0): 101.0 takes the profit, then 97.0 would fill the rung.
TARGET_THEN_LOW: Bar = (100.1, 101.1, 97.1, 97.5)


def laddered(market: Mirror, is_rung: bool = True) -> Script:
    """Return an entry with its target, and an order at 98.0 beside it."""
    return {
        0: (
            market.enters(),
            market.enters("R", limit=98.0, with_position=is_rung),
            market.exits("X", profit_ticks=10, basis=Basis.AVERAGE),
        )
    }


@BOTH_SIDES
class TestRung:
    def test_it_adds_to_the_position(self, market: Mirror) -> None:
        bars = [FLAT, FLAT, (99.5, 99.7, 97.8, 98.2)]
        assert market.filled(bars, laddered(market)) == [FIRST, (2, 1.0, 98.0)]

    def test_the_target_takes_it_along_in_the_same_bar(self, market: Mirror) -> None:
        bars = [FLAT, FLAT, TARGET_THEN_LOW, still(97.0)]
        assert market.filled(bars, laddered(market)) == [FIRST, (2, -1.0, 101.0)]
        # An ordinary entry stays and opens a position of its own.
        rows = market.filled(bars, laddered(market, is_rung=False))
        assert rows == [FIRST, (2, -1.0, 101.0), (2, 1.0, 98.0)]

    def test_it_fills_and_the_average_target_follows_in_the_same_bar(self, market: Mirror) -> None:
        # Low first (0.6 < 2.5): 98.0, average 99.0, target 100.0 on the way to 101.0.
        rows = market.filled([FLAT, FLAT, (98.5, 101.0, 97.9, 100.5)], laddered(market))
        assert rows == [FIRST, (2, 1.0, 98.0), (2, -1.0, 100.0), (2, -1.0, 100.0)]

    def test_the_stop_takes_it_along(self, market: Mirror) -> None:
        script = {
            0: (
                market.enters(),
                market.enters("R", limit=98.0, with_position=True),
                market.exits("X", loss_ticks=10),
            )
        }
        bars = [FLAT, FLAT, (100.1, 100.2, 97.0, 97.5)]
        assert market.filled(bars, script) == [FIRST, (2, -1.0, 99.0)]

    def test_a_close_and_a_reversal_take_it_along(self, market: Mirror) -> None:
        bars = [FLAT, FLAT, FLAT, (99.5, 99.7, 97.0, 97.2)]
        closed: Script = {**laddered(market), 1: closes_all()}
        assert market.filled(bars, closed) == [FIRST, (2, -1.0, 100.0)]
        reversed_: Script = {**laddered(market), 1: market.reverses()}
        assert market.filled(bars, reversed_) == [FIRST, (2, -2.0, 100.0)]

    def test_part_of_the_position_is_enough_to_keep_it(self, market: Mirror) -> None:
        script: Script = {
            0: (
                market.enters(),
                market.enters("R", limit=98.0, with_position=True),
                market.exits("X", "L", profit_ticks=10, qty_ratio=0.5),
            )
        }
        rows = market.filled([FLAT, FLAT, TARGET_THEN_LOW], script)
        assert rows == [FIRST, (2, -0.5, 101.0), (2, 1.0, 98.0)]


@BOTH_SIDES
class TestBeforeThePosition:
    def test_it_waits_while_its_entry_waits(self, market: Mirror) -> None:
        script: Script = {
            0: (
                market.enters(limit=99.0),
                market.enters("R", limit=98.0, with_position=True),
                market.exits("X", profit_ticks=10),
            )
        }
        bars = [FLAT, FLAT, (99.6, 99.8, 98.8, 99.0), (99.0, 99.1, 97.8, 98.0), still(99.0)]
        assert market.filled(bars, script) == [
            (2, 1.0, 99.0),
            (3, 1.0, 98.0),
            (4, -1.0, 99.0),  # the rung's own target
        ]

    def test_it_sleeps_until_its_entry_has_filled(self, market: Mirror) -> None:
        # Scaling in at 101.0 is passed over until the entry at 99.0 has filled; then it lies ahead.
        script = {
            0: (market.enters(limit=99.0), market.enters("R", stop=101.0, with_position=True))
        }
        bars = [FLAT, (100.0, 101.5, 99.5, 100.0), (100.0, 101.2, 98.9, 101.1)]
        # Low first (1.1 < 1.2): 99.0, then 101.0.
        assert market.filled(bars, script) == [(2, 1.0, 99.0), (2, 1.0, 101.0)]

    def test_one_that_the_price_has_passed_fills_when_it_wakes(self, market: Mirror) -> None:
        script = {
            0: (market.enters(limit=99.0), market.enters("R", limit=99.5, with_position=True))
        }
        bars = [FLAT, (100.0, 100.1, 99.2, 99.3), (99.3, 99.4, 98.9, 99.0)]
        assert market.filled(bars, script) == [(2, 1.0, 99.0), (2, 1.0, 99.0)]

    def test_at_market_it_needs_the_position_at_the_open(self, market: Mirror) -> None:
        script: Script = {0: (market.enters(), market.enters("R", with_position=True))}
        assert market.filled([FLAT, FLAT], script) == [FIRST, FIRST]
        script = {0: (market.enters(limit=99.0), market.enters("R", with_position=True))}
        result = market.play([FLAT, FLAT], script)
        assert market.fills(result) == []
        assert result.refusals == {"rungs without a position": 1}

    def test_a_gap_beyond_both_fills_both(self, market: Mirror) -> None:
        script = {
            0: (market.enters(limit=99.0), market.enters("R", limit=98.0, with_position=True))
        }
        assert market.filled([FLAT, still(97.0)], script) == [(1, 1.0, 97.0), (1, 1.0, 97.0)]

    def test_it_goes_when_its_entry_is_cancelled(self, market: Mirror) -> None:
        script: Script = {
            0: (market.enters(limit=99.0), market.enters("R", limit=98.0, with_position=True)),
            1: lambda ctx: ctx.cancel("L"),
        }
        assert market.filled([FLAT, FLAT, still(97.0)], script) == []

    def test_it_goes_when_its_entry_is_refused(self, market: Mirror) -> None:
        # 0.9 contracts of 100.0 fit into 100; at the open 150 (or 50 sold) they do not.
        plan = plan_with(capital_quote=100.0, pyramiding=9, margin_short_ratio=1.0)
        script = {
            0: (
                market.enters(qty=0.9),
                market.enters("R", qty=0.1, limit=98.0, with_position=True),
            )
        }
        bars: list[Bar] = [FLAT, (150.0, 150.1, 90.0, 95.0), still(95.0)]
        if market.price(0.0) != 0.0:
            return  # A short gets cheaper by the mirrored gap and is not refused.
        assert market.filled(bars, script, plan) == []

    def test_without_a_position_or_an_entry_to_wait_for_it_does_not_open_one(
        self, market: Mirror
    ) -> None:
        script = {0: market.enters("R", limit=99.0, with_position=True)}
        assert market.filled([FLAT, (100.0, 100.1, 98.0, 98.5)], script) == []

    def test_one_of_a_group_that_the_other_cancels_takes_its_rungs_along(
        self, market: Mirror
    ) -> None:
        group = {"oca_name": "g", "oca_kind": "cancel"}
        script = {
            0: (
                market.enters(stop=101.0, **group),
                market.enters("R", stop=102.0, with_position=True),
                market.reverses(stop=99.0, **group),
            )
        }
        # Low first (1.1 < 3.0): sold at 99.0; 101.0 and 102.0 are gone.
        rows = market.filled([FLAT, (100.0, 103.0, 98.9, 102.0)], script)
        assert rows == [(1, -1.0, 99.0)]


@BOTH_SIDES
class TestNextPosition:
    def test_new_rungs_outlive_the_close_said_beside_them(self, market: Mirror) -> None:
        again = (
            closes_all(),
            market.enters("L2"),
            market.enters("R2", limit=97.0, with_position=True),
        )
        bars = [FLAT, FLAT, FLAT, (99.5, 99.7, 96.9, 97.0)]
        rows = market.filled(bars, {**laddered(market), 1: again})
        assert rows == [FIRST, (2, -1.0, 100.0), (2, 1.0, 100.0), (3, 1.0, 97.0)]

    def test_new_rungs_outlive_the_reversal_said_beside_them(self, market: Mirror) -> None:
        script: Script = {
            0: (market.reverses("S"), market.reverses("Q", limit=102.0, with_position=True)),
            1: (market.enters("L"), market.enters("R", limit=98.0, with_position=True)),
        }
        bars = [FLAT, FLAT, FLAT, (99.5, 102.5, 97.9, 100.0)]
        # Low first (1.6 < 3.0): the rung of the long fills, that of the short went with it.
        rows = market.filled(bars, script)
        assert rows == [(1, -1.0, 100.0), (2, 2.0, 100.0), (3, 1.0, 98.0)]

    def test_a_rung_said_later_belongs_to_what_is_open(self, market: Mirror) -> None:
        script: Script = {
            0: (market.enters(), market.exits("X", profit_ticks=10)),
            1: market.enters("R", limit=98.0, with_position=True),
        }
        bars = [FLAT, FLAT, TARGET_THEN_LOW, still(97.0)]
        assert market.filled(bars, script) == [FIRST, (2, -1.0, 101.0)]


@BOTH_SIDES
class TestShareOfEquity:
    PLAN = plan_with(capital_quote=1_000.0, pyramiding=9)

    def test_it_sizes_the_order_instead_of_the_plan(self, market: Mirror) -> None:
        # 0.1 x 1000 / 100 = 1; 0.25 of it is 2.5.
        script = {0: market.enters(equity_ratio=0.25)}
        assert market.filled([FLAT, FLAT], script, self.PLAN) == [(1, 2.5, 100.0)]

    def test_a_limit_is_sized_at_its_own_price(self, market: Mirror) -> None:
        # 100 / 98 = 1.0204 -> 1.020; sold at 102: 100 / 102 = 0.9803 -> 0.980.
        script = {0: market.enters(equity_ratio=0.1, limit=98.0)}
        qty = 1.02 if market.price(0.0) == 0.0 else 0.98
        rows = market.filled([FLAT, (100.0, 100.1, 97.9, 98.0)], script, self.PLAN)
        assert rows == [(1, qty, 98.0)]

    @pytest.mark.parametrize("ratio", [0.0, -0.1, math.nan, math.inf])
    def test_a_share_that_is_no_positive_number_is_refused(
        self, market: Mirror, ratio: float
    ) -> None:
        with pytest.raises(OrderFault, match="equity_ratio of L"):
            market.filled([FLAT, FLAT], {0: market.enters(equity_ratio=ratio)})

    def test_a_share_and_a_quantity_at_once_are_refused(self, market: Mirror) -> None:
        with pytest.raises(OrderFault, match="equity_ratio of L"):
            market.filled([FLAT, FLAT], {0: market.enters(equity_ratio=0.1, qty=1.0)})


@BOTH_SIDES
def test_the_reason_of_each_exit_is_its_mechanics(market: Mirror) -> None:
    def reason(bars: list[Bar], script: Script) -> list[ExitReason]:
        trades = market.play([FLAT, FLAT, *bars], script, STACKED).trades
        return [trade.exit_reason for trade in trades]

    enters = market.enters()
    assert reason([FLAT], {0: enters}) == [ExitReason.END_OF_DATA]
    assert reason([FLAT], {0: enters, 1: closes_all()}) == [ExitReason.SIGNAL]
    timed = closes_all(reason=ExitReason.TIME_EXIT)
    assert reason([FLAT], {0: enters, 1: timed}) == [ExitReason.TIME_EXIT]
    named: Script = {
        0: enters,
        1: lambda ctx: ctx.close_entry("L", reason=ExitReason.SESSION_CLOSE),
    }
    assert reason([FLAT], named) == [ExitReason.SESSION_CLOSE]
    turned = [ExitReason.REVERSAL, ExitReason.END_OF_DATA]
    assert reason([FLAT], {0: enters, 1: market.reverses()}) == turned
    netted: Script = {0: enters, 1: lambda ctx: ctx.order("O", market.side.opposite)}
    assert reason([FLAT], netted) == [ExitReason.SIGNAL]
    terms: dict[str, Any] = {"loss_ratio": 0.01, "profit_ratio": 0.01, "comment": "anything"}
    for name, price in (("stop_loss", 99.0), ("take_profit", 101.0)):
        bracket: Script = {0: (enters, market.exits("X", **terms))}
        assert reason([still(price)], bracket) == [ExitReason(name)]
    by_atr = {**terms, "stop_reason": ExitReason.ATR_SL, "profit_reason": "atr_tp"}
    for name, price in (("atr_sl", 99.0), ("atr_tp", 101.0)):
        bracket = {0: (enters, market.exits("X", **by_atr))}
        assert reason([still(price)], bracket) == [ExitReason(name)]
