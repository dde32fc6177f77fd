"""Commission, sizing, point value and currency: what a fill costs and how large it is."""

import numpy as np
import pytest

from engines.costs import FREE, CommissionKind, Costs
from engines.instrument import Instrument
from engines.plan import Plan, Sizing, SizingKind
from tests.unit.market import (
    ONE_LOT,
    Bar,
    Command,
    Script,
    buys,
    closes,
    closes_all,
    fills,
    plan_with,
    play,
    sells,
    still,
)

FLAT = still(100.0)
SLIPPED = Costs(commission=0.0, slippage_ticks=10)
ONE_PERCENT = Costs(commission=0.01)
ONE_A_CONTRACT = Costs(commission=1.0, commission_kind=CommissionKind.PER_CONTRACT)
FIVE_AN_ORDER = Costs(commission=5.0, commission_kind=CommissionKind.PER_ORDER)
CASH = plan_with(sizing=Sizing(SizingKind.CASH, 1_000.0))
TENTH = Plan(capital_quote=10_000.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.1))


class TestCommission:
    """Each fill pays once, on all that it trades."""

    def test_ratio_is_charged_on_the_notional_of_each_fill(self) -> None:
        result = play(
            [FLAT, FLAT, still(110.0)], {0: buys(qty=2.0), 1: closes("L")}, costs=ONE_PERCENT
        )
        assert [fill.fee_quote for fill in result.fills] == pytest.approx([2.0, 2.2])
        (trade,) = result.trades
        assert (trade.fee_entry_quote, trade.fee_quote) == pytest.approx((2.0, 4.2))
        assert trade.pnl_quote == pytest.approx(20.0 - 4.2)
        # Of what the entry cost: its notional and its commission.
        assert trade.pnl_ratio == pytest.approx(15.8 / 202.0)

    def test_per_contract_is_charged_on_the_quantity(self) -> None:
        script: Script = {0: buys(qty=2.5), 1: closes("L", qty=1.0), 2: closes("L")}
        result = play([FLAT] * 4, script, costs=ONE_A_CONTRACT)
        assert [fill.fee_quote for fill in result.fills] == pytest.approx([2.5, 1.0, 1.5])
        assert [trade.pnl_quote for trade in result.trades] == pytest.approx([-2.0, -3.0])

    def test_per_order_is_charged_once_and_a_reversal_is_one_order(self) -> None:
        ten = Costs(commission=10.0, commission_kind=CommissionKind.PER_ORDER)
        script: Script = {0: buys(), 1: sells(), 2: buys(), 3: closes("L")}
        result = play([FLAT] * 5, script, costs=ten)
        assert [fill.fee_quote for fill in result.fills] == [10.0, 10.0, 10.0, 10.0]
        assert [trade.fee_quote for trade in result.trades] == [15.0, 10.0, 15.0]

    def test_reversal_shares_its_commission_by_quantity(self) -> None:
        # 1 long is closed and 3 short opened by one order of 4: a quarter and three quarters.
        result = play([FLAT] * 3, {0: buys(), 1: sells(qty=3.0)}, costs=FIVE_AN_ORDER)
        first, second = result.trades
        assert (first.fee_quote, second.fee_entry_quote) == (5.0 + 1.25, 3.75)

    def test_close_of_several_entries_shares_its_commission_by_quantity(self) -> None:
        script: Script = {0: (buys("A"), buys("B", qty=3.0)), 1: (closes_all(),)}
        result = play([FLAT] * 3, script, plan_with(pyramiding=2), FIVE_AN_ORDER)
        assert [trade.fee_quote for trade in result.trades] == [5.0 + 1.25, 5.0 + 3.75]

    def test_part_of_an_entry_carries_its_part_of_the_commission(self) -> None:
        script: Script = {0: buys(qty=4.0), 1: closes("L", qty=1.0)}
        result = play([FLAT] * 3, script, costs=Costs(0.01))
        assert [trade.fee_entry_quote for trade in result.trades] == pytest.approx([1.0, 3.0])

    def test_default_commission_is_seven_basis_points(self) -> None:
        result = play([FLAT, FLAT], {0: buys()}, costs=Costs())
        assert result.fills[0].fee_quote == pytest.approx(0.07)


