"""Ladders whose stop or target lies by the ATR equal the reference's runs, at the bounds by hand.

Random ones are among those of `test_campaigns_equal_reference`. Bars are of an hour and whole
prices, the ATR is of two bars, so where a level lies can be told; what the reference makes of each
case is said beside it, so that none says less than it seems to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Market
from engines.klines import MINUTE_MS, Klines
from engines.margin import MarginTier
from engines.plan import (
    Basis,
    CloseRule,
    CustomLadder,
    Direction,
    EntryKind,
    EntryTerms,
    Exits,
    LevelSource,
    Plan,
    Reentry,
    Rung,
    Sizing,
    SizingKind,
)
from engines.signals import Signals
from engines.trades import ExitReason
from strategies.base import SignalStrategy
from strategies.ema_crossover import EmaCrossover
from tests.property.path_cases import check
from tests.property.test_chains_equal_reference import COSTS, INSTRUMENT, LEVERED, Rare

HOUR_MS, COUNT = 60 * MINUTE_MS, 24
COARSE = Instrument(
    "HAND", 1.0, 1.0, margin_tiers=(MarginTier(1e9, 0.005, leverage_max=100.0),)
)  # fmt: skip # one call
TWO = CustomLadder(rungs=(Rung(0.0, 0.5), Rung(0.04, 0.5)))
BY_ATR = Exits(stop_atr=2.0, atr_period=2, basis=Basis.AVERAGE, levels=LevelSource.PLAN)
PLAN = Plan(
    capital_quote=10_000.0, sizing=Sizing(SizingKind.QTY, 4.0), ladder=TWO, pyramiding=2,
    close_rule=CloseRule.ALL, exits=BY_ATR,
)  # fmt: skip # two at the close, two 4 % against it
WIDE = (100.0, 101.0, 99.0, 100.0)  # a bar of two points, as all before the wish
FREE = Costs()
Path = Mapping[int, tuple[float, float, float, float]]


@dataclass(frozen=True)
class At(SignalStrategy):
    """Entries after some closes; `late` is one that comes when all is over."""

    longs: tuple[int, ...] = (4,)
    shorts: tuple[int, ...] = ()
    late: int = COUNT - 1

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none: these are by hand."""
        return ()

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        bars, never = np.arange(len(klines)), np.zeros(len(klines), np.bool_)
        return Signals(np.isin(bars, (*self.longs, self.late)), never, np.isin(bars, self.shorts),
                       never)  # fmt: skip # one list


def klines_of(path: Path, count: int = COUNT) -> Klines:
    """Return bars of two points but where `path` says otherwise; its last close goes on."""
    rows, last = list[tuple[float, float, float, float]](), 100.0
    for bar in range(count):
        row = path.get(bar, (last, last + 1.0, last - 1.0, last))
        rows.append(row)
        last = row[3]
    opened, high, low, close = np.array(rows).T
    times = 1_735_689_600_000 + HOUR_MS * np.arange(count, dtype=np.int64)
    return Klines("HAND", HOUR_MS, times, opened, high, low, close, np.ones(count))


def outcome(klines: Klines, plan: Plan, wishes: At, costs: Costs = FREE) -> list[tuple[int, float]]:
    """Return at what bar and price each trade of the reference ends, once campaigns equal it."""
    market = Market(klines, COARSE, costs)
    sets: list[SignalStrategy] = [
        replace(wishes, late=COUNT - 1 - number % 3) for number in range(CHAINS_MIN + 2)
    ]
    assert check(market, plan, sets) == 1.0
    result = run_backtest(wishes, klines, COARSE, plan, costs)
    ended = [one for one in result.trades if one.exit_reason is not ExitReason.END_OF_DATA]
    return [(trade.exit_bar, trade.exit_price) for trade in ended]


def test_a_stop_by_the_atr_follows_the_average() -> None:
    # The ATR of the close is 2, so the stop lies 4 below 100, and 4 below 98 with the rung at 96.
    alone = klines_of({6: (100.0, 100.0, 97.0, 97.0), 8: (97.0, 97.0, 90.0, 90.0)})
    assert outcome(alone, PLAN, At()) == [(8, 94.0), (8, 94.0)]
    nearer = replace(PLAN, exits=replace(BY_ATR, stop_atr=1.0))  # 2 below 100, no rung before it
    assert outcome(alone, nearer, At()) == [(6, 98.0)]
    last = replace(PLAN, exits=replace(BY_ATR, basis=Basis.LAST))  # 4 below 96
    assert outcome(alone, last, At()) == [(8, 92.0), (8, 92.0)]


