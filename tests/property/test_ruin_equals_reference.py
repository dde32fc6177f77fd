"""An account of which float noise is all that is left has no growth, whoever adds up its results.

Each plan goes a path of its own. Its capital is what the set loses, to the last bits, so that sums
in another order tell another sign of what is left.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.kernels.trials import Market
from engines.klines import HOUR_MS, Klines
from engines.metrics.measure import measure
from engines.plan import (
    Basis,
    CloseRule,
    DcaLadder,
    EntryKind,
    EntryTerms,
    Exits,
    LevelSource,
    Plan,
    Reentry,
    Sizing,
    SizingKind,
    Target,
    Trailing,
)
from engines.signals import Signals
from strategies.base import SignalStrategy
from tests.property.path_cases import check

FEBRUARY_MS = 1_738_368_000_000  # 2025-02-01T00:00Z
FALLING, FLAT = 40, 30
INSTRUMENT = Instrument("R/USDT:USDT", 0.1, 0.001)
TARGETS = Target(0.004, 0.35), Target(0.05, 0.65)
PLAIN = Exits(stop_loss_ratio=0.01, levels=LevelSource.PLAN)
PARTED = replace(PLAIN, targets=TARGETS)
# Without margin nothing is called, and entries ask for nothing that the account must have.
FREE = Plan(
    capital_quote=1e6, sizing=Sizing(SizingKind.QTY, 97.013), margin_long_ratio=0.0,
    margin_short_ratio=0.0, exits=PLAIN,
)  # fmt: skip # what it takes, then how that ends
PLANS = {
    "chains": replace(FREE, exits=Exits(levels=LevelSource.PLAN)),
    "first passage": replace(FREE, exits=replace(PLAIN, take_profit_ratio=0.05)),
    "at closes": replace(FREE, process_on_close=True),
    "parts": replace(FREE, exits=PARTED),
    "several entries": replace(FREE, pyramiding=3, exits=replace(PLAIN, stop_loss_ratio=0.02)),
    "several entries in parts": replace(
        FREE, pyramiding=3, close_rule=CloseRule.LIFO, exits=PARTED
    ),
    "from the average": replace(FREE, pyramiding=3, exits=replace(PLAIN, basis=Basis.AVERAGE)),
    "rules": replace(FREE, reentry=Reentry(delay_bars=1)),
    "rules beside parts": replace(FREE, reentry=Reentry(delay_bars=1), exits=PARTED),
    "limits": replace(FREE, intraday_fills_max=30),
    "limits beside parts": replace(FREE, intraday_loss_quote_max=5e5, exits=PARTED),
    "waits": replace(FREE, entry=EntryTerms(EntryKind.LIMIT, 0.001)),
    "a ladder": replace(
        FREE, ladder=DcaLadder(orders=3), sizing=Sizing(SizingKind.QTY, 500.0),
        exits=replace(PLAIN, take_profit_ratio=0.05),
    ),
    "the machine": replace(
        FREE, pyramiding=3, sizing=Sizing(SizingKind.QTY, 970.13),
        exits=replace(PARTED, trailing=Trailing(0.002, 0.006)),
    ),
}  # fmt: skip # one table


@dataclass(frozen=True)
class Every(SignalStrategy):
    """Longs that are entered every so many bars while prices fall, and left in between."""

    every: int = 7

    def signals(self, klines: Klines) -> Signals:
        """Return the wishes at each close [T]."""
        bars = np.arange(len(klines))
        falls, never = bars < FALLING - 1, np.zeros(len(klines), np.bool_)
        enters, leaves = bars % self.every == 2, bars % self.every == 5
        return Signals(enters & falls, leaves & falls, never, never)


@pytest.fixture(scope="module")
def falling() -> Klines:
    """Return bars that fall and then stand still, as a month ends and another one begins."""
    path = 100.0 * np.cumprod(np.where(np.arange(FALLING) % 3 == 0, 1.003, 0.996))
    closes = np.round(np.append(path, np.full(FLAT, path[-1])), 1).astype(np.float64)
    opened = np.append(100.0, closes[:-1])
    still = np.arange(len(closes)) >= FALLING
    times = FEBRUARY_MS + HOUR_MS * (np.arange(len(closes)) - FALLING // 2)
    return Klines(
        "R/USDT:USDT", HOUR_MS, times, open=opened,
        high=np.round(np.maximum(opened, closes) + np.where(still, 0.0, 0.2), 1),
        low=np.round(np.minimum(opened, closes) - np.where(still, 0.0, 0.3), 1),
        close=closes, volume=np.ones(len(closes)),
    )  # fmt: skip # a column a line


def all_lost(strategy: SignalStrategy, plan: Plan, market: Market) -> float:
    """Return a capital that is lost whole; with less some entries may find no funds any more."""
    lost = plan.capital_quote
    for _ in range(4):
        own = replace(plan, capital_quote=lost)
        result = run_backtest(strategy, market.klines, market.instrument, own, market.costs)
        lost = -measure(result)["net_profit_quote"]
    return lost


def around(value: float) -> list[float]:
    """Return a number, the next ones on both sides of it, and some farther ones."""
    found = {value, value * (1 + 1e-12), value * (1 - 1e-12), value * 1.01}
    low = high = value
    for _ in range(3):
        low, high = math.nextafter(low, 0.0), math.nextafter(high, math.inf)
        found |= {low, high}
    return sorted(found)


@pytest.mark.parametrize("name", PLANS)
def test_noise_that_a_lost_account_leaves_is_no_growth(name: str, falling: Klines) -> None:
    plan, market, are_undefined = PLANS[name], Market(falling, INSTRUMENT, Costs()), []
    for strategy in (Every(), Every(9), Every(11)):
        capitals = around(all_lost(strategy, plan, market))
        plans = [replace(plan, capital_quote=capital) for capital in capitals]
        figures = measure(run_backtest(strategy, falling, INSTRUMENT, plans[3], market.costs))
        are_undefined.append(math.isnan(figures["cagr_ratio"]) and math.isnan(figures["calmar"]))
        check(market, plans[0], [strategy], others=plans[1:])
    assert any(are_undefined)
