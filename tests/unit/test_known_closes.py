"""What is kept of closes that were found: for plans that differ in their stop, within its bytes."""

import numpy as np
import pytest

from engines.costs import Costs
from engines.instrument import Instrument
from engines.kernels.parts import known_closes
from engines.kernels.parts.columns import PartExits
from engines.kernels.parts.known_closes import Asked, KnownCloses
from engines.kernels.parts.runs import part_exits, portions_of
from engines.kernels.plan_terms import terms_row
from engines.plan import Exits, Plan, Target
from engines.types import F64_1D

ENTRIES = 1_000
ASKED: Asked = [(np.arange(3), np.arange(3, dtype=np.int32))]


def terms(stop: float, target: float = 0.02) -> F64_1D:
    exits = Exits(stop_loss_ratio=stop, targets=(Target(target, 0.5), Target(0.05, 0.5)))
    return terms_row(Plan(exits=exits), Costs(), Instrument("SYNTHETIC", 0.1, 0.001))


def room() -> PartExits:
    return part_exits(np.empty(0, np.int32), ENTRIES, 1, portions_of(terms(0.01)))


def test_closes_are_lent_again_to_a_plan_that_differs_in_its_stop_alone() -> None:
    kept = KnownCloses()
    asks = [terms(0.01)], None, ASKED, room
    with kept.lent(*asks) as first, kept.lent(*asks) as second:
        assert second is not first  # What is lent is nobody else's.
    with kept.lent([terms(0.03)], None, ASKED, room) as again:
        assert again in (first, second)
    with kept.lent([terms(0.01, target=0.01)], None, ASKED, room) as other:
        assert other not in (first, second)
    later: Asked = [(np.arange(3), np.arange(1, 4, dtype=np.int32))]
    with kept.lent([terms(0.01)], None, later, room) as longer:
        assert longer not in (first, second, other)


def test_what_was_kept_longest_goes_where_there_is_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, lent = KnownCloses(), list[known_closes.Known]()
    targets = 0.01, 0.02, 0.03
    with kept.lent([terms(0.01, 0.04)], None, ASKED, room) as known:
        size = known.bytes
    assert size >= 8 * ENTRIES
    monkeypatch.setattr(known_closes, "KEPT_BYTES", 2 * size)
    for target in targets:
        with kept.lent([terms(0.01, target)], None, ASKED, room) as known:
            lent.append(known)
    for target, was, stays in reversed(list(zip(targets, lent, (False, True, True), strict=True))):
        with kept.lent([terms(0.02, target)], None, ASKED, room) as known:
            assert (known is was) == stays


def test_what_an_exception_leaves_is_not_lent_again() -> None:
    kept = KnownCloses()
    with pytest.raises(ZeroDivisionError), kept.lent([terms(0.01)], None, ASKED, room) as first:
        raise ZeroDivisionError
    with kept.lent([terms(0.01)], None, ASKED, room) as second:
        assert second is not first