@pytest.mark.parametrize(
    ("multiple", "opened", "ends"),
    [
        (1.5, 100.0, [97.0]),  # above the rung at 96, which goes with what is held
        (2.0, 100.0, [94.0] * 2),  # at its price: the rung fills, and the stop of the two counts
        (2.5, 100.0, [93.0] * 2),  # below it
        (2.5, 95.0, [92.0] * 2),  # the open passes the rung, and the way goes on to the stop
        (2.0, 90.0, [90.0] * 2),  # passes the rung, and the stop of both
        (0.25, 97.0, [97.0]),  # passes the stop alone
    ],
)
def test_a_rung_and_the_stop_in_one_bar_come_in_the_order_of_their_prices(
    multiple: float, opened: float, ends: list[float]
) -> None:
    plan = replace(PLAN, exits=replace(BY_ATR, stop_atr=multiple))
    for high in (opened, 101.0):  # either extreme first
        still = (100.0, 100.0, 100.0, 100.0)
        klines = klines_of({5: still, 6: (opened, high, 89.0, 89.0)})
        assert outcome(klines, plan, At()) == [(6, price) for price in ends]


def test_of_two_stops_the_nearer_one_acts() -> None:
    klines = klines_of({6: (100.0, 100.0, 97.0, 97.0), 8: (97.0, 97.0, 85.0, 85.0)})
    by_ratio = replace(PLAN, exits=replace(BY_ATR, stop_loss_ratio=0.03))
    assert outcome(klines, by_ratio, At()) == [(6, 97.0)]
    by_atr = replace(PLAN, exits=replace(BY_ATR, stop_loss_ratio=0.1))
    assert outcome(klines, by_atr, At()) == [(8, 94.0), (8, 94.0)]


def test_an_open_beyond_the_stop_fills_there() -> None:
    klines = klines_of({6: (100.0, 100.0, 97.0, 97.0), 8: (88.0, 89.0, 80.0, 85.0)})
    assert outcome(klines, PLAN, At()) == [(8, 88.0), (8, 88.0)]
    slips = Costs(slippage_ticks=2)
    # In at 102, the rung at 88 as well: their stop of 91 is passed too.
    gap = klines_of({8: (88.0, 89.0, 80.0, 85.0)})
    assert outcome(gap, PLAN, At(), slips) == [(8, 86.0), (8, 86.0)]
    # Beyond the rung and the stop of the entry: the rung fills at 93, and the stop of 96.5 counts.
    both = klines_of({6: (93.0, 93.0, 92.0, 92.0)})
    assert outcome(both, PLAN, At()) == [(6, 92.0), (6, 92.0)]


def test_a_target_by_the_atr_follows_the_average_too() -> None:
    plan = replace(PLAN, exits=replace(BY_ATR, stop_atr=None, target_atr=1.5))
    klines = klines_of({6: (100.0, 100.0, 96.0, 97.0), 9: (97.0, 101.0, 97.0, 101.0)})
    assert outcome(klines, plan, At()) == [(9, 101.0), (9, 101.0)]  # 3 above 98
    beyond = klines_of({6: (100.0, 100.0, 96.0, 97.0), 9: (104.0, 105.0, 104.0, 104.0)})
    assert outcome(beyond, plan, At()) == [(9, 104.0), (9, 104.0)]


def test_shorts_are_the_mirror() -> None:
    klines = klines_of({6: (100.0, 103.0, 100.0, 103.0), 8: (103.0, 115.0, 103.0, 115.0)})
    assert outcome(klines, PLAN, At((), (4,))) == [(8, 106.0), (8, 106.0)]


def test_a_stop_above_the_average_closes_what_has_gained() -> None:
    up = CustomLadder(rungs=(Rung(0.0, 0.5), Rung(-0.04, 0.5)))
    exits = replace(BY_ATR, stop_atr=0.75, basis=Basis.LAST)  # 1.5 below the rung at 104
    klines = klines_of({5: (100.0, 105.0, 100.0, 105.0), 6: (105.0, 105.0, 102.0, 102.0)})
    assert outcome(klines, replace(PLAN, ladder=up, exits=exits), At()) == [(6, 102.0)] * 2


@pytest.mark.parametrize(("period", "trades"), [(2, 2), (3, 2), (5, 0)])
def test_nothing_enters_before_the_atr_is_known(period: int, trades: int) -> None:
    plan = replace(PLAN, exits=replace(BY_ATR, atr_period=period))
    klines = klines_of({6: (100.0, 100.0, 90.0, 90.0)})
    assert outcome(klines, plan, At((0, 1, 3))) == [(6, 94.0)] * trades


def test_an_atr_of_nothing_ends_an_entry_where_it_fills() -> None:
    still = dict.fromkeys(range(6), (100.0,) * 4)
    klines = klines_of({**still, 8: (100.0, 100.0, 90.0, 90.0)})
    assert outcome(klines, PLAN, At()) == [(5, 100.0)]
    target = replace(PLAN, exits=replace(BY_ATR, stop_atr=None, target_atr=1.0))
    assert outcome(klines, target, At()) == [(5, 100.0)]
    risky = replace(PLAN, sizing=Sizing(SizingKind.RISK, 0.01))  # which has no size there
    assert outcome(klines, risky, At()) == []


