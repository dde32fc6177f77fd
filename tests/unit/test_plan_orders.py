"""What the plan makes of entry wishes: order types, sizes, gates, time, worked by hand.

Bars are an hour long from 2025-01-01T00:00Z, a Wednesday, unless a test says otherwise; without
costs, one contract an order.
"""

import math

import pytest

from engines.costs import FREE, Costs
from engines.errors import PlanFault
from engines.klines import DAY_MS
from engines.plan import (
    Direction,
    EntryKind,
    EntryTerms,
    Exits,
    Hours,
    LevelSource,
    Market,
    Plan,
    Reentry,
    Session,
    Sizing,
    SizingKind,
)
from engines.sizing import equity_share
from engines.trades import ExitReason
from tests.unit.market import (
    Bar,
    Wishes,
    buys,
    closed,
    fills,
    klines_of,
    plan_with,
    play,
    still,
)

FLAT = still(100.0)


class TestEntryOrders:
    """A wish at the close of bar 0 becomes the plan's kind of order."""

    LIMIT = plan_with(entry=EntryTerms(EntryKind.LIMIT, offset_ratio=0.01, timeout_bars=2))
    STOP = plan_with(entry=EntryTerms(EntryKind.STOP, offset_ratio=0.01, timeout_bars=2))
    DIP: Bar = (100.0, 100.5, 98.5, 100.0)
    POP: Bar = (100.0, 101.5, 99.5, 100.0)

    def test_limit_waits_below_for_a_long_and_above_for_a_short(self) -> None:
        assert fills(play([FLAT, self.DIP], Wishes({0: 1}), self.LIMIT)) == [(1, 1.0, 99.0)]
        assert fills(play([FLAT, self.POP], Wishes({0: -1}), self.LIMIT)) == [(1, -1.0, 101.0)]

    def test_stop_waits_above_for_a_long_and_below_for_a_short(self) -> None:
        assert fills(play([FLAT, self.POP], Wishes({0: 1}), self.STOP)) == [(1, 1.0, 101.0)]
        assert fills(play([FLAT, self.DIP], Wishes({0: -1}), self.STOP)) == [(1, -1.0, 99.0)]

    def test_entry_that_has_not_filled_after_its_bars_is_cancelled(self) -> None:
        # Bars 1 and 2 are the two it waits for; the dip of bar 3 comes too late.
        assert fills(play([FLAT, FLAT, self.DIP], Wishes({0: 1}), self.LIMIT)) == [(2, 1.0, 99.0)]
        late = play([FLAT, FLAT, FLAT, self.DIP], Wishes({0: 1}), self.LIMIT)
        assert fills(late) == []
        assert late.refusals == {"entries that timed out": 1}

    def test_new_wish_takes_the_place_of_the_waiting_one(self) -> None:
        # Repriced at the close of 110: 110 x 0.99 = 108.9 fills, 99.0 must not.
        bars: list[Bar] = [FLAT, still(110.0), (110.0, 110.0, 98.0, 100.0)]
        assert fills(play(bars, Wishes({0: 1, 1: 1}), self.LIMIT)) == [(2, 1.0, 108.9)]
        opposite = play(bars, Wishes({0: 1, 1: -1}), self.LIMIT)
        assert fills(opposite) == []

    def test_bracket_works_from_the_fill_of_a_limit_on(self) -> None:
        plan = plan_with(
            entry=self.LIMIT.entry, exits=Exits(stop_loss_ratio=0.02, take_profit_ratio=0.02)
        )
        # Entry 99.0 on the way down to 96; its stop 99 x 0.98 = 97.02 -> 97.0 lies on that way.
        result = play([FLAT, (100.0, 100.0, 96.0, 97.0)], Wishes({0: 1}), plan)
        assert fills(result) == [(1, 1.0, 99.0), (1, -1.0, 97.0)]
        assert result.trades[0].exit_reason is ExitReason.STOP_LOSS


