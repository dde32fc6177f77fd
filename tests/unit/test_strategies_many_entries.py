"""The two that enter many times, dca and grid_trading, by hand: wishes, sizes and their plans."""

from dataclasses import replace

import numpy as np
import pytest

from engines.errors import ParameterFault, PlanFault
from engines.klines import Klines
from engines.plan import (
    Basis,
    CloseRule,
    DcaLadder,
    Direction,
    Exits,
    Plan,
    Sizing,
    SizingKind,
    Target,
)
from strategies.dca import Dca
from strategies.grid_trading import GridTrading


def klines(close: list[float], reach: float = 0.4) -> Klines:
    """Return bars that open at their close and reach as far up as down."""
    prices = np.array(close)
    return Klines(
        symbol="HAND",
        interval_ms=60_000,
        open_time_ms=60_000 * np.arange(len(close), dtype=np.int64),
        open=prices,
        high=prices + reach,
        low=prices - reach,
        close=prices,
        volume=np.ones(len(close)),
    )


Wish = tuple[int, int, float, float]

# Levels 90, 92, ... 110.
FIXED = GridTrading(lower=90.0, upper=110.0, grids=10)


def traded(strategy: GridTrading, close: list[float], reach: float = 0.4) -> list[Wish]:
    """Return (bar, side, stop, target) of each wish."""
    wishes = strategy.signals(klines(close, reach))
    assert wishes.stop_price is not None
    assert wishes.target_price is not None
    found: list[Wish] = []
    for bar in np.flatnonzero(wishes.entry_long | wishes.entry_short).tolist():
        side = 1 if wishes.entry_long[bar] else -1
        levels = float(wishes.stop_price[bar]), float(wishes.target_price[bar])
        found.append((bar, side, *levels))
    return found


def test_a_level_that_the_close_falls_to_below_the_start_buys() -> None:
    assert traded(FIXED, [100.0, 98.0]) == [(1, 1, 90.0, 100.0)]
    assert traded(FIXED, [100.0, 98.1]) == []


def test_a_level_that_the_close_rises_to_above_the_start_sells() -> None:
    assert traded(FIXED, [100.0, 102.5]) == [(1, -1, 110.0, 100.0)]


def test_levels_on_the_other_side_of_the_start_do_nothing() -> None:
    """Rising below the start and falling above it are the way to a target, not an order."""
    start_far_up = [105.0, 93.0, 103.0]
    assert traded(FIXED, start_far_up) == [(1, 1, 90.0, 96.0)]


def test_a_close_through_several_levels_gives_one_order_at_the_farthest() -> None:
    assert traded(FIXED, [100.0, 93.5]) == [(1, 1, 90.0, 96.0)]


def test_a_level_is_free_again_only_once_its_target_or_stop_was_reached() -> None:
    back_and_forth = [100.0, 97.0, 99.0, 97.0]
    assert traded(FIXED, back_and_forth) == [(1, 1, 90.0, 100.0)]
    target_reached = [100.0, 97.0, 99.7, 97.0]  # The high of the third bar is 100.1.
    assert [wish[0] for wish in traded(FIXED, target_reached)] == [1, 3]
    stop_reached = [100.0, 97.0, 90.3, 99.0, 97.0]  # A low of 89.9; 90.3 buys at 92.
    assert [wish[0] for wish in traded(FIXED, stop_reached)] == [1, 2, 4]


def test_nothing_is_traded_outside_fixed_bounds() -> None:
    assert traded(FIXED, [100.0, 89.0, 88.0]) == []
    assert traded(FIXED, [120.0, 118.0, 112.0]) == []


def test_the_first_close_inside_fixed_bounds_is_the_start() -> None:
    assert traded(FIXED, [120.0, 96.5, 95.5]) == [(2, 1, 90.0, 98.0)]


def test_without_a_target_per_grid_all_close_at_the_start_price() -> None:
    strategy = replace(FIXED, target_per_grid=False)
    assert traded(strategy, [100.0, 93.5]) == [(1, 1, 90.0, 100.0)]


