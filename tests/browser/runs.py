"""The runs whose reports are opened: an ordinary one, several, none traded, and hostile names."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.klines import Klines
from engines.metrics.measure import measure
from engines.plan import Exits, Plan, Sizing, SizingKind
from engines.report import Run
from engines.synthetic import synthetic_klines
from engines.wishes import Tradable
from strategies.channel_breakout import ChannelBreakout
from strategies.ema_crossover import EmaCrossover

KLINES = synthetic_klines(2500, 900_000, seed=5)
EVIL = "</script><img src=x onerror=alert(1)><script>alert(2)</script>"
BOLD = Plan(sizing=Sizing(SizingKind.EQUITY_RATIO, 0.9))
PLAN = replace(BOLD, exits=Exits(stop_loss_ratio=0.01, take_profit_ratio=0.02))


def run_of(name: str, strategy: Tradable, klines: Klines = KLINES, plan: Plan = PLAN) -> Run:
    """Return a run as the command line makes it."""
    instrument = Instrument(klines.symbol, tick_size=0.1, qty_step=0.001)
    result = run_backtest(strategy, klines, instrument, plan, Costs())
    return Run(
        strategy=name,
        parameters={"period": 20},
        result=result,
        metrics=measure(result),
        notes=("tick size 0.1 given",),
        command=f"phalanx backtest {name} --bars bars.csv --interval 15m",
        versions={"phalanx": "0.1.0", "python": "3.11"},
    )


def ordinary() -> list[Run]:
    """Return one run with some hundred trades."""
    return [run_of("ema_crossover", EmaCrossover())]


def several() -> list[Run]:
    """Return three runs to compare, one of them on other bars."""
    return [
        run_of("ema_crossover", EmaCrossover()),
        run_of("channel_breakout", ChannelBreakout(period=96), plan=BOLD),
        run_of("ema_crossover", EmaCrossover(), replace(KLINES, symbol="ETHUSDT")),
    ]


def untraded() -> list[Run]:
    """Return one run that never traded."""
    return [run_of("ema_crossover", EmaCrossover(), KLINES.between(0, 8))]


def ruined() -> list[Run]:
    """Return one run of one trade that lost more than there was, so that nothing compounds."""
    run = run_of("ema_crossover", EmaCrossover())
    trade = run.result.trades[0]._replace(pnl_quote=-12_000.0, pnl_ratio=-1.2, mae_quote=12_000.0)
    equity = np.where(np.arange(len(KLINES)) < trade.exit_bar, 10_000.0, -2_000.0)
    result = replace(run.result, trades=(trade,), equity_quote=equity)
    return [replace(run, result=result, metrics=measure(result))]


def one_bar() -> list[Run]:
    """Return one run on a single bar."""
    return [run_of("ema_crossover", EmaCrossover(), KLINES.between(0, 1))]


def hostile() -> list[Run]:
    """Return one run in which everything that has a name tries to be markup."""
    run = run_of(EVIL, EmaCrossover(), replace(KLINES, symbol=EVIL))
    trades = tuple(trade._replace(entry_name=EVIL, exit_name=EVIL) for trade in run.result.trades)
    return [
        replace(
            run,
            result=replace(run.result, trades=trades, refusals={EVIL: 3}),
            parameters={EVIL: EVIL},
            notes=(EVIL,),
            command=EVIL,
            versions={"phalanx": EVIL},
        )
    ]


KINDS: dict[str, Callable[[], list[Run]]] = {
    "ordinary": ordinary,
    "several": several,
    "untraded": untraded,
    "hostile": hostile,
    "ruined": ruined,
    "one_bar": one_bar,
}