class TestSizing:
    """An order without a size takes the plan's, from what is known at the deciding close."""

    @pytest.mark.parametrize(
        ("plan", "costs", "qty"),
        [
            (plan_with(sizing=Sizing(SizingKind.QTY, 2.5)), FREE, 2.5),
            (plan_with(sizing=Sizing(SizingKind.QTY, 2.5)), ONE_PERCENT, 2.5),
            # 1,000 / 100, whatever the commission.
            (CASH, FREE, 10.0),
            (CASH, ONE_PERCENT, 10.0),
            (CASH, ONE_A_CONTRACT, 10.0),
            (CASH, FIVE_AN_ORDER, 10.0),
            # A tenth of 10,000: 1,000 / 100; / 101 = 9.900990; / (100 + 1); 995 / 100.
            (TENTH, FREE, 10.0),
            (TENTH, ONE_PERCENT, 9.9),
            (TENTH, ONE_A_CONTRACT, 9.9),
            (TENTH, FIVE_AN_ORDER, 9.95),
            # Ten ticks of slippage count in the price: 1,000 / 101.
            (CASH, SLIPPED, 9.9),
            (TENTH, SLIPPED, 9.9),
        ],
    )
    def test_market_entry_is_sized_at_the_deciding_close(
        self, plan: Plan, costs: Costs, qty: float
    ) -> None:
        result = play([FLAT, still(50.0)], {0: buys()}, plan, costs)
        assert [fill.qty for fill in result.fills] == [qty]

    def test_slippage_of_a_short_counts_downwards(self) -> None:
        result = play([FLAT, FLAT], {0: sells()}, CASH, SLIPPED)
        assert result.fills[0].qty == 10.101  # 1,000 / 99

    def test_ratio_is_of_the_equity_with_the_open_result(self) -> None:
        # 10 long from 100 to 120: equity 10,200; 1,020 / 120 = 8.5, beside the 10 of the flip.
        script: Script = {0: buys(), 1: sells()}
        result = play([FLAT, (100.0, 120.0, 100.0, 120.0), still(120.0)], script, TENTH)
        assert fills(result) == [(1, 10.0, 100.0), (2, -18.5, 120.0)]

    @pytest.mark.parametrize(
        ("command", "bar", "qty"),
        [
            (buys(limit=80.0), (100.0, 100.0, 75.0, 80.0), 12.5),
            (buys(stop=125.0), (100.0, 130.0, 100.0, 130.0), 8.0),
            (sells(limit=125.0), (100.0, 130.0, 100.0, 130.0), 8.0),
            (buys(limit=80.0), still(50.0), 20.0),
        ],
    )
    def test_priced_entry_is_sized_at_its_fill(
        self, command: Command, bar: Bar, qty: float
    ) -> None:
        assert [fill.qty for fill in play([FLAT, bar], {0: command}, CASH).fills] == [qty]

    def test_money_of_a_priced_entry_is_that_of_its_issue(self) -> None:
        # Issued with 10,000: 1,000 / 80 = 12.5, although 10 lots lost 20 each before it fills.
        script: Script = {0: (buys("A"), buys("B", limit=80.0))}
        plan = Plan(10_000.0, TENTH.sizing, pyramiding=2)
        result = play([FLAT, (100.0, 100.0, 80.0, 80.0)], script, plan)
        assert fills(result) == [(1, 10.0, 100.0), (1, 12.5, 80.0)]

    def test_quantity_is_cut_to_the_step(self) -> None:
        coarse = Instrument("C", tick_size=0.1, qty_step=0.5)
        result = play([still(103.0), FLAT], {0: buys()}, CASH, instrument=coarse)
        assert result.fills[0].qty == 9.5  # 9.7087


