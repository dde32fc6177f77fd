"""What a plan may open with the money it has, and what it can lose, worked by hand.

Bars of an hour, without costs. Wishes are by bar: +1 long, -1 short, 0 out.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engines.costs import Costs
from engines.errors import PlanFault
from engines.klines import Klines
from engines.margin import MarginTier
from engines.metrics.measure import measure
from engines.plan import (
    CustomLadder,
    Direction,
    EntryKind,
    EntryTerms,
    Exits,
    MarginMode,
    Market,
    PositionMode,
    Rung,
    Sizing,
    SizingKind,
)
from engines.trades import ExitReason
from tests.unit.market import (
    TENTHS,
    Bar,
    Script,
    Wishes,
    buys,
    closes,
    fills,
    klines_of,
    plan_with,
    play,
    sells,
    still,
)
from tests.unit.test_funding import at_hours

FLAT = still(100.0)
LEVERED = replace(TENTHS, margin_tiers=(MarginTier(1e9, 0.005, leverage_max=100.0),))
COULD_NOT_PAY = "orders that the account could not pay"
SPOT: dict[str, Any] = {"market": Market.SPOT, "direction": Direction.LONG}


def limit(offset_ratio: float) -> EntryTerms:
    """Return entries that wait so far behind the close, up to five bars."""
    return EntryTerms(EntryKind.LIMIT, offset_ratio, 5)


def share(ratio: float) -> Sizing:
    """Return a share of equity."""
    return Sizing(SizingKind.EQUITY_RATIO, ratio)


def lots(qty: float) -> Sizing:
    """Return a fixed quantity."""
    return Sizing(SizingKind.QTY, qty)


class TestEntriesInsideABar:
    DOWN: tuple[Bar, ...] = (FLAT, (100.0, 100.0, 99.0, 99.0), (99.0, 99.0, 98.0, 98.0))

    @pytest.mark.parametrize(("ratio", "entered"), [(0.4, 2), (0.6, 1)])
    def test_leverage_carries_the_whole_position(self, ratio: float, entered: int) -> None:
        plan = plan_with(
            capital_quote=1_000.0, leverage=5.0, sizing=share(ratio), pyramiding=9,
            entry=limit(0.01),
        )  # fmt: skip # one plan
        result = play(self.DOWN, Wishes({0: 1, 1: 1}), plan, instrument=LEVERED)
        # At 98, after 0.6 x 5000 / 99 = 30.303: margin of 60.915 is 1193.9, equity 969.7.
        # After 0.4 x 5000 / 99 = 20.202: margin of 40.610 is 796.0, equity 979.8.
        assert [row[0] for row in fills(result)] == [1, 2][:entered]
        assert result.refusals.get(COULD_NOT_PAY, 0) == 2 - entered

    def test_plan_without_leverage_is_judged_too(self) -> None:
        plan = plan_with(capital_quote=100.0, pyramiding=2, entry=limit(0.01))
        result = play(self.DOWN, Wishes({0: 1, 1: 1}), plan)
        assert fills(result) == [(1, 1.0, 99.0)]
        assert result.refusals == {COULD_NOT_PAY: 1}

    @pytest.mark.parametrize("terms", [{}, SPOT, {"leverage": 5.0}])
    def test_all_of_the_equity_may_wait_at_a_better_price(self, terms: dict[str, Any]) -> None:
        plan = plan_with(capital_quote=990.0, sizing=share(1.0), entry=limit(0.01), **terms)
        result = play(self.DOWN, Wishes({0: 1}), plan, instrument=LEVERED)
        assert fills(result) == [(1, 10.0 * plan.leverage, 99.0)]

    def test_order_strategy_keeps_the_rules_of_tradingview(self) -> None:
        script = {0: buys("A", limit=99.0), 1: buys("B", limit=98.0)}
        result = play(self.DOWN, script, plan_with(capital_quote=100.0, pyramiding=2))
        assert fills(result)[:2] == [(1, 1.0, 99.0), (2, 1.0, 98.0)]
        assert result.trades[0].exit_reason is ExitReason.MARGIN_CALL

    @pytest.mark.parametrize(("qty", "entered"), [(4.0, 2), (6.0, 1)])
    @pytest.mark.parametrize(
        "terms",
        [
            {"leverage": 5.0, "capital_quote": 100.0},
            {"leverage": 5.0, "capital_quote": 100.0, "margin_mode": MarginMode.CROSS},
            {"position_mode": PositionMode.HEDGE, "capital_quote": 500.0},
            {"capital_quote": 500.0, **SPOT},
        ],
    )
    def test_rungs_are_judged_with_what_is_held(
        self, terms: dict[str, Any], qty: float, entered: int
    ) -> None:
        # At 99: 6 x 99 = 594 on an equity of 5 x 97 or 497; 4 x 99 = 396 on 5 x 98 or 498.
        ladder = CustomLadder(rungs=(Rung(0.0, 0.5), Rung(0.01, 0.5)))
        plan = plan_with(sizing=lots(qty), ladder=ladder, **terms)
        bars: list[Bar] = [FLAT, FLAT, (100.0, 100.0, 99.0, 99.0), still(99.0)]
        result = play(bars, Wishes({0: 1}), plan, instrument=LEVERED)
        assert fills(result) == [(1, qty / 2, 100.0), (2, qty / 2, 99.0)][:entered]
        assert result.refusals.get(COULD_NOT_PAY, 0) == 2 - entered

    @pytest.mark.parametrize(("capital_quote", "entered"), [(150.0, 1), (200.0, 2)])
    def test_hedge_needs_the_margin_of_both_sides(self, capital_quote: float, entered: int) -> None:
        plan = plan_with(
            capital_quote=capital_quote, position_mode=PositionMode.HEDGE, entry=limit(0.02)
        )
        bars: list[Bar] = [FLAT, (100.0, 100.0, 98.0, 98.0), (98.0, 100.0, 98.0, 100.0)]
        # Long at 98; at 100 the short needs 100 beside 100 of an equity two above the capital.
        result = play(bars, Wishes({0: 1, 1: -1}), plan)
        assert fills(result) == [(1, 1.0, 98.0), (2, -1.0, 100.0)][:entered]

    @pytest.mark.parametrize(
        ("margin_mode", "entered"), [(MarginMode.ISOLATED, 1), (MarginMode.CROSS, 2)]
    )
    def test_paper_profit_is_no_isolated_margin(
        self, margin_mode: MarginMode, entered: int
    ) -> None:
        # 4 at 100, then 5 at 150: 9 x 150 / 5 = 270 of an equity of 300. But isolated, the two can
        # lose (400 + 750) / 5 = 230, more than the 100 there are.
        plan = plan_with(capital_quote=100.0, leverage=5.0, pyramiding=2, margin_mode=margin_mode)
        wishes = Wishes({0: 1, 2: 1}, size={0: 4.0, 2: 5.0})
        result = play([FLAT, FLAT, still(150.0), still(150.0)], wishes, plan, instrument=LEVERED)
        assert len(result.fills) == entered


class TestReversals:
    PLAN = plan_with(entry=limit(0.02), exits=Exits(stop_loss_ratio=0.02))

    def test_one_that_waited_opens_its_size_after_the_stop_has_closed_the_position(self) -> None:
        bars: list[Bar] = [
            FLAT, FLAT, (100.0, 100.0, 97.0, 100.0), FLAT, (100.0, 100.0, 95.0, 95.0),
            (95.0, 103.0, 95.0, 103.0),
        ]  # fmt: skip # one bar after the other
        result = play(bars, Wishes({1: 1, 3: -1}), self.PLAN)
        # Long at 98, stopped at 98 x 0.98 = 96.04, down to 96.0; short at 102 of one lot, not two.
        assert fills(result)[:3] == [(2, 1.0, 98.0), (4, -1.0, 96.0), (5, -1.0, 102.0)]

    def test_one_that_waited_reverses_what_is_held_when_it_fills(self) -> None:
        bars: list[Bar] = [
            FLAT, FLAT, (100.0, 100.0, 97.0, 100.0), FLAT, (100.0, 102.0, 100.0, 102.0),
        ]  # fmt: skip # one bar after the other
        result = play(bars, Wishes({1: 1, 3: -1}), self.PLAN)
        assert fills(result) == [(2, 1.0, 98.0), (4, -2.0, 102.0)]
        assert result.trades[0].exit_reason is ExitReason.REVERSAL

    def test_order_strategy_fixes_its_flip_when_it_is_issued(self) -> None:
        bars = [FLAT, FLAT, FLAT, (100.0, 102.0, 100.0, 102.0)]
        script: Script = {0: buys(), 1: (sells(limit=102.0), closes("L"))}
        assert fills(play(bars, script)) == [(1, 1.0, 100.0), (2, -1.0, 100.0), (3, -2.0, 102.0)]

    def test_one_that_is_refused_leaves_the_exits_of_what_is_held(self) -> None:
        # 1.5 at an open of 102 is 153 of 150; the stop of the long at 95 still stands.
        plan = plan_with(capital_quote=150.0, exits=Exits(stop_loss_ratio=0.05))
        bars: list[Bar] = [FLAT, FLAT, still(102.0), (102.0, 102.0, 94.0, 94.0)]
        wishes = Wishes({0: 1, 1: -1}, size={0: 1.0, 1: 1.5})
        result = play(bars, wishes, plan)
        assert fills(result) == [(1, 1.0, 100.0), (3, -1.0, 95.0)]
        assert result.refusals == {COULD_NOT_PAY: 1}


class TestLosses:
    def test_leverage_needs_tiers(self) -> None:
        with pytest.raises(PlanFault, match="leverage and margin_tiers"):
            play([FLAT] * 2, Wishes({0: 1}), plan_with(leverage=2.0))

    @pytest.mark.parametrize(
        ("marks", "price", "reason"),
        [(None, 90.0, ExitReason.LIQUIDATION), ([FLAT] * 5, 80.0, ExitReason.SIGNAL)],
    )
    def test_margin_is_all_that_a_liquidation_takes_but_an_order_may_lose_more(
        self, marks: list[Bar] | None, price: float, reason: ExitReason
    ) -> None:
        # The last price opens at 80, beyond the bankruptcy price of 90; the mark price stays.
        bars = [FLAT, FLAT, FLAT, still(80.0), still(80.0)]
        mark = None if marks is None else klines_of(marks)
        plan = plan_with(leverage=10.0)
        result = play(bars, Wishes({0: 1, 2: 0}), plan, instrument=LEVERED, mark=mark)
        trade = result.trades[0]
        assert (trade.exit_bar, trade.exit_price, trade.exit_reason) == (3, price, reason)

    def test_entry_inside_a_bar_is_liquidated_on_the_same_way_down(self) -> None:
        # 100 + 5 (p - 99) = 0.005 x 5 p at p = 79.397, down to 79.3; the bar goes on to 60.
        plan = plan_with(
            capital_quote=100.0, leverage=10.0, margin_mode=MarginMode.CROSS, sizing=lots(5.0),
            entry=limit(0.01), exits=Exits(stop_loss_ratio=0.3),
        )  # fmt: skip # one plan
        bars: list[Bar] = [FLAT, (100.0, 100.0, 60.0, 60.0), still(60.0)]
        result = play(bars, Wishes({0: 1}), plan, instrument=LEVERED)
        assert fills(result) == [(1, 5.0, 99.0), (1, -5.0, 79.3)]
        assert result.trades[0].exit_reason is ExitReason.LIQUIDATION

    @pytest.mark.parametrize(
        "terms",
        [
            {"leverage": 5.0},
            {"leverage": 20.0, "process_on_close": True},
            {"leverage": 20.0, "position_mode": PositionMode.HEDGE},
            {"position_mode": PositionMode.HEDGE},
            SPOT,
        ],
    )
    @pytest.mark.parametrize("kind", list(EntryKind))
    def test_account_never_owes(self, terms: dict[str, Any], kind: EntryKind) -> None:
        entered = 0
        for seed in range(12):
            rng = np.random.default_rng(seed)
            wishes = Wishes({bar: int(rng.integers(-1, 2)) for bar in range(0, 80, 2)})
            plan = plan_with(
                capital_quote=1_000.0, sizing=share(float(rng.choice((0.3, 0.6, 1.0)))),
                pyramiding=int(rng.integers(1, 7)), entry=EntryTerms(kind, 0.02, 5), **terms,
            )  # fmt: skip # one plan
            result = play(_wild(rng), wishes, plan, instrument=LEVERED)
            entered += len(result.fills)
            assert result.equity_quote.min() > -1e-6, f"seed {seed}"
        assert entered > 100


class TestDrawdownsOfResults:
    """What a trade pays beside its price belongs to its worst point, and to its best."""

    def test_funding_paid_is_a_drawdown(self) -> None:
        plan = plan_with(capital_quote=200.0)
        result = play([FLAT] * 7, Wishes({0: 1, 5: 0}), plan, funding=at_hours(2, 3, 4))
        values = measure(result)
        assert values["drawdown_quote_max"] == pytest.approx(3.0)
        assert values["drawdown_closed_quote_max"] == pytest.approx(3.0)
        assert values["drawdown_ratio_max"] == pytest.approx(0.015)
        assert values["return_on_drawdown"] == pytest.approx(-1.0)
        assert values["calmar"] < 0

    def test_funding_received_is_a_run_up(self) -> None:
        plan = plan_with(capital_quote=200.0)
        result = play([FLAT] * 7, Wishes({0: -1, 5: 0}), plan, funding=at_hours(2, 3, 4))
        values = measure(result)
        assert values["run_up_quote_max"] == pytest.approx(3.0)
        assert values["drawdown_quote_max"] == 0.0

    def test_commission_of_the_exit_is_a_drawdown(self) -> None:
        plan = plan_with(capital_quote=200.0)
        result = play([FLAT] * 4, Wishes({0: 1, 1: 0}), plan, Costs(commission=0.01))
        assert measure(result)["drawdown_quote_max"] == pytest.approx(2.0)


def _wild(rng: np.random.Generator, bars: int = 80) -> Klines:
    """Return bars that move by 5 % and now and then open far away."""
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.05, bars)))
    opens = np.r_[100.0, close[:-1]] * np.exp(rng.normal(0, 0.05, bars) * (rng.random(bars) < 0.3))
    reach = np.exp(np.abs(rng.normal(0, 0.03, (2, bars))))
    high, low = np.maximum(opens, close) * reach[0], np.minimum(opens, close) / reach[1]
    rows = np.round(np.column_stack((opens, high, low, close)), 1).tolist()
    return klines_of([(row[0], row[1], row[2], row[3]) for row in rows])
