"""Funding: who pays what at which bar, and where it shows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from engines.costs import Costs
from engines.errors import PlanFault
from engines.funding import Funding, constant_funding
from engines.klines import HOUR_MS, Klines
from engines.plan import Direction, Market, Plan, Sizing, SizingKind
from tests.unit.market import (
    ONE_LOT,
    START_MS,
    TENTHS,
    Script,
    buys,
    closes,
    exits,
    klines_of,
    plan_with,
    play,
    sells,
    still,
)

FLAT = still(100.0)
PERCENT = 0.01


def at_hours(*hours: float, rate: float | Sequence[float] = PERCENT) -> Funding:
    """Return settlements so many hours after the first bar's open."""
    times = np.array([START_MS + round(hour * HOUR_MS) for hour in hours], dtype=np.int64)
    return Funding(times, np.zeros(len(times)) + np.asarray(rate, dtype=np.float64))


class TestWhoPays:
    def test_positive_rate_is_paid_by_longs_and_received_by_shorts(self) -> None:
        bars = [FLAT, FLAT, still(110.0), still(110.0)]
        for entry, sign in ((buys(qty=2.0), 1), (sells(qty=2.0), -1)):
            result = play(bars, {0: entry}, funding=at_hours(2))
            (payment,) = result.payments
            # 2 contracts at the open of bar 2, 110, at 1 %.
            assert payment.paid_quote == pytest.approx(sign * 2.2)
            assert (payment.bar_index, payment.mark_price) == (2, 110.0)
            assert payment.signed_qty == sign * 2.0
            assert result.trades[0].funding_quote == pytest.approx(sign * 2.2)
            # The price gained 10 on 2 contracts for the long, lost it for the short.
            assert result.trades[0].pnl_quote == pytest.approx(sign * (20.0 - 2.2))

    def test_no_position_pays_nothing(self) -> None:
        result = play([FLAT] * 4, {}, funding=at_hours(0, 1, 2, 3))
        assert result.payments == ()

    def test_point_value_and_currency_rate_scale_the_payment(self) -> None:
        instrument = replace(TENTHS, point_value=10.0)
        rates = np.array([1.0, 1.0, 0.5, 0.5])
        result = play(
            [FLAT] * 4, {0: buys()}, instrument=instrument, rates=rates, funding=at_hours(2)
        )
        # 1 contract x 10 x 100 x 1 % is 10 quote, 5 of the account's currency at that bar.
        assert result.payments[0].paid_quote == pytest.approx(5.0)

    def test_spot_with_funding_names_both(self) -> None:
        plan = plan_with(market=Market.SPOT, direction=Direction.LONG)
        with pytest.raises(PlanFault, match="market and funding: expected spot without funding"):
            play([FLAT] * 2, {}, plan, funding=at_hours(1))


class TestWhen:
    def test_settlement_at_an_open_is_charged_before_that_open_fills(self) -> None:
        # Decided at bar 0, filled at the open of bar 1: the settlement at that very time is not
        # the buyer's. Closed at the open of bar 3: the settlement there is still the holder's.
        script: Script = {0: buys(), 2: closes("L")}
        result = play([FLAT] * 5, script, funding=at_hours(1, 3, 4))
        assert [payment.bar_index for payment in result.payments] == [3]
        assert result.trades[0].funding_quote == pytest.approx(1.0)

    def test_settlement_inside_a_bar_is_charged_after_the_fills_of_its_open(self) -> None:
        script: Script = {0: buys(), 2: closes("L")}
        result = play([FLAT] * 5, script, funding=at_hours(1.5, 3.5))
        assert [payment.bar_index for payment in result.payments] == [1]

    def test_entry_at_the_close_holds_at_the_next_open(self) -> None:
        plan = plan_with(process_on_close=True)
        result = play([FLAT] * 3, {0: buys()}, plan, funding=at_hours(1))
        assert result.fills[0].bar_index == 0
        assert [payment.bar_index for payment in result.payments] == [1]

    def test_settlement_in_a_gap_is_charged_at_the_next_bar(self) -> None:
        klines = klines_of([FLAT] * 6)
        rows, price = [0, 1, 4, 5], np.full(4, 100.0)
        gapped = Klines(
            klines.symbol, HOUR_MS, klines.open_time_ms[rows], open=price, high=price, low=price,
            close=price, volume=np.ones(4),
        )  # fmt: skip # four of six bars
        result = play(gapped, {0: buys()}, funding=at_hours(2.5))
        assert [payment.bar_index for payment in result.payments] == [2]

    def test_settlements_outside_the_bars_concern_nobody(self) -> None:
        result = play([FLAT] * 3, {0: buys()}, funding=at_hours(-1, 3, 7))
        assert result.payments == ()

    def test_two_settlements_in_one_bar_are_two_payments(self) -> None:
        result = play([FLAT] * 3, {0: buys()}, funding=at_hours(2, 2.5, rate=(0.01, -0.02)))
        assert [p.paid_quote for p in result.payments] == pytest.approx([1.0, -2.0])
        assert result.trades[0].funding_quote == pytest.approx(-1.0)

    def test_many_quiet_bars_between_settlements_are_not_missed(self) -> None:
        bars = 200
        funding = at_hours(*range(8, bars, 8))
        result = play([FLAT] * bars, {0: buys()}, funding=funding)
        assert [payment.bar_index for payment in result.payments] == list(range(8, bars, 8))


