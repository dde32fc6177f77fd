"""`phalanx backtest`: trade strategies on bars from files or the history."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from serve.flags import BarFlags, JsonFlags, OutFlags, PlanFlags


@dataclass(frozen=True, kw_only=True)
class BacktestFlags(JsonFlags, OutFlags, PlanFlags, BarFlags):
    """What `phalanx backtest` takes."""

    strategies: Annotated[
        list[str],
        typer.Argument(
            metavar="STRATEGY",
            help="Names, NAME:preset, all, or path/to/file.py:Class (see `phalanx strategies`).",
        ),
    ]
    bars: Annotated[
        list[Path] | None,
        typer.Option(
            help="File of bars: CSV or Parquet; repeat for further ones, of other symbols too.",
            rich_help_panel=BarFlags.panel,
        ),
    ] = None


def backtest(flags: BacktestFlags) -> int:
    """Trade strategies on bars, each on every market, and compare them."""
    from serve.evaluations import record_runs
    from serve.output import print_notes, print_runs
    from serve.plan_terms import plan_and_costs
    from serve.progress import progress
    from serve.runs import (
        check_out,
        expanded,
        find_all,
        parse_settings,
        run_one,
        trial_ledger,
        write_out,
    )
    from serve.terms import markets_asked

    check_out(flags.out, force=flags.force)
    plan, costs = plan_and_costs(flags)
    found = find_all(expanded(flags.strategies))
    settings = parse_settings(flags.settings, found)
    markets = markets_asked(flags.bars or (), flags)
    with trial_ledger() as ledger, progress() as place:
        trade = partial(run_one, place=place, causality_check=flags.causality_check, ledger=ledger)
        runs = [trade(item, settings, market, plan, costs) for market in markets for item in found]
    if flags.out is not None:
        write_out(flags.out, runs, force=flags.force)
    record_runs(runs, flags.out)
    if len(markets) > 1 and flags.bars:
        names = ", ".join(market.klines.symbol for market in markets)
        print_notes([f"markets by file name: {names} (--symbol makes one of them)"])
    print_notes(note for market in markets for note in market.notes)
    print_runs(runs, flags.out, json=flags.json)
    return 0
