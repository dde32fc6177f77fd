"""One run, from bars to results. The way of the data, step by step:

1. klines: checked bars (`klines`), perhaps of a longer interval (`resample`).
2. features: causal columns (`features/`), computed by the strategy.
3. signals: what a signals strategy wants (`signals`), and what the plan makes of it: filters, hours
   and close rules as columns (`rules/`) ...
4. orders: ... put to the desk (`signal_orders`), or what an order strategy says itself (`context`).
5. fills: the broker plays each bar against the orders (`desk`, `book`, `broker`, `execution`).
6. trades: fills matched into round trips (`position`, `trades`).
7. equity: the account at every close (`equity`).
8. metrics and the report are made from this result (`metrics/`, `report`).
"""

from dataclasses import dataclass

import numpy as np

from engines.broker import Broker
from engines.context import Context, PlacesOrders
from engines.costs import Costs
from engines.equity import equity_curve
from engines.errors import Fault, PlanFault, StrategyFault
from engines.funding import Funding
from engines.hedge import Hedge, Played
from engines.instrument import Instrument
from engines.klines import Klines, time_text
from engines.plan import Plan
from engines.rules.columns import rule_columns
from engines.signal_orders import SignalOrders
from engines.signals import Signals
from engines.trades import Fill, FundingPayment, Side, Trade
from engines.types import F64_1D
from engines.wishes import (
    Tradable,
    checked_features,
    effective_plan,
    makes_signals,
    places_orders,
    planned_signals,
)


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """The result of a run; `trades` end with the positions still open, `equity_quote` is [T].

    `refusals` counts what was not placed, by reason; `payments` are the funding settlements.
    """

    klines: Klines
    instrument: Instrument
    plan: Plan
    costs: Costs
    start_bar: int
    trades: tuple[Trade, ...]
    fills: tuple[Fill, ...]
    equity_quote: F64_1D
    refusals: dict[str, int]
    payments: tuple[FundingPayment, ...] = ()


def run_backtest(
    strategy: Tradable,
    klines: Klines,
    instrument: Instrument,
    plan: Plan,
    costs: Costs,
    *,
    since_ms: int | None = None,
    magnifier: Klines | None = None,
    rates: F64_1D | None = None,
    funding: Funding | None = None,
    mark: Klines | None = None,
) -> Backtest:
    """Trade `strategy` on `klines` and return what came of it.

    Bars that open before `since_ms` only warm the features up. `magnifier` are lower-interval bars
    for the path inside each bar, `rates` [T] account currency per quote (None: the same), `funding`
    the settlements, `mark` bars of the mark price for them and for liquidation.
    """
    if rates is not None:
        _check_rates(rates, len(klines))
    start_bar = 0 if since_ms is None else klines.index_at(since_ms)
    plan = effective_plan(strategy, plan)
    brokers = [
        Broker(klines, instrument, plan, costs, magnifier, rates, start_bar, funding, mark)
        for _ in range(2 if plan.is_hedged else 1)
    ]
    played = _play(strategy, brokers, klines, start_bar)
    trades, payments = played.trades, played.payments
    unit, capital_quote = instrument.point_value, plan.capital_quote
    return Backtest(
        klines=klines,
        instrument=instrument,
        plan=plan,
        costs=costs,
        start_bar=start_bar,
        trades=trades,
        fills=played.fills,
        equity_quote=equity_curve(trades, klines, capital_quote, unit, rates, payments),
        refusals=played.refusals,
        payments=payments,
    )


def _check_rates(rates: F64_1D, bars: int) -> None:
    if rates.shape != (bars,) or not (np.isfinite(rates).all() and (rates > 0).all()):
        found = f"{rates.shape} from {rates.min():g} to {rates.max():g}" if rates.size else "none"
        raise PlanFault("rates", f"{bars} finite values above zero, one a bar", found)


def _play(strategy: Tradable, brokers: list[Broker], klines: Klines, start_bar: int) -> Played:
    """Trade `strategy` with its brokers and return what came of it."""
    if makes_signals(strategy):
        wishes = planned_signals(strategy, klines, brokers[0].execution.plan)
        return _play_signals(brokers, wishes, klines, start_bar)
    assert places_orders(strategy)
    _run_orders(brokers[0], strategy, klines, start_bar)
    return Played.of(brokers[0])


def _play_signals(
    brokers: list[Broker], signals: Signals, klines: Klines, start_bar: int
) -> Played:
    """Trade wishes with one broker, or with one a side."""
    rules = rule_columns(brokers[0].execution.plan, klines)
    if len(brokers) == 1:
        _run_signals(brokers[0], SignalOrders(signals, rules, brokers[0], klines), start_bar)
        return Played.of(brokers[0])
    wishes = [
        SignalOrders(signals, rules, broker, klines, (side,))
        for broker, side in zip(brokers, Side, strict=True)
    ]
    return Hedge(brokers).run(wishes, start_bar)


def _run_signals(broker: Broker, wishes: SignalOrders, start_bar: int) -> None:
    bars, bar_index = len(broker.closes), start_bar
    while bar_index < bars:
        event = min(wishes.next_bar(bar_index), bars - 1)
        busy = broker.next_busy(bar_index, event + 1)
        bar_index = min(busy, event)
        if busy <= event:
            broker.play(bar_index)
            wishes.follow(bar_index)
        if wishes.next_bar(bar_index) == bar_index:
            wishes.decide(bar_index)
            broker.settle(bar_index)
            wishes.follow(bar_index)
        bar_index += 1


def _run_orders(broker: Broker, strategy: PlacesOrders, klines: Klines, start_bar: int) -> None:
    ctx = Context(broker, klines, checked_features(strategy, klines))
    decide, book = strategy.on_bar, broker.book
    for bar_index in range(start_bar, len(klines)):
        if not broker.is_quiet(bar_index):
            broker.play(bar_index)
        if book.entries_resting:
            broker.drop_unpayable(bar_index)
        ctx.move_to(bar_index)
        try:
            decide(ctx)
        except (Fault, AssertionError):
            raise
        except (Exception, SystemExit) as error:
            raise StrategyFault(
                f"on_bar of {type(strategy).__name__} at {time_text(ctx.open_time_ms)}",
                "a decision",
                f"{type(error).__name__}: {error}",
            ) from error
        if book.immediate or broker.settles:
            broker.settle(bar_index)
