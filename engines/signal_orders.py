"""Signals become orders: the strategy that trades what a column of wishes asks for, by the plan.

Theory. A bar with a wish is a decision like any other and goes through the same desk. At a close
the order of things is:

1. An entry that has waited its bars out is cancelled.
2. The position is closed where the session or the weekend says so, where it has been held its bars,
   or where an exit wish or a close rule asks for it (`exits.only_in_profit` judges only the last).
3. An entry wish that filters and hours allow passes the gates (re-entry, one ladder at a time, no
   reversal at a loss under `only_in_profit`), takes the place of an entry that still waits, is
   sized, and gets its bracket; a ladder puts its rungs beside it.

Bars without a wish need no decision, so the run only plays those in which the broker is not quiet.
What a fill makes necessary later (a time exit, tending a ladder) is a *wake*: one more bar to
decide at.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from engines.broker import Broker
from engines.campaign import Campaign, Waiting
from engines.desk import Desk
from engines.klines import Klines
from engines.plan import EntryKind, Plan
from engines.plan.sizing import CLAMPED
from engines.reentry import ReentryGate
from engines.rules.columns import RuleColumns
from engines.signal_brackets import Levels, SignalBrackets
from engines.signals import Signals
from engines.sizing import equity_share
from engines.trades import ExitReason, Side
from engines.types import BOOL_1D, F64_1D

ENTRY_NAMES = {Side.BUY: "long", Side.SELL: "short"}
NEVER = 2**63 - 1  # beyond every bar


class Agenda:
    """The wishes that rules allow, by side and bar, and when one can matter.

    Which wishes can matter depends on what is held: flat, only entries do; in a position its exits
    and the opposite entries; entries of its own side only while there is room for one more.
    """

    def __init__(self, signals: Signals, rules: RuleColumns, sides: tuple[Side, ...]) -> None:
        none = np.zeros(len(signals), dtype=np.bool_)
        long, short = Side.BUY, Side.SELL
        self.enters = {
            long: _both(signals.entry_long, rules.may_long) if long in sides else none,
            short: _both(signals.entry_short, rules.may_short) if short in sides else none,
        }
        self.leaves = {
            long: _either(signals.exit_long, rules.close_long),
            short: _either(signals.exit_short, rules.close_short),
        }
        always = _either(_either(none, rules.session_close), rules.weekend_close)
        enters = self.enters[long] | self.enters[short] | always
        self._flat = _bars_of(enters)
        self._roomy = {side: _bars_of(enters | self.leaves[side]) for side in (long, short)}
        self._full = {
            side: _bars_of(self.enters[side.opposite] | self.leaves[side] | always)
            for side in (long, short)
        }

    def next_event(self, bar_index: int, signed_steps: int, is_full: bool) -> int:
        """Return the first bar from `bar_index` on with a wish that can matter to what is held."""
        if not signed_steps:
            events = self._flat
        else:
            side = Side.BUY if signed_steps > 0 else Side.SELL
            events = self._full[side] if is_full else self._roomy[side]
        place = bisect_left(events, bar_index)
        return events[place] if place < len(events) else NEVER


class SignalOrders:
    """Turns one strategy's signals into commands at the desk of `broker`.

    `sides` are those that it trades.
    """

    def __init__(
        self,
        signals: Signals,
        rules: RuleColumns,
        broker: Broker,
        klines: Klines,
        sides: tuple[Side, ...] = (Side.BUY, Side.SELL),
    ) -> None:
        execution = broker.execution
        self.desk = Desk(broker)
        self.plan: Plan = execution.plan
        self._signals, self._rules, self._broker = signals, rules, broker
        self._execution, self._position = execution, execution.position
        self._refusals = execution.admission.refusals
        execution.admission.is_strict = True
        self._close_times = klines.close_time_ms
        priced = signals.priced()
        self._stops, self._targets = _listed(priced.stop_price), _listed(priced.target_price)
        self._brackets = SignalBrackets(self.plan.exits, self.plan.basis, execution.instrument)
        self._gate = (
            ReentryGate(self.plan.reentry, execution.instrument.time_zone, self._position.rounds)
            if self.plan.reentry.is_used
            else None
        )
        self._room = max(1, self.plan.pyramiding)
        self._agenda = Agenda(signals, rules, sides)
        self._wishes = [(side, wishes.tolist()) for side, wishes in self._agenda.enters.items()]
        self._wake = NEVER
        self._waits: list[str] = []
        self._timeout = NEVER
        self._campaigns: list[Campaign] = []  # a second one while a reversal waits
        self._fills_seen = 0
        self._is_due = False
        self._is_closing = False

    def next_bar(self, bar_index: int) -> int:
        """Return the first bar from `bar_index` on at whose close there is something to decide."""
        if self._is_due:
            return bar_index
        event = self._agenda.next_event(bar_index, self._position.signed_steps, self._is_full)
        return max(bar_index, min(event, self._wake))

    @property
    def _is_full(self) -> bool:
        """Return whether the position takes no further entry of its side; a ladder takes none."""
        return self.plan.ladder is not None or len(self._position.entries) >= self._room

    def follow(self, bar_index: int) -> None:
        """Note what a bar that was played makes necessary."""
        held_max = self.plan.hours.bars_held_max
        if held_max is None and not self._campaigns:
            return
        self._wake = self._timeout
        if held_max is not None and self._position.lots:
            self._wake = min(self._wake, self._position.lots[0].bar_index + held_max - 1)
        fills = len(self._execution.fills)
        if fills != self._fills_seen and any(one.is_tended for one in self._campaigns):
            self._fills_seen = fills
            self._is_due = True

    def decide(self, bar_index: int) -> None:
        """Issue what is wished for at the close of `bar_index`."""
        self.desk.bar_index = bar_index
        if bar_index >= self._timeout:
            self._withdraw("entries that timed out")
        self._is_closing = self._is_due = False
        if self._position.signed_steps:
            self._tend(bar_index)
        elif self._waits and self._reason_of_hours(bar_index) is not None:
            self._withdraw("entries that the session's end cancelled")
        for side, wishes in self._wishes:
            if wishes[bar_index]:
                self._enter(side, bar_index)
        self._wake = self._timeout

    def _tend(self, bar_index: int) -> None:
        """Close the position where it must be, or see to its ladder."""
        reason = self._reason_to_close(bar_index)
        if reason is not None:
            self._withdraw()
            self._is_closing = True
            self.desk.close_all(comment=reason.value, reason=reason)
            return
        for campaign in self._campaigns:
            if campaign.is_tended:
                campaign.tend(self.desk, self._position.entries, self._broker.book, self._brackets)

    def _reason_of_hours(self, bar_index: int) -> ExitReason | None:
        """Return the rule of hours under which nothing may be held at this close."""
        rules = self._rules
        if rules.session_close is not None and rules.session_close[bar_index]:
            return ExitReason.SESSION_CLOSE
        if rules.weekend_close is not None and rules.weekend_close[bar_index]:
            return ExitReason.WEEKEND_CLOSE
        return None

    def _reason_to_close(self, bar_index: int) -> ExitReason | None:
        reason, held_max = self._reason_of_hours(bar_index), self.plan.hours.bars_held_max
        if reason is not None:
            return reason
        lots, side = self._position.lots, self._side()
        if held_max is not None and bar_index >= lots[0].bar_index + held_max - 1:
            return ExitReason.TIME_EXIT
        if self._agenda.leaves[side][bar_index] and self._may_close(bar_index):
            return ExitReason.SIGNAL
        return None

    def _side(self) -> Side:
        return Side.BUY if self._position.signed_steps > 0 else Side.SELL

    def _may_close(self, bar_index: int) -> bool:
        """Return whether the plan lets a wish close the position at this close."""
        if not self.plan.exits.only_in_profit:
            return True
        return self._execution.result_if_closed(bar_index) > 0

    def _enter(self, side: Side, bar_index: int) -> None:
        held = 0 if self._is_closing else self._position.signed_steps * side
        if held > 0 and self._is_full:
            return  # A wish that cannot matter is not counted: the agenda does not even stop at it.
        levels = self._levels(bar_index)
        ratio = self._equity_ratio(levels, bar_index)
        refusal = self._refusal(held, levels, ratio, bar_index)
        if refusal is not None:
            self._refusals[refusal] += 1
            return
        if self._waits:
            self._withdraw()
        # An id of its own keeps the bracket of each entry to that entry.
        id = f"{ENTRY_NAMES[side]}@{bar_index}"
        if self._place(id, side, levels, ratio, bar_index) and self._gate is not None:
            self._gate.count(int(self._close_times[bar_index]))

    def _refusal(
        self, held: int, levels: Levels, ratio: float | None, bar_index: int
    ) -> str | None:
        """Return why an entry wish is passed over, None if it is not; `held` > 0 on its side."""
        if held < 0 and self.plan.exits.only_in_profit:
            if self.plan.entry.kind is not EntryKind.MARKET:
                return "reversals that would wait, with exits only in profit"
            if not self._may_close(bar_index):
                return "reversals at a loss"
        if self._brackets.lacks_atr(levels):
            return "entries before the ATR of their exits is known"
        if ratio is not None and not ratio > 0:
            return "entries whose size is nothing or cannot be known"
        if self._gate is not None:
            return self._gate.refusal(bar_index, int(self._close_times[bar_index]))
        return None

    def _levels(self, bar_index: int) -> Levels:
        atr = self._rules.atr
        return Levels(
            close=self._broker.closes[bar_index],
            stop=_at(self._stops, bar_index),
            target=_at(self._targets, bar_index),
            atr=math.nan if atr is None else float(atr[bar_index]),
        )

    def _equity_ratio(self, levels: Levels, bar_index: int) -> float | None:
        """Return the share of equity to spend; None: the plan's own size holds."""
        wished = _at(self._signals.equity_ratio, bar_index)
        ladder, sizing = self.plan.ladder, self.plan.sizing
        if _at(self._signals.size, bar_index) is not None:
            return None
        if wished is not None:
            return wished
        if ladder is not None and ladder.budget_ratio is not None:
            return ladder.budget_ratio
        if sizing.kind not in CLAMPED:
            return None
        volatility = _at(self._rules.atr_ratio, bar_index)
        return equity_share(
            sizing,
            self.plan.leverage,
            self._brackets.stop_ratio(levels),
            math.nan if volatility is None else volatility,
            self._position.rounds,
        )

    def _place(
        self, id: str, side: Side, levels: Levels, ratio: float | None, bar_index: int
    ) -> bool:
        """Put the entry, its bracket and its ladder; return if the entry was placed."""
        qty, ladder = _at(self._signals.size, bar_index), self.plan.ladder
        rungs: list[Waiting] = []
        if ladder is not None:
            first, *rungs = self._rungs(id, side, levels, qty, ratio)
            if not first.qty:
                self._refusals["ladders whose entry is smaller than one quantity step"] += 1
                return False
            qty = first.qty
        limit, stop = self._entry_prices(side, levels.close)
        share, name = ratio if qty is None else None, ENTRY_NAMES[side]
        if not self.desk.entry(
            id, side, qty=qty, equity_ratio=share, limit=limit, stop=stop, comment=name
        ):
            return False
        self._brackets.put(self.desk, id, levels)
        if ladder is not None:
            self._begin_campaign(Campaign(ladder, side, rungs, id, levels))
        if limit is not None or stop is not None:
            self._waits = [id, *(rung.id for rung in rungs)]
            self._timeout = bar_index + self.plan.entry.timeout_bars
        return True

    def _begin_campaign(self, campaign: Campaign) -> None:
        held = {entry.id for entry in self._position.entries}
        self._campaigns = [one for one in self._campaigns if held.intersection(one.ids)]
        self._campaigns.append(campaign)
        small = campaign.begin(self.desk, self._brackets)
        if small:
            self._refusals["rungs smaller than one quantity step"] += small

    def _entry_prices(self, side: Side, close: float) -> tuple[float | None, float | None]:
        """Return limit and stop of an entry's order."""
        terms = self.plan.entry
        if terms.kind is EntryKind.MARKET:
            return None, None
        tick_size = self._execution.instrument.tick_size
        if terms.kind is EntryKind.LIMIT:
            return max(tick_size, close * (1 - side * terms.offset_ratio)), None
        return None, max(tick_size, close * (1 + side * terms.offset_ratio))

    def _rungs(
        self, id: str, side: Side, levels: Levels, qty: float | None, ratio: float | None
    ) -> list[Waiting]:
        """Return the orders of a ladder, the entry first; one smaller than a step has none."""
        assert self.plan.ladder is not None
        name, at = id.split("@")
        account, close = self._execution.account, levels.close
        rate, budget = account.rate(self.desk.bar_index), math.nan
        if qty is None:
            budget = account.budget_quote(account.equity_quote(close, rate), ratio)
        orders, tick_size = [], self._execution.instrument.tick_size
        for place, rung in enumerate(self.plan.ladder.rungs):
            price = max(tick_size, close * (1 - side * rung.offset_ratio))
            if math.isnan(budget):
                steps = self._execution.instrument.steps_down(
                    rung.weight * (self.plan.sizing.value if qty is None else qty)
                )
            else:
                # Ten digits like the budget itself, so that a tenth of it is one.
                money = float(f"{budget * rung.weight:.10g}")
                steps = account.steps_for(money, price, rate)
            size = self._execution.instrument.qty_of(steps)
            own_id = id if not place else f"{name}{place + 1}@{at}"
            orders.append(Waiting(own_id, price, size, is_stop=rung.offset_ratio < 0))
        return orders

    def _withdraw(self, refusal: str = "") -> None:
        """Cancel the entry that waits, and its rungs, if it has not filled."""
        if not self._waits:
            self._timeout = NEVER
            return
        book = self._broker.book
        first = self._waits[0]
        if book.pending(first) is not None:
            for id in self._waits:
                self.desk.cancel(id)
            if refusal:
                self._refusals[refusal] += 1
        self._waits, self._timeout = [], NEVER


def _bars_of(wishes: BOOL_1D) -> list[int]:
    bars: list[int] = np.flatnonzero(wishes).tolist()
    return bars


def _both(wishes: BOOL_1D, allowed: BOOL_1D | None) -> BOOL_1D:
    return wishes if allowed is None else wishes & allowed


def _either(wishes: BOOL_1D, more: BOOL_1D | None) -> BOOL_1D:
    return wishes if more is None else wishes | more


def _listed(column: F64_1D | None) -> list[float] | None:
    """Return a column as a list: reading one cell of it is several times cheaper."""
    return None if column is None else column.tolist()


def _at(column: Sequence[float] | F64_1D | None, bar_index: int) -> float | None:
    """Return the value of an optional column, None where it has none."""
    if column is None:
        return None
    value = float(column[bar_index])
    return None if value != value else value  # NaN
