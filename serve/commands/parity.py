"""`phalanx parity`: are our trades and figures those of a TradingView export?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.flags import BarFlags, JsonFlags, OutFlags, PlanFlags

if TYPE_CHECKING:
    from cluster.tv_export import TradeList
    from engines.report import Run
    from serve.terms import Market


@dataclass(frozen=True, kw_only=True)
class ParityFlags(JsonFlags, OutFlags, PlanFlags, BarFlags):
    """What `phalanx parity` takes."""

    bars: Annotated[
        list[Path], typer.Option(help="File of bars: CSV or Parquet; repeat for further ones.")
    ]
    trades: Annotated[
        Path | None, typer.Option(help="TradingView's list of trades: CSV or XLSX.")
    ] = None
    report: Annotated[
        list[Path] | None,
        typer.Option(help="Sheets of TradingView's report: performance, trades, ratios."),
    ] = None
    more_sheets: Annotated[
        list[Path] | None, typer.Argument(metavar="[SHEET]...", help="Further sheets of --report.")
    ] = None
    strategy: Annotated[
        str | None,
        typer.Option(help="A name or path/to/file.py:Class; without it a report is of --trades."),
    ] = None
    time_zone: Annotated[
        str | None, typer.Option(help="Zone of the export's times; else found from its prices.")
    ] = None
    money_tolerance: Annotated[
        float | None, typer.Option(metavar="RATIO", help="How far money may differ, plus 0.01.")
    ] = None
    excursions: Annotated[bool, typer.Option(help="Compare run-up and drawdown of each trade.")] = (
        True
    )
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=THEIRS", help="A signal name of ours as the list calls it."),
    ] = None

    @property
    def sheets(self) -> list[Path]:
        """Return all sheets of the report."""
        return [*(self.report or ()), *(self.more_sheets or ())]


def parity(flags: ParityFlags) -> int:
    """Compare a strategy's trades and figures with a TradingView export.

    With --trades the trades are compared one by one, with --report the figures cell by cell.
    Without --strategy the figures are those of the listed trades themselves.
    Exit code 0: all are equal, but for cells that no bars can explain; 1: one differs.
    """
    from serve.output import print_notes
    from serve.report_parity import compare_sheets, read_sheets
    from serve.runs import check_out, write_out
    from serve.trade_parity import compare_trades

    _require_something_to_compare(flags)
    check_out(flags.out, force=flags.force)
    sheets = read_sheets(flags.sheets)
    run, listed, market = _run(flags)
    outcome: dict[str, object] = {}
    notes: tuple[str, ...] = ()
    texts, is_equal = [], True
    if flags.strategy is not None and listed is not None:
        trades = compare_trades(flags, listed, run.result)
        outcome, notes = trades.document, trades.notes
        texts.append(trades.text)
        is_equal = trades.is_equal
    if sheets is not None:
        figures = compare_sheets(sheets, run)
        is_equal = is_equal and figures.is_equal
        outcome = {**outcome, "equal": is_equal, "report": figures.document}
        notes = (*notes, *figures.notes)
        texts.append(figures.text)
    if flags.out is not None:
        write_out(flags.out, [run], force=flags.force, extra={"parity": outcome})
    print_notes((*market.notes, *(() if listed is None else listed.notes), *notes))
    _print(outcome, texts, flags)
    return 0 if is_equal else 1


def _require_something_to_compare(flags: ParityFlags) -> None:
    from engines.errors import ParameterFault

    if flags.more_sheets and not flags.report:
        raise ParameterFault(str(flags.more_sheets[0]), "--report before the sheets", "none")
    if flags.trades is None and not flags.report:
        raise ParameterFault("phalanx parity", "--trades, --report or both", "neither")
    if flags.strategy is None and flags.trades is None:
        expected = "--strategy, or --trades whose figures they are"
        raise ParameterFault("--report", expected, "neither")
    if flags.strategy is None and not flags.report:
        raise ParameterFault("--trades", "--strategy that makes them, or --report", "neither")


def _run(flags: ParityFlags) -> "tuple[Run, TradeList | None, Market]":
    """Return the run to compare: the strategy's, or that of the listed trades themselves."""
    from engines.errors import ParameterFault
    from serve.plan_terms import plan_and_costs
    from serve.progress import progress
    from serve.report_parity import run_of_list
    from serve.runs import find_all, parse_settings, run_one
    from serve.terms import market_of
    from serve.trade_parity import parse_names, read_listed

    plan, costs = plan_and_costs(flags)
    found = find_all([flags.strategy] if flags.strategy else [])
    if len(found) > 1:
        raise ParameterFault("--strategy", "one strategy", f"{len(found)}, {flags.strategy}")
    settings = parse_settings(flags.settings, found) if found else {}
    parse_names(flags.name)
    market = market_of(flags.bars, flags)
    listed = None
    if flags.trades is not None:
        listed = read_listed(flags.trades, flags.time_zone, market.uncut)
    if not found:
        assert listed is not None  # _require_something_to_compare
        return run_of_list(flags.trades, listed, market, plan, costs), listed, market
    with progress() as place:
        check = flags.causality_check
        run = run_one(
            found[0], settings, market, plan, costs, place, causality_check=check, ledger=None
        )
    return run, listed, market


def _print(outcome: dict[str, object], texts: list[str], flags: ParityFlags) -> None:
    from serve.output import print_json

    if flags.json:
        print_json(outcome)
        return
    print("\n".join(texts))
    if flags.out is not None:
        print(f"report: {flags.out / 'report.html'}")
