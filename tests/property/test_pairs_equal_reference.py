"""Every two settings of a plan together equal the reference, whatever the strategy gives beside.

The other tests of this folder draw plans that their path follows; which path a plan goes, and that
one must not go it, is asked here. All pairs of settings run in one call, as a sweep has them, for
strategies that give nothing, levels or sizes of their own: what a path cannot follow must have been
sorted to one that can.
"""

import random
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.funding import Funding, constant_funding
from engines.instrument import Instrument
from engines.kernels.groups import Groups
from engines.kernels.passage.runs import follows
from engines.kernels.pending import CHAINS_MIN
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import MINUTE_MS, Klines
from engines.margin import MarginTier
from engines.plan import Market as Traded
from engines.plan import Plan
from engines.signals import Signals
from engines.synthetic import synthetic_klines
from strategies.base import SignalStrategy
from tests.property.test_summary_equals_measure import check_summary
from tests.settings import LADDERS, pairs

BARS, SAMPLE, SEED = 800, 120, 5
COMPARED = 3  # strategies of each kind, of a plan, in the long test
RATES = 0.04, 0.02  # of bars at which a strategy wants in, out
GIVES = "nothing", "levels", "sizes"
LEFT = {
    "hedge, fills at the close",
    "hedge, exit: three targets",
    "hedge, entry: limit",
    "hedge, entry: stop",
    "hedge, pyramid: FIFO",
    "hedge, pyramid: LIFO",
    "hedge, pyramid: any",
    "hedge, pyramid: all",
    "hedge, pyramid: from the average",
    "fills at the close, entry: limit",
    "fills at the close, entry: stop",
    "exit: three targets, pyramid: from the average",
}
LADDER_LEFT = "hedge", "exit: three targets"  # besides, whose rungs do not refill
REFILLED, AVERAGED = "ladder: custom, refilled", "exit: from the average"
INSTRUMENT = Instrument(
    "SYNTHETIC", tick_size=0.1, qty_step=0.001,
    margin_tiers=(MarginTier(1e9, 0.005, leverage_max=100.0),),
)  # fmt: skip # one record


@dataclass(frozen=True)
class Wants(SignalStrategy):
    """Wants what its seed makes it want, at some of its entries with levels or a size."""

    seed: int = 0
    gives: str = "nothing"

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none: a seed is no parameter."""
        return ()

    def signals(self, klines: Klines) -> Signals:
        """Return random wishes."""
        random_ = np.random.default_rng(self.seed)
        rows = random_.random((7, len(klines)))
        enters, is_long = rows[0] < RATES[0], rows[1] < 0.5
        wishes = Signals(
            enters & is_long, rows[2] < RATES[1], enters & ~is_long, rows[3] < RATES[1]
        )
        is_given, away = rows[4] < 0.6, 0.002 + 0.02 * rows[5]
        side = np.where(is_long, 1.0, -1.0)
        if self.gives == "levels":
            return replace(
                wishes,
                stop_price=np.where(is_given, klines.close * (1.0 - away * side), np.nan),
                target_price=np.where(rows[6] < 0.6, klines.close * (1.0 + away * side), np.nan),
            )
        if self.gives == "sizes":
            return replace(wishes, size=np.where(is_given, 0.001 + 0.02 * rows[5], np.nan))
        return wishes


def decided(
    klines: Klines, plans: dict[str, Plan], compared: int, funding: Funding | None
) -> Counter[str]:
    """Compare some strategies of each kind with the reference; return the sets that paths ran.

    Counted by what strategies give. Which are compared goes round from plan to plan.
    """
    market, found = Market(klines, INSTRUMENT, Costs(), funding), Counter[str]()
    for gives in GIVES:
        strategies = [Wants(seed, gives) for seed in range(CHAINS_MIN)]
        trials = Trials(market, list(plans.values()), 1).run(strategies)
        assert trials.errors == {}
        found[gives] = int((trials.engine == Engine.FIRST_PASSAGE).sum())
        for column, (name, plan) in enumerate(plans.items()):
            for row in [(column + n) % len(strategies) for n in range(compared)]:
                theirs = run_backtest(
                    strategies[row], klines, INSTRUMENT, plan, market.costs, funding=funding
                )
                try:
                    check_summary(trials.values[row, column], theirs)
                except AssertionError as error:
                    error.add_note(f"{name}; strategy {row} of those that give {gives}")
                    raise
    return found


def spot_aside(plans: dict[str, Plan]) -> dict[str, Plan]:
    """Return the plans that may pay funding."""
    return {name: plan for name, plan in plans.items() if plan.market is not Traded.SPOT}


def drawn(seed: int) -> dict[str, Plan]:
    """Return a sample of the pairs."""
    return {name: pairs()[name] for name in random.Random(seed).sample(sorted(pairs()), SAMPLE)}


def test_a_sample_of_pairs_of_settings_equals_reference(klines: Klines) -> None:
    found = decided(klines.between(0, BARS), drawn(SEED), 1, funding=None)
    assert found["nothing"] > 0.9 * SAMPLE * CHAINS_MIN
    assert found["levels"] > 0.5 * SAMPLE * CHAINS_MIN


def test_a_sample_of_pairs_of_settings_equals_reference_with_funding(klines: Klines) -> None:
    some = klines.between(0, BARS)
    plans = spot_aside(drawn(SEED + 1))
    found = decided(some, plans, 1, constant_funding(0.0001, 8, some))
    assert found["nothing"] > 0.9 * len(plans) * CHAINS_MIN


@pytest.mark.long
def test_all_pairs_of_settings_equal_reference(klines: Klines) -> None:
    decided(klines.between(0, BARS), pairs(), COMPARED, funding=None)


@pytest.mark.long
def test_all_pairs_of_settings_equal_reference_with_funding(klines: Klines) -> None:
    some = klines.between(0, BARS)
    decided(some, spot_aside(pairs()), COMPARED, constant_funding(0.0001, 8, some))


def test_only_these_pairs_go_by_the_machine() -> None:
    market = Market(synthetic_klines(BARS, 15 * MINUTE_MS, seed=11), INSTRUMENT, Costs())
    groups, left = Groups(market), set[str]()
    for name, plan in pairs().items():
        sorted_ = groups.sort({0: plan})
        assert not sorted_.failed
        if any(len(g.plain.unchained) and not follows(g.terms).all() for g in sorted_.groups):
            left.add(name)
    beside_ladders = {f"{name}, {ladder}" for name in LADDER_LEFT for ladder in LADDERS}
    refilled = {name for name in pairs() if name.endswith(REFILLED)} - {f"{AVERAGED}, {REFILLED}"}
    assert left == LEFT | beside_ladders | refilled
