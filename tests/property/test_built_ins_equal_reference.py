"""The built-in strategies equal the reference whatever their parameters, their presets included.

Elsewhere wishes are random, or the built-ins have their defaults. Here a few variants of one of
them trade with plans drawn at random, all in one call as in a sweep, so that each goes the path
that it would go there.
"""

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.errors import ParameterFault, PlanFault
from engines.instrument import Instrument
from engines.kernels.trials import Market, Trials
from engines.klines import MINUTE_MS
from engines.plan import Plan
from engines.synthetic import synthetic_klines
from strategies.base import Parameter, SignalStrategy
from strategies.registry import REGISTRY
from tests.property.test_kernel_equals_reference import ONLY_REFERENCE, plans
from tests.property.test_summary_equals_measure import check_summary

EXAMPLES, BARS, VARIANTS, PLANS = 12, 1_500, 3, 3
NAMES = sorted(set(REGISTRY) - ONLY_REFERENCE)


def values_of(parameter: Parameter) -> st.SearchStrategy[Any]:
    """Return values around the default, within the parameter's bounds."""
    default = parameter.default
    if isinstance(default, bool):
        return st.booleans()
    if not isinstance(default, int | float):
        return st.just(default)
    low = max(default / 3, -float("inf") if parameter.low is None else parameter.low)
    high = min(default * 3, float("inf") if parameter.high is None else parameter.high)
    if isinstance(default, int):
        return st.integers(int(low), int(high))
    return st.floats(low, high)


@st.composite
def variants(draw: st.DrawFn) -> list[SignalStrategy]:
    """Return one strategy with several sets of values that do not contradict each other."""
    cls: Any = REGISTRY[draw(st.sampled_from(NAMES))].load()
    made = []
    for _ in range(VARIANTS):
        changed = draw(st.sets(st.sampled_from(cls.parameters()), min_size=1))
        values = {item.name: draw(values_of(item)) for item in sorted(changed, key=str)}
        preset = draw(st.sampled_from([{}, *cls.presets.values()]))
        try:
            made.append(cls(**{**preset, **values}))
        except ParameterFault:
            continue
    assume(made)
    return made


@settings(max_examples=EXAMPLES)
@given(
    strategies=variants(),
    drawn=st.lists(plans(), min_size=PLANS, max_size=PLANS),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_parameters_with_any_plans(
    strategies: list[SignalStrategy], drawn: list[Plan], seed: int
) -> None:
    klines = synthetic_klines(BARS, 15 * MINUTE_MS, seed)
    instrument, costs = Instrument(klines.symbol, 0.1, 0.001), Costs(slippage_ticks=1)
    kept = []
    for plan in drawn:
        try:
            theirs = [run_backtest(one, klines, instrument, plan, costs) for one in strategies]
        except PlanFault:
            continue
        kept.append((plan, theirs))
    assume(kept)
    found = Trials(Market(klines, instrument, costs), [plan for plan, _ in kept], 1)
    summaries = found.run(strategies)
    assert not summaries.errors
    for place, (_, theirs) in enumerate(kept):
        for row, reference in enumerate(theirs):
            check_summary(summaries.values[row, place], reference)