class TestMarkPrice:
    def mark(self, prices: Sequence[float], interval_ms: int = HOUR_MS) -> Klines:
        return klines_of([(p, p + 1, p - 1, p + 0.5) for p in prices], interval_ms)

    def test_open_of_the_mark_bar_at_the_settlement_counts(self) -> None:
        result = play(
            [FLAT] * 4, {0: buys()}, funding=at_hours(2), mark=self.mark([90.0, 91.0, 92.0])
        )
        assert result.payments[0].mark_price == 92.0

    def test_close_before_it_counts_if_no_older_than_an_interval(self) -> None:
        # The mark bars end at hour 2, their last close is 91.5.
        mark = self.mark([90.0, 91.0])
        result = play([FLAT] * 5, {0: buys()}, funding=at_hours(2, 3, 4), mark=mark)
        # At hour 4 the close is two hours old: the traded bar's open, 100, is used.
        assert [p.mark_price for p in result.payments] == [91.5, 91.5, 100.0]

    def test_mark_of_a_longer_interval_is_read_at_its_open(self) -> None:
        mark = self.mark([90.0, 80.0], interval_ms=2 * HOUR_MS)
        result = play([FLAT] * 5, {0: buys()}, funding=at_hours(2), mark=mark)
        assert result.payments[0].mark_price == 80.0


class TestWhereItShows:
    def test_partial_closes_share_it_by_quantity(self) -> None:
        # Two contracts pay 2 before the first is closed; the other pays 1 more.
        script: Script = {0: buys(qty=2.0), 2: closes("L", qty=1.0), 4: closes("L")}
        result = play([FLAT] * 7, script, funding=at_hours(2, 4))
        assert [trade.funding_quote for trade in result.trades] == pytest.approx([1.0, 2.0])
        assert [trade.pnl_quote for trade in result.trades] == pytest.approx([-1.0, -2.0])

    def test_lots_share_it_by_quantity(self) -> None:
        plan = replace(ONE_LOT, pyramiding=2)
        script: Script = {0: buys("A", qty=3.0), 1: buys("B", qty=1.0)}
        result = play([FLAT] * 4, script, plan, funding=at_hours(3))
        assert [trade.funding_quote for trade in result.trades] == pytest.approx([3.0, 1.0])

    def test_equity_shows_it_at_its_bar_and_once(self) -> None:
        script: Script = {0: buys(), 3: closes("L")}
        result = play([FLAT] * 6, script, funding=at_hours(2, 3))
        lost = result.equity_quote - ONE_LOT.capital_quote
        assert lost.tolist() == pytest.approx([0.0, 0.0, -1.0, -2.0, -2.0, -2.0])

    def test_cumulative_is_net_of_what_open_lots_have_paid(self) -> None:
        script: Script = {0: buys(qty=2.0), 2: closes("L", qty=1.0)}
        result = play([FLAT] * 5, script, funding=at_hours(2))
        first, rest = result.trades
        # The closed one paid 1; the open one has paid 1 as well.
        assert (first.cumulative_quote, rest.cumulative_quote) == pytest.approx((-2.0, -2.0))

    def test_excursions_are_of_the_price_alone(self) -> None:
        bars = [FLAT, FLAT, (100.0, 103.0, 98.0, 100.0), FLAT, FLAT]
        costs = Costs(commission=0.001)
        (trade,) = play(
            bars, {0: buys(), 3: closes("L")}, costs=costs, funding=at_hours(2, 3)
        ).trades
        # Entry commission 0.1: 3 up less 0.1, 2 down and 0.1.
        assert (trade.mfe_quote, trade.mae_quote) == pytest.approx((2.9, 2.1))

    def test_equity_after_it_sizes_the_next_entry(self) -> None:
        plan = Plan(capital_quote=1_000.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.5))
        script: Script = {0: buys("A"), 2: closes("A"), 3: buys("B")}
        free = Costs(commission=0.0)
        result = play([FLAT] * 6, script, plan, free, funding=at_hours(2))
        # 5 contracts pay 5; half of the 995 left buys 4.975.
        assert [fill.qty for fill in result.fills] == pytest.approx([5.0, 5.0, 4.975])


