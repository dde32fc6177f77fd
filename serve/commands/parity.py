"""`phalanx parity`: are our trades those of a TradingView export?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.flags import BarFlags, JsonFlags, OutFlags, PlanFlags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cluster.tv_export import TradeList
    from engines.klines import Klines
    from engines.parity import ListedTrade, ParityReport, Terms
    from engines.trades import Trade

# Slippage and another venue's bars leave some fills a little outside; another symbol or time zone
# leaves most of them far outside.
PRICES_INSIDE_MIN = 0.5
PRICE_SLACK_RATIO = 0.0003
ZONE_MS_MAX = 14 * 3_600_000  # no zone is further from UTC


@dataclass(frozen=True, kw_only=True)
class ParityFlags(JsonFlags, OutFlags, PlanFlags, BarFlags):
    """What `phalanx parity` takes."""

    bars: Annotated[
        list[Path], typer.Option(help="File of bars: CSV or Parquet; repeat for further ones.")
    ]
    trades: Annotated[Path, typer.Option(help="TradingView's list of trades: CSV or XLSX.")]
    strategy: Annotated[str, typer.Option(help="A name or path/to/file.py:Class.")]
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


def parity(flags: ParityFlags) -> int:
    """Compare a strategy's trades with a TradingView export.

    Exit code 0: all are equal; 1: one differs, and the first is shown side by side.
    """
    from engines.parity import compare
    from serve.output import print_notes
    from serve.progress import progress
    from serve.runs import check_out, find_all, parse_settings, run_one, write_out
    from serve.terms import costs_of, market_of, plan_of

    check_out(flags.out, force=flags.force)
    plan, costs = plan_of(flags), costs_of(flags)
    (found,) = find_all([flags.strategy])
    settings = parse_settings(flags.settings, [found])
    names = _names(flags.name)
    market = market_of(flags.bars, flags)
    listed = _listed(flags, market.uncut)
    with progress() as place:
        run = run_one(
            found, settings, market, plan, costs, place, causality_check=flags.causality_check
        )
    theirs, ours, notes = _comparable(listed, run.result.trades, flags.until)
    report = compare(theirs, ours, _terms(flags, names, market.instrument.tick_size))
    outcome = _document(report, (*listed.notes, *notes))
    if flags.out is not None:
        write_out(flags.out, [run], force=flags.force, extra={"parity": outcome})
    print_notes((*market.notes, *listed.notes, *notes))
    _print(report, outcome, flags)
    return 0 if report.is_equal else 1


def _names(texts: list[str] | None) -> dict[str, str]:
    from engines.errors import ParameterFault

    names = {}
    for text in texts or ():
        ours, equals, theirs = text.partition("=")
        if not equals or not ours:
            raise ParameterFault("--name", "OURS=THEIRS", repr(text))
        names[ours] = theirs
    return names


def _terms(flags: ParityFlags, names: dict[str, str], tick_size: float) -> "Terms":
    from engines.parity import MoneyTolerance, Terms

    return Terms(
        money=None if flags.money_tolerance is None else MoneyTolerance(flags.money_tolerance),
        compare_excursions=flags.excursions,
        capital_quote=flags.capital,
        tick_size=tick_size,
        name_map=names or None,
    )


def _listed(flags: ParityFlags, klines: "Klines") -> "TradeList":
    """Read the export; its times must be those of these bars, and its prices inside them.

    Raises: TradeListFault for an export that cannot be read or belongs to other bars.
    """
    from dataclasses import replace

    from cluster.tv_export import locate, read_trade_list

    listed = read_trade_list(flags.trades, flags.time_zone)
    if listed.time_zone is None:
        # The bars may end before the list does; only what they cover can tell the zone.
        first = int(klines.open_time_ms[0]) - ZONE_MS_MAX
        last = int(klines.open_time_ms[-1]) + ZONE_MS_MAX
        covered = [
            trade
            for trade in listed.trades
            if first <= trade.entry_time_ms and (trade.exit_time_ms or trade.entry_time_ms) <= last
        ]
        if covered:
            found = locate(replace(listed, trades=tuple(covered)), klines)
            listed = read_trade_list(flags.trades, found.time_zone)
            listed = replace(listed, notes=found.notes)
    if listed.has_clock:
        _require_same_market(listed, klines, str(flags.trades))
    return listed


def _require_same_market(listed: "TradeList", klines: "Klines", source: str) -> None:
    """Raise TradeListFault unless most listed fills lie inside the bars of their times."""
    from engines.errors import TradeListFault
    from engines.klines import time_text

    fills = [(trade.entry_time_ms, trade.entry_price) for trade in listed.trades]
    first, last = int(klines.open_time_ms[0]), int(klines.open_time_ms[-1])
    covered = [fill for fill in fills if first <= fill[0] <= last + klines.interval_ms]
    if not covered:
        raise TradeListFault(
            source,
            f"trades between {time_text(first)} and {time_text(last)}, where the bars are",
            f"the first at {time_text(fills[0][0])}" if fills else "none",
        )
    inside = 0
    for time_ms, price in covered:
        bar = klines.index_at(time_ms + 1) - 1
        slack = PRICE_SLACK_RATIO * price
        inside += klines.low[bar] - slack <= price <= klines.high[bar] + slack
    if inside < PRICES_INSIDE_MIN * len(covered):
        raise TradeListFault(
            source,
            f"fills inside the bars of {klines.symbol} at their times",
            f"{inside} of {len(covered)} inside, so it is another symbol or time zone",
        )


def _comparable(
    listed: "TradeList", ours: "Sequence[Trade]", until: str | None
) -> "tuple[list[ListedTrade], list[Trade], list[str]]":
    """Return both lists where they can be compared, and what was left out.

    Ours after the end of the list are left out: the export ended before the bars. With `until`,
    trades that have not ended by then are left out on both sides.
    """
    from serve.terms import parse_time_ms

    theirs, mine, notes = list(listed.trades), list(ours), []
    if until is not None:
        until_ms = parse_time_ms("--until", until)
        theirs = [t for t in theirs if t.exit_time_ms is not None and not t.is_open]
        theirs = [t for t in theirs if (t.exit_time_ms or 0) < until_ms]
        mine = [trade for trade in mine if not trade.is_open]
        if left := len(listed.trades) - len(theirs):
            notes.append(f"{left} listed trades that end after --until are not compared")
    elif theirs and len(mine) > len(theirs):
        end_ms = max(max(t.entry_time_ms, t.exit_time_ms or 0) for t in theirs)
        extra = [trade for trade in mine[len(theirs) :] if trade.entry_time_ms < end_ms]
        kept = mine[: len(theirs)] + extra
        if left := len(mine) - len(kept):
            notes.append(f"{left} trades of ours enter after the list's end: not compared")
        mine = kept
    return theirs, mine, notes


def _document(report: "ParityReport", notes: tuple[str, ...]) -> dict[str, object]:
    return {
        "equal": report.is_equal,
        "matched": report.matched,
        "listed": report.total,
        "ours": report.total_ours,
        "first_difference": report.first,
        "likely_cause": report.cause,
        "differences": [
            {"trade": item.number, "field": item.field, "listed": item.listed, "ours": item.ours}
            for item in report.differences
        ],
        "notes": list(notes),
    }


def _print(report: "ParityReport", outcome: dict[str, object], flags: ParityFlags) -> None:
    from serve.output import print_json

    if flags.json:
        print_json(outcome)
        return
    print(report.text())
    if report.differences and all(item.field.endswith("_name") for item in report.differences):
        print("to compare all but the names' wording: --name OURS=THEIRS for each")
    if flags.out is not None:
        print(f"report: {flags.out / 'report.html'}")
