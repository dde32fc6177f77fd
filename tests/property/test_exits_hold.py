"""What holds of every exit and every rung, whatever a strategy says: watched while the run goes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings

import engines.brackets
import engines.broker
from engines.backtest import Backtest
from engines.book import Book
from engines.brackets import ratchet_on
from engines.execution import Execution
from engines.orders import Order, Unit
from engines.plan import Basis
from engines.trades import ExitReason
from tests.property.strategies_random import CASES, RAWS, Case

BRACKET_REASONS = (
    ExitReason.STOP_LOSS,
    ExitReason.TAKE_PROFIT,
    ExitReason.TRAILING_STOP,
    ExitReason.BREAKEVEN_SL,
)
EXAMPLES, EXAMPLES_LONG = 60, 4_000


def _stop_of(leg: Order) -> float:
    """Return the stop of a leg, higher is tighter."""
    return leg.down if leg.side < 0 else -leg.up


@contextmanager
def watched(owner: Any, name: str, check: Callable[..., None]) -> Iterator[None]:
    """Call `check` with the arguments of every call of a function before it runs."""
    original = getattr(owner, name)

    def checking(*args: Any, **terms: Any) -> Any:
        check(*args, **terms)
        return original(*args, **terms)

    with patch.object(owner, name, checking):
        yield


def check_ratchets(case: Case) -> None:
    """A ratchet never loosens a stop, nor does it set one that the price has passed."""

    def tightened(leg: Order, moves: Any, price: float) -> bool:
        before, waiting = _stop_of(leg), len(moves.ratchets)
        has_moved = ratchet_on(leg, moves, price)
        assert has_moved == (len(moves.ratchets) < waiting)
        assert _stop_of(leg) >= before
        if has_moved:
            assert (price - moves.ratchet_stop) * -leg.side > 0, (price, moves)
        return has_moved

    with (
        patch.object(engines.broker, "ratchet_on", tightened),
        patch.object(engines.brackets, "ratchet_on", tightened),
    ):
        case.run()


def check_trailing(case: Case) -> None:
    """A stop that trails never falls back while its leg lives."""
    best: dict[int, tuple[Order, float]] = {}

    def not_loosened(book: Book) -> None:
        for leg in book.resting:
            if leg.moves is not None and leg.moves.is_trailing:
                stop = leg.moves.trail_stop * -leg.side
                assert stop >= best.get(id(leg), (leg, stop))[1]
                best[id(leg)] = leg, stop  # The leg is kept, so that no other gets its id.

    with watched(Book, "refresh", not_loosened):
        case.run()


def check_rungs(case: Case) -> None:
    """A rung opens nothing: it adds to a position of its side."""

    def adds(execution: Execution, order: Order, *_: Any) -> None:
        if order.with_position:
            assert order.is_bound
            assert execution.position.signed_steps * order.side > 0

    with watched(Execution, "_open", adds):
        case.run()


def check_leg_fills(case: Case) -> None:
    """The reason of a leg's fill is the level that the price has met."""

    def has_met(execution: Execution, order: Order, price: float, slips: bool, *rest: Any) -> None:
        if order.bracket is None:
            return
        reason, sign = rest[1], -int(order.side)
        assert reason in BRACKET_REASONS
        assert slips == (reason is not ExitReason.TAKE_PROFIT)
        if reason is ExitReason.TAKE_PROFIT:
            assert (price - order.limit) * sign >= 0
        elif reason is ExitReason.STOP_LOSS:
            assert (order.stop - price) * sign >= 0
        else:
            assert order.moves is not None
            is_trailed = reason is ExitReason.TRAILING_STOP
            stop = order.moves.trail_stop if is_trailed else order.moves.ratchet_stop
            assert (stop - price) * sign >= 0

    with watched(Execution, "fill", has_met):
        case.run()


def check_targets(case: Case) -> None:
    """A target that is a distance from its own entry closes at no worse than the entry's price."""

    def gains(execution: Execution, order: Order, price: float, slips: bool, *rest: Any) -> None:
        bracket, entry = order.bracket, order.entry
        if bracket is None or entry is None or bracket.spec.basis is not Basis.ENTRY:
            return
        is_distance = all(unit is not Unit.PRICE for unit, _ in bracket.spec.gains)
        if is_distance and rest[1] is ExitReason.TAKE_PROFIT:
            assert (price - entry.price) * entry.side >= 0

    with watched(Execution, "fill", gains):
        case.run()


def check_reasons(case: Case) -> None:
    """The reason of a trade fits the kind of order that its name tells."""
    result: Backtest = case.run()
    for trade in result.trades:
        reason, kind = trade.exit_reason, trade.exit_name.partition("@")[0]
        assert (reason is ExitReason.END_OF_DATA) == trade.is_open
        if reason in BRACKET_REASONS:
            assert kind.startswith("X") or kind in set(ExitReason), trade
        if reason is ExitReason.REVERSAL:
            assert kind.startswith(("E", "long", "short")), trade
        if kind in ("C", *RAWS):
            assert reason is ExitReason.SIGNAL, trade


CHECKS: tuple[Callable[[Case], None], ...] = (
    check_ratchets,
    check_trailing,
    check_rungs,
    check_leg_fills,
    check_targets,
    check_reasons,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@settings(max_examples=EXAMPLES)
@given(case=CASES)
def test_exits_hold_their_promise(check: Callable[[Case], None], case: Case) -> None:
    check(case)


@pytest.mark.long
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@settings(max_examples=EXAMPLES_LONG)
@given(case=CASES)
def test_exits_hold_their_promise_on_thousands(check: Callable[[Case], None], case: Case) -> None:
    check(case)
