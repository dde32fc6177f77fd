"""Trailing stops whose distances are ratios of the base price or quote.

Unless said otherwise a long of 100.0 arms at a gain of 2 % (102.0) and follows at 1 % of 100.0
(1.0, ten ticks). Every case is played for a short on mirrored bars too.
"""

import math

import pytest

from engines.errors import OrderFault
from engines.trades import ExitReason
from tests.unit.market import Bar, still
from tests.unit.mirror import BOTH_SIDES, Exit, Mirror

FLAT = still(100.0)
RATIO = {"trail_activation_ratio": 0.02, "trail_distance_ratio": 0.01}
QUOTE = {"trail_activation_quote": 2.0, "trail_distance_quote": 1.0}
TICKS = {"trail_points": 20, "trail_offset": 10}
STOP, TARGET = ExitReason.STOP_LOSS, ExitReason.TAKE_PROFIT
TRAILED = ExitReason.TRAILING_STOP
# Low first: 100.5, 100.4, 103, 102.9. Armed at 102, best 103, stop 102.
ARMING: Bar = (100.5, 103.0, 100.4, 102.9)
FALL: Bar = (102.8, 102.9, 97.0, 97.0)
LOW: Bar = (101.5, 101.6, 97.0, 97.0)


def exited_after(market: Mirror, terms: dict[str, float], *bars: Bar) -> list[Exit]:
    """Return the exits of an entry at 100.0 that has these terms, on these bars from bar 2 on."""
    script = {0: (market.enters(), market.exits("X", "L", **terms))}
    return market.exited([FLAT, FLAT, *bars], script)


@BOTH_SIDES
@pytest.mark.parametrize("terms", [RATIO, QUOTE, TICKS], ids=["ratio", "quote", "ticks"])
class TestEachUnit:
    def test_the_stop_follows_the_best_price(self, market: Mirror, terms: dict[str, float]) -> None:
        assert exited_after(market, terms, ARMING) == []
        assert exited_after(market, terms, ARMING, FALL) == [(3, 102.0, TRAILED)]
        higher: Bar = (102.9, 105.0, 102.8, 104.5)
        assert exited_after(market, terms, ARMING, higher, FALL) == [(4, 102.8, TRAILED)]  # a gap

    def test_it_may_arm_and_fill_in_one_bar(self, market: Mirror, terms: dict[str, float]) -> None:
        # Low first: up to 103 (stop 102), back to 101.
        assert exited_after(market, terms, (100.5, 103.0, 100.4, 101.0)) == [(2, 102.0, TRAILED)]

    def test_short_of_the_arming_level_it_sleeps(
        self, market: Mirror, terms: dict[str, float]
    ) -> None:
        assert exited_after(market, terms, (100.5, 101.9, 100.4, 101.5), LOW) == []

    def test_with_a_stop_the_nearer_one_acts(self, market: Mirror, terms: dict[str, float]) -> None:
        both = {**terms, "loss_ratio": 0.02}
        assert exited_after(market, both, ARMING, FALL) == [(3, 102.0, TRAILED)]
        unarmed: Bar = (100.0, 101.9, 97.9, 99.0)
        assert exited_after(market, both, unarmed) == [(2, 98.0, STOP)]

    def test_a_target_on_the_way_up_comes_first(
        self, market: Mirror, terms: dict[str, float]
    ) -> None:
        both = {**terms, "profit_ratio": 0.03}
        # To 103 is the target itself; to 102.9 only the trailing stop (101.9) is left.
        assert exited_after(market, both, ARMING) == [(2, 103.0, TARGET)]
        below: Bar = (100.5, 102.9, 100.4, 101.0)
        assert exited_after(market, both, below) == [(2, 101.9, TRAILED)]


@BOTH_SIDES
def test_fractions_of_a_tick_round_away_from_the_price(market: Mirror) -> None:
    # Arms at 102.03 -> 102.1; the distance 0.123 is 1.23 ticks -> 2: from 103.0 the stop is 102.8.
    ratio = {"trail_activation_ratio": 0.0203, "trail_distance_ratio": 0.00123}
    quote = {"trail_activation_quote": 2.03, "trail_distance_quote": 0.123}
    fall: Bar = (102.9, 102.9, 97.0, 97.0)
    for terms in (ratio, quote):
        assert exited_after(market, terms, ARMING, fall) == [(3, 102.8, TRAILED)]
        assert exited_after(market, terms, (100.5, 102.0, 100.4, 101.9), LOW) == []
        short_of_it: Bar = (100.5, 102.1, 100.4, 101.95)
        assert exited_after(market, terms, short_of_it) == []
        # Best 102.1, stop 101.9.
        assert exited_after(market, terms, (100.5, 102.1, 100.4, 101.8)) == [(2, 101.9, TRAILED)]


@BOTH_SIDES
def test_the_distance_is_of_the_fill_not_of_the_deciding_close(market: Mirror) -> None:
    # Decided at 100, filled at 110: arms at 112.2, follows by 1.1: best 113.2, stop 112.1.
    if market.price(0.0) != 0.0:
        return  # Ratios of 110 have no mirror at 90.
    script = {0: (market.enters(), market.exits("X", "L", **RATIO))}
    bars = [FLAT, still(110.0), (110.5, 113.2, 110.4, 113.0), (112.9, 113.0, 100.0, 100.0)]
    assert market.exited(bars, script) == [(3, 112.1, TRAILED)]


@BOTH_SIDES
def test_no_distance_fills_where_it_arms(market: Mirror) -> None:
    terms = {"trail_activation_ratio": 0.02, "trail_distance_ratio": 0.0}
    assert exited_after(market, terms, ARMING) == [(2, 102.0, TRAILED)]


@BOTH_SIDES
def test_an_undefined_distance_is_no_trailing(market: Mirror) -> None:
    terms = {"trail_activation_quote": 2.0, "trail_distance_quote": math.nan}
    assert exited_after(market, terms, ARMING, FALL) == []


@BOTH_SIDES
@pytest.mark.parametrize(
    "terms",
    [
        {"trail_activation_ratio": 0.02},
        {"trail_distance_quote": 1.0},
        {**RATIO, **QUOTE},
        {**RATIO, "trail_points": 20},
        {**QUOTE, "trail_offset": 10},
        {"trail_activation_ratio": 0.02, "trail_distance_quote": 1.0},
        {**QUOTE, "trail_price": 104.0},
    ],
    ids=lambda terms: "+".join(terms),
)
def test_halves_and_mixtures_are_refused(market: Mirror, terms: dict[str, float]) -> None:
    with pytest.raises(OrderFault, match="trailing stop of X"):
        exited_after(market, terms)


@BOTH_SIDES
@pytest.mark.parametrize("name", ["trail_activation_ratio", "trail_distance_ratio"])
def test_a_distance_below_zero_is_refused(market: Mirror, name: str) -> None:
    with pytest.raises(OrderFault, match="distance of X"):
        exited_after(market, {**RATIO, name: -0.01})
