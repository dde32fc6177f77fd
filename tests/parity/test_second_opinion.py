"""PyneCore, an independent emulator of TradingView's broker, runs the same strategies.

Each twin (`pyne_opinion`) is written twice, for our context and as a Pine-like script, and both run
on random bars on ticks with gaps and ties. Bar, side, price, quantity and names are compared trade
by trade, open rows too; money to 1e-9 relative. The `dice` twins throw one command a bar. Where the
two differ, who is right and why ("list" is a trade list exported from TradingView, "measured" a
comment of PyneCore's that says how it was probed there):

What the comparison evens out
- Excursions are not compared. PyneCore takes the entry bar's full range and leaves the exit bar
  out; the lists count only the path between the fills. We are right.
- A bracket that fills at an open loses its profit or loss comment in PyneCore. Trade 27 of the
  Bybit BTCUSDT.P list leaves at an open beyond its target as "TP". We are right; `gap_name`
  stands for it.
- Several legs that one open has passed: PyneCore fills the lowest level first, we the latest
  issued. All nine such pairs of list oca-multi-bracket-isolation have the latest first, five of
  them against the order of levels. We are right; rows of one lot at one instant, price and name
  are added up.
- Two opposite orders that waited together and meet at one moment and price: TradingView books the
  row long first (measured, five shapes), we in the order of the fills. PyneCore is right, money
  is the same; both versions are shown long first.
- A tie of funds to the last digit is decided by float noise in either; the all-in twins use 99.8
  %.

What the twins leave out
- Exit gapping together with a reversing entry: in PyneCore (measured for stops) the exit opens a
  position under its own id. Our rule is that a reducing order never flips; entries of the other
  side are cancelled while a bracket waits.
- A trailing exit first issued at a close exactly on its arming level: PyneCore does not arm, the
  lists' rule says "at or beyond". We are right; the twins do not issue it on that bar.
- A trailing leg beside other orders met on the same way: PyneCore walks trailing legs before the
  levels and so books fills out of path order. We are right; trailing legs stand alone.
- More closed under an id than its entry holds, after partial closes while other entries are open
  (two closes of one id in one pass, an exit issued after a half close): PyneCore eats into the
  other entries and its two books no longer add up; we stop at what the entry holds. No list
  decides it.
- Slices issued for an entry that waits and is then replaced by another size, legs of an add under
  several sliced exits, a fired exit cancelled and issued again, a bracket carried over a
  close_all to a waiting entry of its id: not measured in these forms, no list decides.
- Exits issued for an entry that waits, under random commands: brackets of dice are issued in a
  position only; the forms above would cover every difference with noise.
"""

from functools import cache

import pytest

from engines.klines import Klines
from tests.parity import pyne_brackets, pyne_dice, pyne_market_orders, pyne_priced_orders
from tests.parity.pyne_opinion import Row, TwinCase, ask, first_difference, our_rows, random_klines

CASES: dict[str, TwinCase] = {
    **pyne_market_orders.CASES,
    **pyne_priced_orders.CASES,
    **pyne_brackets.CASES,
    **pyne_dice.CASES,
}
BARS = 600
SEEDS, SEEDS_LONG = range(3), range(3, 53)


@cache
def markets_of(seeds: range) -> dict[int, Klines]:
    """Return the random bars of every seed."""
    return {seed: random_klines(seed, BARS) for seed in seeds}


@cache
def opinion_on(seeds: range) -> dict[tuple[str, int], list[Row]]:
    """Return PyneCore's trades of every case and seed: one interpreter for all of them."""
    return ask(CASES, markets_of(seeds))


def assert_both_agree(name: str, seeds: range) -> None:
    """Compare the trades of one case, seed by seed, and show the first that differ."""
    compared = 0
    for seed, klines in markets_of(seeds).items():
        theirs = opinion_on(seeds)[name, seed]
        difference = first_difference(our_rows(CASES[name], klines), theirs)
        assert not difference, f"{name}, seed {seed}, {difference}"
        compared += len(theirs)
    assert compared >= 10 * len(seeds), f"{name} trades too seldom to say anything: {compared}"


@pytest.mark.parametrize("name", CASES)
def test_pynecore_makes_the_same_trades(name: str) -> None:
    assert_both_agree(name, SEEDS)


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_pynecore_makes_the_same_trades_on_fifty_seeds(name: str) -> None:
    assert_both_agree(name, SEEDS_LONG)


def test_a_trade_that_differs_is_shown_with_both_versions() -> None:
    ours: Row = (1, 1.0, 3, 100.0, "L", 5, 101.0, "out", 1.0, 0.0)
    theirs: Row = (*ours[:6], 101.01, *ours[7:])
    assert first_difference([ours], [ours]) == ""
    assert "101.01" in first_difference([ours], [theirs])
    assert "None" in first_difference([ours], [])
