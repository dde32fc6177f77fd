"""`phalanx demo`: both kinds of strategy on made-up bars or on a file, with a report to open."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.flags import BarFlags, JsonFlags, PlanFlags

if TYPE_CHECKING:
    from serve.terms import Market

SEED = 20_250_101
BARS = 35_040  # a year of 15-minute bars
INTERVAL_MS = 15 * 60_000
CHANNEL_BARS = 96  # a day


@dataclass(frozen=True, kw_only=True)
class DemoFlags(JsonFlags):
    """What `phalanx demo` takes."""

    bars: Annotated[
        list[Path] | None, typer.Option(help="File of bars; else a made-up market, said so.")
    ] = None
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("out/demo")
    force: Annotated[bool, typer.Option("--force", help="Write into a folder in use.")] = False


def demo(flags: DemoFlags) -> int:
    """Backtest two built-in strategies and write a report."""
    from serve.output import print_notes, print_runs
    from serve.plan_terms import plan_and_costs
    from serve.progress import progress
    from serve.runs import check_out, find_all, run_one, trial_ledger, write_out

    check_out(flags.out, force=flags.force)
    market = _market(flags.bars)
    plan, costs = plan_and_costs(PlanFlags())
    settings = {"period": str(CHANNEL_BARS)}
    with trial_ledger() as ledger, progress() as place:
        trade = partial(run_one, place=place, causality_check=True, ledger=ledger)
        runs = [
            trade(found, settings, market, plan, costs)
            for found in find_all(["ema_crossover", "channel_breakout"])
        ]
    write_out(flags.out, runs, force=flags.force)
    print_notes(market.notes)
    print_runs(runs, flags.out, json=flags.json)
    return 0


def _market(bars: list[Path] | None) -> "Market":
    from serve.terms import market_from, market_of

    if bars:
        return market_of(bars, BarFlags())
    from engines.synthetic import synthetic_klines

    klines = synthetic_klines(BARS, INTERVAL_MS, SEED)
    note = f"SYNTHETIC bars from seed {SEED}: no real market (use --bars FILE for one)"
    return market_from(klines, [note], BarFlags(tick_size=0.1, qty_step=0.001))