class TestSizes:
    """Quantities of an entry decided at a close of 100 with a capital of 1,000,000."""

    def qty(self, sizing: Sizing, exits: Exits | None = None, leverage: float = 1.0) -> float:
        plan = plan_with(sizing=sizing, exits=exits or Exits(), leverage=leverage)
        return play([FLAT] * 20, Wishes({17: 1}), plan, FREE).fills[0].qty

    def test_risk_loses_its_ratio_at_the_stop(self) -> None:
        # 1 % of 1,000,000 is 10,000 at a stop of 2 % of 100 = 2 a contract: 5,000 contracts.
        assert self.qty(Sizing(SizingKind.RISK, 0.01), Exits(stop_loss_ratio=0.02)) == 5_000.0

    def test_risk_takes_the_nearer_of_two_stops(self) -> None:
        # Bars that do not move have no ATR, so the ATR stop would be at 0 distance: no size.
        sizing, exits = Sizing(SizingKind.RISK, 0.01), Exits(stop_loss_ratio=0.02, stop_atr=1.0)
        result = play([FLAT] * 20, Wishes({17: 1}), plan_with(sizing=sizing, exits=exits))
        assert not result.fills
        assert result.refusals == {"entries whose size is nothing or cannot be known": 1}

    def test_risk_without_a_stop_places_nothing_and_says_so(self) -> None:
        plan = plan_with(sizing=Sizing(SizingKind.RISK, 0.01))
        result = play([FLAT] * 3, Wishes({0: 1}), plan)
        assert (result.fills, result.refusals) == (
            (),
            {"entries whose size is nothing or cannot be known": 1},
        )

    def test_stop_of_the_signal_sizes_the_risk(self) -> None:
        plan = plan_with(sizing=Sizing(SizingKind.RISK, 0.01))
        result = play([FLAT] * 3, Wishes({0: 1}, stop={0: 96.0}), plan)
        assert result.fills[0].qty == 2_500.0  # 10,000 / 4 a contract

    def test_share_is_clamped(self) -> None:
        # 1 % / 0.1 % = 10 times equity, clamped to all of it; 0.001 % / 50 % clamped to 1 %.
        assert self.qty(Sizing(SizingKind.RISK, 0.01), Exits(stop_loss_ratio=0.001)) == 10_000.0
        assert self.qty(Sizing(SizingKind.RISK, 1e-5), Exits(stop_loss_ratio=0.5)) == 100.0

    def test_volatility_spends_less_the_more_the_bars_move(self) -> None:
        # True range 2 on every bar: ATR / close = 2 %, target 0.5 %: a quarter of equity.
        bars: list[Bar] = [(100.0, 101.0, 99.0, 100.0)] * 20
        plan = plan_with(sizing=Sizing(SizingKind.VOLATILITY, 0.005))
        assert play(bars, Wishes({17: 1}), plan).fills[0].qty == 2_500.0

    def test_kelly_bets_the_least_until_it_knows_enough(self) -> None:
        sizing = Sizing(SizingKind.KELLY, 0.5, trades=4, trades_min=4, ratio_min=0.02)
        plan = plan_with(sizing=sizing)
        # Four round trips: +10 %, -5 %, +10 %, -5 %; each entry at 100.
        ups, downs = [FLAT, FLAT, still(110.0)], [FLAT, FLAT, still(95.0)]
        bars = [*ups, *downs, *ups, *downs, FLAT, FLAT]
        at = dict.fromkeys((0, 3, 6, 9, 12), 1) | dict.fromkeys((1, 4, 7, 10), 0)
        result = play(bars, Wishes(at), plan)
        # Win rate 1/2, payoff 2: Kelly 0.5 - 0.5 / 2 = 0.25, half of it 12.5 % of equity.
        equity = (
            1_000_000 * (1 + 0.02 * 0.1) * (1 - 0.02 * 0.05) * (1 + 0.02 * 0.1) * (1 - 0.02 * 0.05)
        )
        assert result.fills[0].qty == 200.0
        assert result.fills[-1].qty == pytest.approx(0.125 * equity / 100, rel=1e-4)

    def test_share_of_a_signal_takes_the_place_of_the_plan(self) -> None:
        result = play([FLAT] * 3, Wishes({0: 1}, share={0: 0.05}))
        assert result.fills[0].qty == 500.0  # 5 % of 1,000,000 at 100

    def test_unknown_volatility_is_no_size(self) -> None:
        sizing = Sizing(SizingKind.VOLATILITY, 0.01)
        assert math.isnan(equity_share(sizing, 1.0, math.nan, math.nan, ()))
        assert math.isnan(equity_share(sizing, 1.0, math.nan, 0.0, ()))