def test_an_automatic_grid_starts_at_a_close_and_again_around_the_close_that_left_it() -> None:
    """True ranges are 2, so the first grid is 100 -/+ 6 in steps of 1.2."""
    strategy = GridTrading(atr_period=7)
    close = [*[100.0] * 7, 98.5]
    ((bar, side, stop, target),) = traded(strategy, close, reach=1.0)
    assert (bar, side) == (7, 1)
    np.testing.assert_allclose((stop, target), (94.0, 100.0))
    # 93 leaves the grid; the true range of that bar is 6.5, and the new grid lies around 93.
    left = strategy.signals(klines([*close, 93.0, 91.0], reach=1.0))
    assert np.flatnonzero(left.entry_long).tolist() == [7, 9]
    assert left.stop_price is not None
    average = ((2.0 * 6 + 2.5) / 7 * 6 + 6.5) / 7
    np.testing.assert_allclose(left.stop_price[9], 93.0 - 3.0 * average)


def test_a_market_without_movement_or_a_range_larger_than_price_starts_no_grid() -> None:
    assert traded(GridTrading(), [100.0] * 40, reach=0.0) == []
    assert traded(GridTrading(), [10.0, 9.0] * 20, reach=8.9) == []


@pytest.mark.parametrize("edges", [(1.0, 0.0), (0.0, 1.0), (5.0, 5.0), (6.0, 5.0)])
def test_edges_that_make_no_grid_are_refused(edges: tuple[float, float]) -> None:
    with pytest.raises(ParameterFault, match="lower and upper"):
        GridTrading(lower=edges[0], upper=edges[1])


def test_the_grids_plan_has_room_for_its_orders_and_closes_each_by_its_own_target() -> None:
    plan = GridTrading(max_open=7).plan(Plan(capital_quote=5_000.0))
    size = Sizing(SizingKind.EQUITY_RATIO, 0.01)
    assert plan == Plan(capital_quote=5_000.0, sizing=size, pyramiding=7, close_rule=CloseRule.ANY)


def test_dca_buys_at_its_times_once_the_high_is_known() -> None:
    wishes = Dca(interval=24, rsi_filter=False).signals(klines([100.0] * 150))
    assert np.flatnonzero(wishes.entry_long).tolist() == [72, 96, 120, 144]
    assert Dca(interval=24, rsi_filter=False).min_bars() == 73


def test_dca_buys_more_on_a_dip() -> None:
    strategy = Dca(interval=24, rsi_filter=False, base_pct=1.0, dip_multiplier=3.0)
    close = [100.0] * 73 + [95.3] * 47 + [100.0]  # Highs 100.4; 5 % below it is 95.38.
    wishes = strategy.signals(klines(close))
    assert wishes.equity_ratio is not None
    np.testing.assert_allclose(wishes.equity_ratio[[72, 96, 120]], [0.01, 0.03, 0.01])
    assert np.isnan(wishes.equity_ratio[73])


def test_dca_waits_while_rsi_is_above_its_limit() -> None:
    rising, falling = np.linspace(100, 110, 97).tolist(), np.linspace(110, 100, 97).tolist()
    assert not Dca().signals(klines(rising)).entry_long.any()
    assert np.flatnonzero(Dca().signals(klines(falling)).entry_long).tolist() == [72, 96]


def test_the_plan_of_dca_is_long_with_one_target_above_the_average() -> None:
    plan = Dca(max_positions=12, take_profit_pct=15.0).plan(Plan())
    exits = Exits(basis=Basis.AVERAGE, take_profit_ratio=0.15)
    size = Sizing(SizingKind.EQUITY_RATIO, 0.01)
    assert plan == Plan(direction=Direction.LONG, sizing=size, pyramiding=12, exits=exits)


def test_the_plan_of_dca_takes_the_place_of_other_targets_and_keeps_a_users_stop() -> None:
    targets = (Target(0.01, 0.5), Target(0.02, 0.5))
    plan = Dca().plan(Plan(exits=Exits(stop_loss_ratio=0.3, targets=targets)))
    assert plan.exits == Exits(stop_loss_ratio=0.3, basis=Basis.AVERAGE, take_profit_ratio=0.1)


def test_a_plan_of_shorts_only_contradicts_dca() -> None:
    with pytest.raises(PlanFault, match="long or both, as dca only buys"):
        Dca().plan(Plan(direction=Direction.SHORT))


@pytest.mark.parametrize("strategy", [Dca(), GridTrading()])
def test_strategies_of_many_entries_refuse_a_ladder_beside_their_own(
    strategy: Dca | GridTrading,
) -> None:
    with pytest.raises(PlanFault, match="ladder: expected none"):
        strategy.plan(Plan(ladder=DcaLadder()))
