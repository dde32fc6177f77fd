"""The eleven trade BTCUSDT 15m of 2025 as they are pinned; `tests.golden.pinned` pins anew."""

from dataclasses import replace

import pytest

from strategies.base import SignalStrategy
from strategies.registry import REGISTRY
from tests.golden.pinned import BARS_PATH, COSTS, ELEVEN, PLAN, bars_sha256, facts, read, run
from tests.golden.plain_loop import Line, PlainLoop, Terms
from tests.parity.truth import bars, needs_truth

# What the plans of the two that enter many times ask for, by their defaults.
PLAIN = Terms(PLAN.capital_quote, COSTS.commission)
TERMS = {
    "dca": replace(PLAIN, entries_max=10, average_target_ratio=0.1),
    "grid_trading": replace(PLAIN, share=0.01, entries_max=5),
}


@pytest.mark.parametrize("id", ELEVEN)
def test_a_pin_names_its_source_date_and_reason(id: str) -> None:
    pinned = read(id)
    for name in ("source", "bars", "bars_sha256", "date", "reason", "trades_sha256"):
        assert pinned[name], name


@needs_truth
@pytest.mark.parametrize("id", ELEVEN)
def test_the_trades_are_the_pinned_ones(id: str) -> None:
    pinned, result = read(id), run(id)
    assert bars_sha256() == pinned["bars_sha256"], "other bars than the pinned trades are of"
    found = facts(result)
    assert found == {name: pinned[name] for name in found}, (
        f"trades of {id} changed: compare them, then pin them anew with the reason "
        f'(python -m tests.golden.pinned "reason" {id})'
    )
    assert result.trades


@needs_truth
@pytest.mark.parametrize("id", ELEVEN)
def test_the_trades_are_those_of_a_plain_loop(id: str) -> None:
    strategy = REGISTRY[id].load()()
    assert isinstance(strategy, SignalStrategy)
    klines = bars(BARS_PATH, symbol="BTCUSDT")
    wanted = PlainLoop(klines, strategy.signals(klines), TERMS.get(id, PLAIN)).run()
    found: list[Line] = [
        (
            int(trade.side), round(trade.qty * 1000), trade.entry_bar,
            round(trade.entry_price * 10), trade.exit_bar, round(trade.exit_price * 10),
            str(trade.exit_reason),
        )
        for trade in run(id).trades
    ]  # fmt: skip  # side, entry, exit and why
    for number, (mine, theirs) in enumerate(zip(sorted(found), sorted(wanted), strict=False), 1):
        assert mine == theirs, f"trade {number} of {id}"
    assert len(found) == len(wanted)