class TestReentry:
    """Wishes at every close; each position is closed by a wish."""

    def entries(self, reentry: Reentry, at: dict[int, int], bars: int = 12) -> list[int]:
        result = play([FLAT] * bars, Wishes(at), plan_with(reentry=reentry), Costs(0.001))
        return [trade.entry_bar for trade in result.trades]

    def test_delay_counts_the_bars_after_an_exit(self) -> None:
        # Out at the open of bar 2. Wishes at 2, 3 come 0 and 1 bars after it, the one at 4 two.
        at = {0: 1, 1: 0, 2: 1, 3: 1, 4: 1, 5: 1}
        assert self.entries(Reentry(), at) == [1, 3]
        assert self.entries(Reentry(delay_bars=2), at) == [1, 5]

    def test_cooldown_waits_only_after_a_loss(self) -> None:
        at = {0: 1, 1: 0, 2: 1, 3: 1, 4: 1}
        plan = plan_with(reentry=Reentry(cooldown_bars=2))
        loses = play([FLAT] * 8, Wishes(at), plan, Costs(0.001))
        assert [t.entry_bar for t in loses.trades] == [1, 5]
        wins = play([FLAT, FLAT, *[still(110.0)] * 6], Wishes(at), plan)
        assert [t.entry_bar for t in wins.trades] == [1, 3]

    def test_trades_of_a_day_start_anew_at_midnight(self) -> None:
        # Decided at the closes of 20:00 .. 02:00; a day holds two.
        at = {hour: (1 if hour % 2 else 0) for hour in range(13, 31)}
        rule = Reentry(trades_per_day_max=2)
        # Entries decided at 14:00 and 16:00 (bars 13, 15); the next day begins at the close of 23.
        assert self.entries(rule, at, 34) == [14, 16, 24, 26]

    def test_trades_of_a_week_start_anew_on_monday(self) -> None:
        # Daily bars from Wednesday 2025-01-01; the bar of Sunday closes on Monday the 6th.
        at = {day: (1 if day % 2 == 0 else 0) for day in range(12)}
        plan = plan_with(reentry=Reentry(trades_per_week_max=1))
        klines = klines_of([FLAT] * 14, interval_ms=DAY_MS)
        result = play(klines, Wishes(at), plan)
        # Decided Thursday the 2nd (bar 0); bar 4 closes on Monday the 6th; bar 12 on the 14th.
        assert [trade.entry_bar for trade in result.trades] == [1, 5]

    def test_losses_in_a_row_stop_the_day(self) -> None:
        at = {hour: (1 if hour % 2 else 0) for hour in range(1, 31)}
        found = self.entries(Reentry(losses_in_a_row_max=2), at, 34)
        # Round trips lose their fees; after two the day is over. Bar 23 closes at midnight.
        assert found == [2, 4, 24, 26]


class TestTime:
    """Bars of an hour from midnight UTC."""

    def test_position_is_closed_after_its_bars(self) -> None:
        plan = plan_with(hours=Hours(bars_held_max=3))
        result = play([FLAT] * 8, Wishes({0: 1}), plan)
        (trade,) = result.trades
        # In at bar 1; bars 1, 2, 3 are held, decided at the close of 3, out at the open of 4.
        assert (trade.entry_bar, trade.exit_bar) == (1, 4)
        assert trade.exit_reason is ExitReason.TIME_EXIT
        assert trade.exit_name == "time_exit"

    def test_session_lets_in_and_closes(self) -> None:
        plan = plan_with(hours=Hours(session=Session("08:00", "12:00")))
        result = play([FLAT] * 24, Wishes({3: 1, 8: 1, 14: 1}), plan)
        (trade,) = result.trades
        # The wish at the close of bar 8 (09:00) counts; the close of bar 11 is noon.
        assert (trade.entry_bar, trade.exit_bar) == (9, 12)
        assert trade.exit_reason is ExitReason.SESSION_CLOSE

    def test_session_cancels_entries_that_wait(self) -> None:
        plan = plan_with(
            hours=Hours(session=Session("08:00", "12:00")),
            entry=EntryTerms(EntryKind.LIMIT, offset_ratio=0.01, timeout_bars=20),
        )
        dip: Bar = (100.0, 100.0, 98.0, 100.0)
        bars = [FLAT] * 13 + [dip] + [FLAT] * 4
        result = play(bars, Wishes({8: 1}), plan)
        assert not result.fills
        assert result.refusals == {"entries that the session's end cancelled": 1}

    def test_weekend_is_left_on_friday(self) -> None:
        plan = plan_with(hours=Hours(weekend_exit_hour=20))
        # Friday is 2025-01-03: bars 48 to 71. The close of bar 67 is 20:00.
        at = {60: 1, 80: 1, 119: 1}
        result = play([FLAT] * 125, Wishes(at), plan)
        first, second = result.trades
        assert (first.entry_bar, first.exit_bar) == (61, 68)
        assert first.exit_reason is ExitReason.WEEKEND_CLOSE
        assert second.entry_bar == 120  # Sunday's last bar closes as Monday begins.

    def test_forbidden_hours_and_days_pass_wishes_over(self) -> None:
        plan = plan_with(hours=Hours(no_trade_hours=(5,), no_trade_days=(3,)))
        # Bar 4 closes at 05:00, bar 5 at 06:00; bar 30 on Thursday, day 3.
        result = play([FLAT] * 60, Wishes({4: 1}), plan)
        assert not result.trades
        assert len(play([FLAT] * 60, Wishes({5: 1}), plan).trades) == 1
        assert not play([FLAT] * 60, Wishes({30: 1}), plan).trades


