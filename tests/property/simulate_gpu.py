"""Run random sets in CUDA's simulator and on the CPU; a process of its own (`test_gpu_equals_cpu`).

It asks besides that every column reaches the device with the steps of its shape. A row that is a
view may have others; a GPU then gives it another type and would compile another kernel for it.
"""

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numba.core import config

from engines.kernels import slots
from engines.kernels.gpu import copied_each
from engines.kernels.summary import TRADES
from tests.property.gpu_cases import by_cpu, by_gpu, differences, place_of, sets_of
from tests.property.test_kernel_equals_reference import Terms, terms

PLANS, WISHES = 12, 2


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
    print(f"equal: {trades[0]} trades")


if __name__ == "__main__":
    main()