class TestPointValue:
    """What one point of price is worth."""

    FIVE = Instrument("F", tick_size=0.1, qty_step=0.001, point_value=5.0)

    def test_result_and_commission_count_it(self) -> None:
        script: Script = {0: buys(qty=2.0), 1: closes("L")}
        bars = [FLAT, FLAT, still(103.0)]
        (trade,) = play(bars, script, costs=ONE_PERCENT, instrument=self.FIVE).trades
        assert trade.fee_quote == pytest.approx(10.0 + 10.3)
        assert trade.pnl_quote == pytest.approx(2 * 3 * 5 - 20.3)

    def test_sizing_divides_by_it(self) -> None:
        assert play([FLAT, FLAT], {0: buys()}, CASH, instrument=self.FIVE).fills[0].qty == 2.0


class TestCurrency:
    """Prices in quote, money in another currency at a rate a bar."""

    BARS = (FLAT, FLAT, still(110.0), still(110.0))
    RATES = np.array([0.5, 1.0, 2.0, 4.0])
    SCRIPT: Script = {0: buys(qty=1.0), 1: closes("L")}  # noqa: RUF012 - read only

    def test_result_is_converted_at_the_exit_and_each_fee_at_its_fill(self) -> None:
        result = play(self.BARS, self.SCRIPT, costs=ONE_PERCENT, rates=self.RATES)
        (trade,) = result.trades
        # Gross 10 x 2; entry fee 1 x 1; exit fee 1.1 x 2.
        assert trade.pnl_quote == pytest.approx(20.0 - 1.0 - 2.2)
        assert result.equity_quote[-1] == pytest.approx(1_000_000.0 + 16.8)

    def test_commission_in_money_is_not_converted(self) -> None:
        result = play(self.BARS, self.SCRIPT, costs=FIVE_AN_ORDER, rates=self.RATES)
        assert [fill.fee_quote for fill in result.fills] == [5.0, 5.0]

    def test_money_is_divided_by_the_rate_of_the_deciding_bar(self) -> None:
        assert play(self.BARS, {0: buys()}, CASH, rates=self.RATES).fills[0].qty == 20.0
        late: Script = {0: buys(limit=50.0)}
        bars = [FLAT, FLAT, still(50.0), FLAT]
        assert play(bars, late, CASH, rates=self.RATES).fills[0].qty == 40.0

    def test_open_position_is_valued_at_the_rate_of_each_bar(self) -> None:
        result = play(self.BARS, {0: buys(qty=1.0)}, rates=self.RATES)
        expected = [0.0, 0.0, 10.0 * 2.0, 10.0 * 4.0]
        assert result.equity_quote.tolist() == pytest.approx([1e6 + gain for gain in expected])


class TestEquity:
    """Equity at each close: capital, what was settled, and the open part at the close."""

    def test_it_moves_with_the_open_position_and_its_costs(self) -> None:
        bars = [FLAT, (100.0, 106.0, 100.0, 105.0), still(103.0), still(103.0)]
        result = play(bars, {0: buys(qty=2.0), 1: closes("L")}, costs=ONE_PERCENT)
        gains = [0.0, 10.0 - 2.0, 6.0 - 2.0 - 2.06, 1.94]
        assert result.equity_quote.tolist() == pytest.approx([1e6 + gain for gain in gains])

    def test_strategy_sees_the_same(self) -> None:
        seen: list[float] = []
        look: Command = lambda ctx: seen.append(ctx.equity_quote)  # noqa: E731 - it is said thrice
        bars = [FLAT, (100.0, 106.0, 100.0, 105.0), still(103.0)]
        script: Script = {0: (buys(qty=2.0), look), 1: (closes("L"), look), 2: (look,)}
        result = play(bars, script, ONE_LOT, ONE_PERCENT)
        assert seen == pytest.approx(result.equity_quote.tolist())