class TestInTheSameBar:
    def test_funding_comes_before_the_exit_at_the_same_open(self) -> None:
        bars = [FLAT, FLAT, FLAT, (90.0, 90.0, 90.0, 90.0), FLAT]
        script: Script = {0: (buys(), exits("X", "L", stop=95.0))}
        (trade,) = play(bars, script, funding=at_hours(3)).trades
        # The open of 90 is beyond the stop: it settles first, at 90, then fills at 90.
        assert (trade.exit_bar, trade.exit_price) == (3, 90.0)
        assert trade.funding_quote == pytest.approx(0.9)
        assert trade.pnl_quote == pytest.approx(-10.9)

    def test_reversal_pays_for_the_old_side_only(self) -> None:
        script: Script = {0: buys(), 1: sells()}
        result = play([FLAT] * 4, script, funding=at_hours(2))
        assert [trade.funding_quote for trade in result.trades] == pytest.approx([1.0, 0.0])

    def test_payment_can_call_margin(self) -> None:
        # All of 100 in one contract at 100; paying 1 leaves 99 against a margin of 100.
        plan = plan_with(capital_quote=100.0)
        result = play([FLAT] * 4, {0: buys()}, plan, funding=at_hours(2))
        assert [fill.name for fill in result.fills] == ["L", "Margin call"]
        assert result.fills[1].bar_index == 2


class TestHistory:
    def test_constant_rate_settles_from_midnight_on(self) -> None:
        klines = klines_of([FLAT] * 24, start_ms=START_MS + 3 * HOUR_MS)
        for hours, expected in ((8, [8, 16, 24]), (4, [4, 8, 12, 16, 20, 24]), (1, range(3, 28))):
            funding = constant_funding(0.0001, hours, klines)
            found = ((funding.time_ms - START_MS) / HOUR_MS).tolist()
            assert found == list(expected)
            assert (funding.rate == 0.0001).all()

    def test_between_keeps_the_start_and_not_the_stop(self) -> None:
        funding = at_hours(0, 8, 16, 24, rate=(0.1, 0.2, 0.3, 0.4))
        part = funding.between(START_MS + 8 * HOUR_MS, START_MS + 24 * HOUR_MS)
        assert part.rate.tolist() == [0.2, 0.3]

    @pytest.mark.parametrize(
        ("times", "rates", "message"),
        [
            ([2, 1], [0.1, 0.1], "funding 1: expected a time after"),
            ([1, 1], [0.1, 0.1], "funding 1: expected a time after"),
            ([1, 2], [0.1, np.nan], "funding rate at 1970-01-01"),
            ([1, 2], [0.1, -1.0], "a ratio between -1 and 1, found -1.0"),
            ([1, 2], [0.1], "as many whole times as rates"),
        ],
    )
    def test_wrong_history_names_the_first_wrong_one(
        self, times: list[int], rates: list[float], message: str
    ) -> None:
        with pytest.raises(PlanFault, match=message):
            Funding(np.array(times, dtype=np.int64), np.array(rates, dtype=np.float64))

    @pytest.mark.parametrize("hours", [0, 2, 24])
    def test_interval_is_one_that_venues_use(self, hours: int) -> None:
        with pytest.raises(PlanFault, match="interval_hours: expected 1, 4 or 8"):
            constant_funding(0.0001, hours, klines_of([FLAT]))
