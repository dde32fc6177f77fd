"""Run random sets in CUDA's simulator and on the CPU; a process of its own (`test_gpu_equals_cpu`).

It asks besides that every column reaches the device with the steps of its shape. A row that is a
view may have others; a GPU then gives it another type and would compile another kernel for it.
"""

from unittest.mock import patch

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numba import cuda
from numba.core import config

from engines.costs import Costs
from engines.instrument import Instrument
from engines.kernels import gpu, slots, trials
from engines.kernels.gpu import copied_each
from engines.kernels.summary import SUMMARY, TRADES
from engines.kernels.trials import Engine, Market, Trials
from engines.klines import MINUTE_MS
from engines.plan import Exits, Plan, Trailing
from engines.synthetic import synthetic_klines
from strategies.rsi_mean_reversion import RsiMeanReversion
from tests.property.gpu_cases import by_cpu, by_gpu, differences, place_of, sets_of
from tests.property.test_kernel_equals_reference import Terms, terms

PLANS, WISHES = 12, 2


def compare_trials() -> None:
    """Compare the figures of many sets, which the CPU makes of a GPU's sums."""
    trials.GPU_SETS_MIN = 1
    klines = synthetic_klines(400, 15 * MINUTE_MS, seed=5)
    since_ms = int(klines.open_time_ms[100])
    market = Market(klines, Instrument("TESTUSDT", 0.1, 0.001), Costs(), since_ms=since_ms)
    trail = Exits(trailing=Trailing(activation=0.002, distance=0.003))
    plans = [Plan(), Plan(exits=trail), Plan(exits=Exits(stop_loss_ratio=0.01))]
    strategies = [RsiMeanReversion(rsi_period=7), RsiMeanReversion(rsi_period=9)]
    ours = Trials(market, plans, 1, on_gpu=True).run(strategies)
    theirs = Trials(market, plans, 1).run(strategies)
    assert (ours.engine == Engine.GPU).all() and (theirs.engine == Engine.MACHINE).all()
    assert theirs.values[..., SUMMARY.index("trades")].min() > 0
    np.testing.assert_array_equal(ours.values, theirs.values)


def ask_why_not() -> None:
    """A GPU that answers but for which nothing can be compiled is told from one that can run."""
    fault = AttributeError("module 'numpy' has no attribute 'row_stack'")
    with patch("importlib.util.find_spec", return_value=True):
        gpu.why_not.cache_clear()
        assert gpu.why_not() is None
        gpu.why_not.cache_clear()
        with patch.object(cuda, "jit", side_effect=fault):
            assert gpu.why_not() == f"CUDA code cannot be compiled, AttributeError: {fault}"
    gpu.why_not.cache_clear()


def main() -> None:
    """Compare plans until one differs, then say how many there were."""
    assert config.ENABLE_CUDASIM  # type: ignore[attr-defined] # set from the environment
    trades = [0]

    @settings(
        max_examples=PLANS, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip # one list
    @given(terms=terms(), seed=st.integers(0, 2**31))
    def compare(terms: Terms, seed: int) -> None:
        sets = sets_of(terms, seed, WISHES)
        if sets is None:
            return
        for host in (*sets.bars, *sets.charges, sets.terms, sets.sets):
            if isinstance(host, np.ndarray):
                (column,) = copied_each(host)
                assert column.strides == np.empty(host.shape, host.dtype).strides
        theirs = by_cpu(sets)
        assert differences(by_gpu(sets), theirs) == []
        trades[0] += int(theirs[:, place_of(slots.SUMS + TRADES)].sum())

    compare()
    assert trades[0] > PLANS
    compare_trials()
    ask_why_not()
    print(f"equal: {trades[0]} trades")


if __name__ == "__main__":
    main()
