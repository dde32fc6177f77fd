"""What the check on a device times: many sets of a market of two years of 15-minute bars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from engines.costs import Costs
from engines.features.events import crossover, crossunder
from engines.features.moving_averages import ema
from engines.features.oscillators import rsi
from engines.funding import constant_funding, settlements_of
from engines.instrument import Instrument
from engines.kernels import slots
from engines.kernels.columns import F64_2D, I64_2D, Bars, Charges, Wants
from engines.kernels.cpu import bars_of
from engines.kernels.plan_terms import counts_days, terms_row
from engines.kernels.wants import charges_of, wants_of
from engines.klines import MINUTE_MS, Klines
from engines.plan import Breakeven, Exits, Plan, Sizing, SizingKind, Target, Trailing
from engines.rules.columns import rule_columns
from engines.signals import Signals
from engines.synthetic import synthetic_klines

BARS = 70_080
STRATEGIES = 100
INSTRUMENT = Instrument("SYNTHETIC", tick_size=0.1, qty_step=0.001)
STOP_AND_TARGET = Plan(exits=Exits(stop_loss_ratio=0.02, take_profit_ratio=0.04))
ANY = Plan(
    sizing=Sizing(SizingKind.RISK, 0.01),
    exits=Exits(
        stop_loss_ratio=0.02,
        targets=(Target(0.004, 0.5), Target(0.01, 0.3), Target(0.03, 0.2)),
        trailing=Trailing(0.006, 0.004),
        breakeven=Breakeven(0.003, 0.001),
    ),
)


@dataclass(frozen=True)
class Workload:
    """Strategies whose wishes are at hand, and a plan whose stops and targets are swept."""

    name: str
    bars: Bars
    charges: Charges
    wants: list[Wants]
    plan: Plan
    costs: Costs

    def terms(self, count: int) -> F64_2D:
        """Return the terms [P, TERMS] of about `count` plans, a grid of stops and targets."""
        side = max(1, round(count**0.5))
        row = terms_row(self.plan, self.costs, INSTRUMENT)
        terms = np.repeat(row[np.newaxis], side * side, axis=0)
        grid = np.array(
            list(product(np.linspace(0.005, 0.05, side), np.linspace(0.005, 0.08, side)))
        )
        terms[:, slots.STOP_RATIO] = grid[:, 0]
        if not self.plan.exits.targets:
            terms[:, slots.PROFIT_RATIO] = grid[:, 1]
        else:
            terms[:, slots.TRAIL_DISTANCE] = grid[:, 1]
        return terms

    def sets(self, plans: int) -> I64_2D:
        """Return every strategy with every plan [N, 2], the plans of a strategy side by side."""
        return np.array(list(product(range(len(self.wants)), range(plans))), dtype=np.int64)


def _crosses(klines: Klines, strategies: int) -> list[Signals]:
    """Return averages that cross, always in the market."""
    never = np.zeros(len(klines), dtype=np.bool_)
    made = []
    for place in range(strategies):
        fast = ema(klines.close, 5 + place % 10)
        slow = ema(klines.close, 20 + 2 * (place // 10))
        made.append(Signals(crossover(fast, slow), never, crossunder(fast, slow), never))
    return made


def _reversions(klines: Klines, strategies: int) -> list[Signals]:
    """Return an index that comes back from its outer bands."""
    never = np.zeros(len(klines), dtype=np.bool_)
    made = []
    for place in range(strategies):
        value, band = rsi(klines.close, 7 + place % 10), 20.0 + place // 10
        made.append(Signals(crossover(value, band), never, crossunder(value, 100.0 - band), never))
    return made


def _sparse(klines: Klines, strategies: int) -> list[Signals]:
    """Return wishes that come every 440 bars."""
    never = np.zeros(len(klines), dtype=np.bool_)
    made = []
    for place in range(strategies):
        enters = never.copy()
        enters[100 + place :: 440] = True
        made.append(Signals(enters, never, never, never))
    return made


CASES: tuple[tuple[str, Callable[[Klines, int], Sequence[Signals]], Plan, bool], ...] = (
    ("EMA cross x stop x target", _crosses, STOP_AND_TARGET, False),
    ("RSI x stop x target", _reversions, STOP_AND_TARGET, False),
    ("sparse x stop x target", _sparse, STOP_AND_TARGET, False),
    ("EMA cross, any plan, funding", _crosses, ANY, True),
)


def workloads(bars: int = BARS, strategies: int = STRATEGIES) -> list[Workload]:
    """Return the workloads, on seeded synthetic bars."""
    klines, costs = synthetic_klines(bars, 15 * MINUTE_MS, seed=7), Costs()
    made = []
    for name, signals, plan, has_funding in CASES:
        funding = constant_funding(0.0001, 8, klines) if has_funding else None
        charges = charges_of(
            costs,
            klines,
            INSTRUMENT,
            settlements_of(plan, klines, funding, None),
            counts_days(plan),
        )
        rules = rule_columns(plan, klines)
        wants = [wants_of(wished, rules) for wished in signals(klines, strategies)]
        made.append(Workload(name, bars_of(klines), charges, wants, plan, replace(costs)))
    return made
