"""Corners of TradingView's broker that were measured there and that nobody would guess."""

import math

import numpy as np
import pytest

from engines.costs import Costs
from engines.errors import OrderFault
from engines.plan import CloseRule, Plan, Sizing, SizingKind
from tests.unit.market import (
    BUY,
    ONE_LOT,
    SELL,
    Command,
    Row,
    Script,
    buys,
    cancels,
    closed,
    exits,
    filled,
    fills,
    orders,
    plan_with,
    play,
    sells,
    still,
)

FLAT = still(100.0)
LOT = Sizing(SizingKind.QTY, 1.0)
SMALL = Plan(capital_quote=1_000.0, sizing=LOT)
CASH = plan_with(sizing=Sizing(SizingKind.CASH, 1_000.0))


class TestRepeatedEntry:
    """An entry called twice in one pass is one order, modified."""

    def test_repeated_reversal_carries_its_own_quantity_only(self) -> None:
        script: Script = {0: (buys(qty=10.0),), 1: (sells(qty=4.0), sells(qty=4.0))}
        result = play([FLAT] * 4, script)
        assert fills(result)[1:] == [(2, -4.0, 100.0)]
        assert [(t.side, t.qty) for t in result.trades if t.is_open] == [(BUY, 6.0)]

    def test_repeated_entry_from_flat_is_entered_once(self) -> None:
        assert filled([FLAT] * 3, {0: (buys(qty=2.0), buys(qty=3.0))}) == [(1, 3.0, 100.0)]


class TestRawOrderFunds:
    """A raw order whose position cannot be carried is refused whole, where it would fill."""

    @pytest.mark.parametrize("terms", [{}, {"limit": 99.0}, {"stop": 101.0}])
    def test_it_does_not_open_beyond_the_account(self, terms: dict[str, float]) -> None:
        script: Script = {0: orders("O", BUY, qty=50.0, **terms)}
        result = play([FLAT, (100.0, 102.0, 98.0, 99.0), FLAT], script, SMALL)
        assert not result.fills
        assert sum(result.refusals.values()) >= 1

    def test_it_does_not_even_close_when_it_would_flip_too_far(self) -> None:
        script: Script = {0: buys(qty=5.0), 1: orders("O", SELL, qty=16.0)}
        assert filled([FLAT] * 3, script, SMALL) == [(1, 5.0, 100.0)]

    def test_it_flips_within_the_account(self) -> None:
        script: Script = {0: buys(qty=5.0), 1: orders("O", SELL, qty=12.0)}
        assert filled([FLAT] * 3, script, SMALL)[1:] == [(2, -12.0, 100.0)]

    def test_it_stacks_within_the_account_only(self) -> None:
        script: Script = {0: buys(qty=5.0), 1: orders("O", BUY, qty=7.0)}
        assert filled([FLAT] * 3, script, SMALL) == [(1, 5.0, 100.0)]

    def test_reduction_is_never_judged(self) -> None:
        script: Script = {0: buys(qty=10.0), 1: orders("O", SELL, qty=10.0)}
        assert filled([FLAT, FLAT, still(50.0)], script, SMALL)[1:] == [(2, -10.0, 50.0)]


class TestFundsAtOneOpen:
    """Several orders that fill at one open."""

    def test_adds_that_each_fit_the_start_of_the_bar_fill_and_are_trimmed(self) -> None:
        plan = Plan(capital_quote=1_000.0, sizing=LOT, pyramiding=3)
        rows = filled([FLAT] * 3, {0: (buys("A", qty=6.0), buys("B", qty=6.0))}, plan)
        # 200 are missing: 2 lots would do, four times that is 8.
        assert rows == [(1, 6.0, 100.0), (1, 6.0, 100.0), (1, -8.0, 100.0)]

    def test_opposite_pair_needs_the_margin_of_both(self) -> None:
        script: Script = {0: (buys("A", qty=6.0), sells("B", qty=6.0))}
        assert filled([FLAT] * 3, script, SMALL) == [(1, 6.0, 100.0)]
        fits: Script = {0: (buys("A", qty=4.0), sells("B", qty=6.0))}
        assert filled([FLAT] * 3, fits, SMALL) == [(1, 4.0, 100.0), (1, -10.0, 100.0)]

    def test_market_entry_is_judged_at_the_close_with_its_slippage(self) -> None:
        # 10 x 101 is more than 1,000 at the deciding close, whatever the open would be.
        costs = Costs(commission=0.0, slippage_ticks=10)
        assert not filled([FLAT, still(90.0)], {0: buys(qty=10.0)}, SMALL, costs)


class TestSizeOfPricedOrders:
    """An order sized by money has its quantity from its fill, but for two kinds."""

    def test_stop_that_gaps_keeps_the_size_of_its_level(self) -> None:
        assert filled([FLAT, still(125.0)], {0: buys(stop=110.0)}, CASH) == [(1, 9.09, 125.0)]

    def test_stop_met_inside_the_bar_is_sized_at_its_fill(self) -> None:
        costs = Costs(commission=0.0, slippage_ticks=10)
        rows = filled([FLAT, (100.0, 125.0, 100.0, 125.0)], {0: buys(stop=110.0)}, CASH, costs)
        assert rows == [(1, 9.009, 111.0)]

    def test_stop_limit_keeps_the_size_of_its_issue(self) -> None:
        order = buys(stop=110.0, limit=120.0)
        assert filled([FLAT, still(115.0)], {0: order}, CASH) == [(1, 9.09, 115.0)]