def test_the_last_bar_ends_by_a_stop_as_others_do() -> None:
    assert outcome(klines_of({5: (100.0, 100.0, 90.0, 90.0)}, 6), PLAN, At()) == [(5, 94.0)] * 2
    assert outcome(klines_of({}, 6), PLAN, At()) == []  # valued at its close


def test_a_ladder_keeps_the_atr_of_its_entry_where_a_reversal_is_too_small() -> None:
    # At 130 the cash does not buy one step for each order, so the short does not open.
    plan = replace(PLAN, sizing=Sizing(SizingKind.CASH, 230.0))
    rise = {6: (100.0, 130.0, 100.0, 130.0), 8: (130.0, 131.0, 97.0, 97.0)}
    klines = klines_of({**rise, 9: (97.0, 97.0, 93.0, 93.0)})
    assert outcome(klines, plan, At(shorts=(7,))) == [(9, 94.0), (9, 94.0)]


@pytest.mark.parametrize("kind", [EntryKind.LIMIT, EntryKind.STOP])
def test_an_entry_that_waits_takes_the_atr_of_its_close_along(kind: EntryKind) -> None:
    plan = replace(PLAN, entry=EntryTerms(kind, 0.02, 8))
    path = dict.fromkeys(range(5, 8), (100.0, 101.0, 98.5, 100.0))
    path |= {8: (100.0, 102.0, 98.0, 101.0), 10: (101.0, 101.0, 88.0, 88.0)}
    # Of the limit at 98 and the rung at 96 the stop is 93; of the stop entry, in at 102, it is 98.
    ends = [(10, 93.0)] * 2 if kind is EntryKind.LIMIT else [(10, 98.0)]
    assert outcome(klines_of(path), plan, At()) == ends


def test_what_a_liquidation_would_end_is_left_to_the_machine() -> None:
    far = replace(BY_ATR, stop_atr=20.0)
    plan = replace(PLAN, sizing=Sizing(SizingKind.QTY, 800.0), leverage=20.0, exits=far)
    klines = klines_of({6: (100.0, 100.0, 75.0, 75.0)})
    market = Market(klines, COARSE, Costs())
    assert check(market, plan, [At()] * CHAINS_MIN) == 0.0
    near = replace(plan, exits=replace(BY_ATR, stop_atr=0.75))
    assert outcome(klines, near, At()) == [(6, 98.0)]


def test_several_entries_without_a_ladder_keep_a_distance_each(klines: Klines) -> None:
    plan = Plan(pyramiding=3, exits=BY_ATR)
    assert check(Market(klines, INSTRUMENT, Costs()), plan, [Rare(40)], times=CHAINS_MIN) == 1.0


FOUR = CustomLadder(rungs=(Rung(0.0, 0.1), Rung(0.005, 0.2), Rung(0.01, 0.3), Rung(0.02, 0.4)))
LADDER = Plan(ladder=FOUR, exits=BY_ATR, pyramiding=4, close_rule=CloseRule.ALL)
PLANS = {
    "a stop": LADDER,
    "a target": replace(LADDER, exits=replace(BY_ATR, stop_atr=None, target_atr=3.0)),
    "both, and a stop at a ratio": replace(
        LADDER, exits=replace(BY_ATR, target_atr=3.0, stop_loss_ratio=0.01)
    ),
    "legs": replace(LADDER, close_rule=CloseRule.FIFO),
    "from the last": replace(LADDER, exits=replace(BY_ATR, basis=Basis.LAST)),
    "by risk": replace(LADDER, sizing=Sizing(SizingKind.RISK, 0.002)),
    "by risk of the nearer": replace(
        LADDER, sizing=Sizing(SizingKind.RISK, 0.002), direction=Direction.LONG,
        exits=replace(BY_ATR, stop_loss_ratio=0.006), reentry=Reentry(losses_in_a_row_max=3),
    ),
    "a stop entry": replace(LADDER, entry=EntryTerms(EntryKind.STOP, 0.001, 8)),
    "at closes": replace(LADDER, process_on_close=True),
    "limits of a day": replace(LADDER, intraday_loss_ratio_max=0.01, intraday_fills_max=6),
    "leverage": replace(LADDER, leverage=5.0),
}  # fmt: skip # one table


@pytest.mark.parametrize(("name", "costs"), list(zip(PLANS, cycle(COSTS.values()))), ids=PLANS)
def test_grids_of_ladders_by_the_atr_are_decided(name: str, costs: Costs, klines: Klines) -> None:
    crosses = [EmaCrossover(fast, slow) for fast in (5, 14) for slow in (15, 50)]
    rare = [Rare(every, leaves) for every in (40, 2_000) for leaves in (False, True)]
    market = Market(klines, LEVERED, costs, since_ms=int(klines.open_time_ms[500]))
    assert check(market, PLANS[name], [*crosses, *rare], times=5) == 1.0
