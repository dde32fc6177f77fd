"""Hedge mode: a long and a short position of one instrument side by side, over one account.

Theory. Each side is a broker of its own, with its own orders, brackets, entries, pyramiding limit
and isolated margin, so that an entry of one side never touches the other. They share the account:
equity counts both positions, a share of equity is of that, and an entry fills only where the
margins of both positions fit. Re-entry rules, Kelly's share and the maximum position look at the
trades and the position of the entry's own side. There are no margin calls: each side is liquidated
alone, without leverage at a loss of its whole entry value (`liquidation`).

A bar is played for the long side first and then for the short one, along the same path; then both
decide, the long side first. What one side sees of the other inside a bar is therefore the other's
state at the start of the bar (the long side) or at its end (the short side). With fixed quantities
and enough money the sides do not see each other at all: the run has exactly the trades of a run of
the long wishes and those of a run of the short wishes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engines.broker import Broker
from engines.signal_orders import SignalOrders
from engines.trades import Fill, FundingPayment, Trade


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a run, in the order in which it happened; open trades are the last."""

    trades: tuple[Trade, ...]
    fills: tuple[Fill, ...]
    payments: tuple[FundingPayment, ...]
    refusals: dict[str, int]

    @classmethod
    def of(cls, broker: Broker) -> "Played":
        """Return what came of one broker's run."""
        execution = broker.execution
        return cls(
            (*execution.position.trades, *broker.open_trades()),
            tuple(execution.fills),
            tuple(execution.payments),
            dict(execution.admission.refusals),
        )


class Hedge:
    """Two brokers over one account, the long side's first."""

    def __init__(self, brokers: Sequence[Broker]) -> None:
        self.brokers = brokers
        self._trades: list[Trade] = []
        self._fills: list[Fill] = []
        self._payments: list[FundingPayment] = []
        self._seen = [(0, 0, 0), (0, 0, 0)]
        long, short = (broker.execution.position for broker in brokers)
        long.peer, short.peer = short, long

    def run(self, wishes: Sequence[SignalOrders], start_bar: int) -> Played:
        """Trade the wishes of both sides, one `SignalOrders` a broker, and return what came."""
        sides = list(zip(self.brokers, wishes, strict=True))
        bars, bar_index = len(self.brokers[0].closes), start_bar
        while bar_index < bars:
            event = min(bars - 1, *(wish.next_bar(bar_index) for wish in wishes))
            busy = min(broker.next_busy(bar_index, event + 1) for broker in self.brokers)
            bar_index = min(busy, event)
            for broker, wish in sides if busy <= event else ():
                if not broker.is_quiet(bar_index):
                    broker.play(bar_index)
                    wish.follow(bar_index)
                    self._collect()
            for broker, wish in sides:
                if wish.next_bar(bar_index) == bar_index:
                    wish.decide(bar_index)
                    broker.settle(bar_index)
                    wish.follow(bar_index)
                    self._collect()
            bar_index += 1
        return self._played()

    def _collect(self) -> None:
        """Note what has happened since the last time, in order."""
        for place, broker in enumerate(self.brokers):
            execution = broker.execution
            trades, fills, payments = self._seen[place]
            self._trades += execution.position.trades[trades:]
            self._fills += execution.fills[fills:]
            self._payments += execution.payments[payments:]
            self._seen[place] = (
                len(execution.position.trades), len(execution.fills), len(execution.payments)
            )  # fmt: skip # three counts

    def _played(self) -> Played:
        opened: list[Trade] = []
        earlier_quote = 0.0
        for broker in self.brokers:
            trades, before = broker.open_trades(), broker.execution.position.earned_quote
            opened += [
                t._replace(cumulative_quote=t.cumulative_quote + earlier_quote) for t in trades
            ]
            if trades:
                earlier_quote += trades[-1].cumulative_quote - before
        refusals: Counter[str] = Counter()
        for broker in self.brokers:
            refusals += broker.execution.admission.refusals
        return Played(
            (*self._trades, *opened), tuple(self._fills), tuple(self._payments), dict(refusals)
        )