class TestCloseRuleAny:
    """With ANY each entry is on its own."""

    ANY = plan_with(close_rule=CloseRule.ANY)

    def test_ratio_of_a_close_is_of_the_original_quantity(self) -> None:
        script: Script = {
            0: buys(qty=4.0),
            1: lambda ctx: ctx.close_entry("L", qty_ratio=0.5),
            2: lambda ctx: ctx.close_entry("L", qty_ratio=0.25),
        }
        assert [row[1] for row in filled([FLAT] * 5, script, self.ANY)] == [4.0, -2.0, -1.0]
        assert [row[1] for row in filled([FLAT] * 5, script, ONE_LOT)] == [4.0, -2.0, -0.5]

    def test_margin_call_cuts_every_open_trade(self) -> None:
        plan = Plan(1_000.0, Sizing(SizingKind.QTY, 5.0), 2, CloseRule.ANY)
        # Two shorts of 5 at 100. At 101: 20 / 101 = 0.198; 0.792 of each.
        bars = [FLAT, FLAT, FLAT, (100.0, 101.0, 99.5, 100.0)]
        result = play(bars, {0: sells("A"), 1: sells("B")}, plan)
        cut = [(t.entry_name, t.qty, t.exit_price) for t in closed(result)]
        assert cut == [("A", 0.792, 101.0), ("B", 0.792, 101.0)]


class TestExitsOfRefusedOrders:
    """Exits outlive what happens to the orders beside them."""

    def test_cancelled_entry_leaves_its_exit_to_the_next_of_its_name(self) -> None:
        script: Script = {
            0: (buys(limit=99.0), exits("X", "L", limit=101.0)),
            1: (cancels("L"), buys(limit=98.0)),
        }
        bars = [FLAT, FLAT, (100.0, 100.0, 97.0, 97.5), (97.5, 102.0, 97.5, 102.0)]
        assert filled(bars, script) == [(2, 1.0, 98.0), (3, -1.0, 101.0)]

    @pytest.mark.parametrize(
        ("again", "expected"), [(None, []), (exits("X", "L", stop=90.0), [(4, -1.0, 90.0)])]
    )
    def test_reversal_refused_at_its_open_takes_the_old_exits_with_it(
        self, again: Command | None, expected: list[Row]
    ) -> None:
        # 9 short are payable at 100, not at 150: the long stays, without its stop.
        script: dict[int, tuple[Command, ...]] = {
            0: (buys(), exits("X", "L", stop=90.0)),
            1: (sells(qty=9.0),),
        }
        if again is not None:
            script[3] = (again,)
        bars = [FLAT, FLAT, still(150.0), still(150.0), (150.0, 150.0, 80.0, 80.0)]
        assert filled(bars, script, SMALL)[1:] == expected


class TestCurrencyRate:
    """A rate that moves changes what is owned, even where the price stands still."""

    def test_rate_alone_calls_margin(self) -> None:
        # Short 10 at 100 on 1,000 at a rate of 0.5. At 105 and 1.0: equity 950, margin 1,050.
        rates = np.array([0.5, 0.5, 0.5, 1.0, 1.0])
        bars = [FLAT, FLAT, still(101.0), still(105.0), FLAT]
        result = play(bars, {0: sells(qty=10.0)}, SMALL, rates=rates)
        # 100 / 105 = 0.952, four times that.
        assert fills(result)[1:] == [(3, 3.808, 105.0)]

    def test_rate_alone_reaches_the_cap_of_losses(self) -> None:
        plan = plan_with(intraday_loss_quote_max=50.0)
        bars = [FLAT, FLAT, still(96.0), still(96.0), FLAT]
        rates = np.array([1.0, 1.0, 1.0, 2.0, 2.0])
        result = play(bars, {0: buys(qty=10.0)}, plan, rates=rates)
        assert fills(result)[1:] == [(3, -10.0, 96.0)]


class TestLimitToVerify:
    """With ticks to verify a limit fills once the price has gone so far beyond it."""

    PLAN = plan_with(limit_verify_ticks=2)

    @pytest.mark.parametrize("level", range(900, 1000))
    def test_it_fills_at_its_own_price_on_the_way(self, level: int) -> None:
        limit, short, enough = level / 10, (level - 1) / 10, (level - 2) / 10
        order: Script = {0: buys(limit=limit)}
        assert not filled([FLAT, (100.0, 100.5, short, 100.0)], order, self.PLAN)
        rows = filled([FLAT, (100.0, 100.5, enough, 100.0)], order, self.PLAN)
        assert rows == [(1, 1.0, limit)]

    @pytest.mark.parametrize("opens", [98.8, 98.5])
    def test_it_fills_at_an_open_beyond(self, opens: float) -> None:
        bars = [FLAT, (opens, 98.9, 98.0, 98.5)]
        assert filled(bars, {0: buys(limit=99.0)}, self.PLAN) == [(1, 1.0, opens)]


@pytest.mark.parametrize(
    "command",
    [
        buys(limit=math.inf),
        sells(stop=-math.inf),
        orders("O", BUY, stop=math.inf),
        exits("X", "L", limit=math.inf),
        exits("X", "L", stop=-math.inf),
        exits("X", "L", trail_points=math.inf),
        exits("X", "L", trail_points=5, trail_offset=math.inf),
    ],
)
def test_infinite_level_is_a_fault_of_the_command(command: Command) -> None:
    with pytest.raises(OrderFault):
        play([FLAT] * 3, {0: (buys(limit=99.0), command)})


def test_entry_inside_the_bar_with_both_levels_passed_takes_the_limit() -> None:
    exit_ = exits("X", "L", stop=101.0, limit=98.5, comment_profit="P", comment_loss="S")
    costs = Costs(commission=0.0, slippage_ticks=2)
    bars = [FLAT, (100.0, 100.0, 98.0, 99.0)]
    (trade,) = play(bars, {0: (buys(limit=99.0), exit_)}, costs=costs).trades
    assert (trade.exit_price, trade.exit_name) == (99.0, "P")