class TestOnlyInProfit:
    """Wishes close a position only above its costs; stops always do."""

    PLAN = plan_with(exits=Exits(only_in_profit=True, stop_loss_ratio=0.1))

    def test_wish_at_a_loss_is_passed_over_until_it_pays(self) -> None:
        bars = [FLAT, FLAT, still(99.0), still(99.0), still(101.0), still(101.0)]
        result = play(bars, Wishes({0: 1, 2: 0, 4: 0}), self.PLAN)
        assert [trade.exit_bar for trade in result.trades] == [5]

    def test_costs_count_as_loss(self) -> None:
        # Up 0.1 is less than the two commissions of 0.1 % of 100 each.
        bars = [FLAT, FLAT, still(100.1), still(100.1)]
        result = play(bars, Wishes({0: 1, 2: 0}), self.PLAN, Costs(0.001))
        assert closed(result) == []

    def test_reversal_at_a_loss_is_passed_over(self) -> None:
        bars = [FLAT, FLAT, still(99.0), still(99.0)]
        result = play(bars, Wishes({0: 1, 2: -1}), self.PLAN)
        assert fills(result) == [(1, 1.0, 100.0)]
        assert result.refusals == {"reversals at a loss": 1}

    def test_stop_still_acts(self) -> None:
        result = play([FLAT, FLAT, (100.0, 100.0, 80.0, 85.0)], Wishes({0: 1}), self.PLAN)
        assert [trade.exit_price for trade in closed(result)] == [90.0]


class TestMarket:
    def test_spot_takes_no_shorts_and_no_leverage(self) -> None:
        with pytest.raises(PlanFault, match="market and direction"):
            Plan(market=Market.SPOT)
        with pytest.raises(PlanFault, match="market and leverage"):
            Plan(market=Market.SPOT, direction=Direction.LONG, leverage=2.0)
        plan = plan_with(market=Market.SPOT, direction=Direction.LONG)
        result = play([FLAT] * 4, Wishes({0: 1, 1: -1}), plan)
        assert [row[1] for row in fills(result)] == [1.0, -1.0]

    def test_settings_for_signals_are_refused_where_a_strategy_places_its_own_orders(self) -> None:
        for change in (
            {"exits": Exits(stop_loss_ratio=0.1)},
            {"hours": Hours(bars_held_max=3)},
            {"reentry": Reentry(delay_bars=1)},
            {"entry": EntryTerms(EntryKind.LIMIT)},
        ):
            with pytest.raises(PlanFault, match=f"{next(iter(change))} and strategy Scripted"):
                play([FLAT] * 3, {0: buys()}, plan_with(**change))


class TestLevels:
    """Whose stop holds: a long of 100.0 falls to 95.5; the strategy says 96.0, the plan 98.0."""

    FALL: Bar = (100.0, 100.1, 95.5, 96.5)
    WISH = Wishes({0: 1}, stop={0: 96.0})

    @pytest.mark.parametrize(
        ("levels", "price"), [(LevelSource.STRATEGY, 96.0), (LevelSource.PLAN, 98.0)]
    )
    def test_plan_leaves_the_levels_of_the_strategy_out_only_where_told(
        self, levels: LevelSource, price: float
    ) -> None:
        plan = plan_with(exits=Exits(stop_loss_ratio=0.02, levels=levels))
        result = play([FLAT, FLAT, self.FALL], self.WISH, plan)
        assert [trade.exit_price for trade in closed(result)] == [price]

    def test_plan_without_levels_of_its_own_has_none_then(self) -> None:
        plan = plan_with(exits=Exits(levels=LevelSource.PLAN))
        assert not closed(play([FLAT, FLAT, self.FALL], self.WISH, plan))
