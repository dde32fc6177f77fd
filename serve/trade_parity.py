"""Compare trades with a TradingView list as `phalanx parity` asks: read it, match it, say it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cluster.tv_export import TradeList, locate, read_trade_list
from engines.backtest import Backtest
from engines.errors import ParameterFault, TradeListFault
from engines.klines import Klines, time_text
from engines.parity import ListedTrade, MoneyTolerance, ParityReport, Terms, compare
from serve.times import parse_time_ms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engines.trades import Trade
    from serve.commands.parity import ParityFlags

# Slippage and another venue's bars leave some fills a little outside; another symbol or time zone
# leaves most of them far outside.
PRICES_INSIDE_MIN = 0.5
PRICE_SLACK_RATIO = 0.0003
ZONE_MS_MAX = 14 * 3_600_000  # no zone is further from UTC


def parse_names(texts: list[str] | None) -> dict[str, str]:
    """Return OURS=THEIRS texts as a mapping.

    Raises: ParameterFault for another form.
    """
    names = {}
    for text in texts or ():
        ours, equals, theirs = text.partition("=")
        if not equals or not ours:
            raise ParameterFault("--name", "OURS=THEIRS", repr(text))
        names[ours] = theirs
    return names


@dataclass(frozen=True, slots=True)
class TradesCompared:
    """What came of comparing two lists: whether all is equal, and how that is said."""

    is_equal: bool
    text: str
    document: dict[str, object]
    notes: tuple[str, ...]


def compare_trades(flags: "ParityFlags", listed: TradeList, result: Backtest) -> TradesCompared:
    """Return how the trades of a run compare with the list."""
    theirs, mine, notes = _comparable(listed, result.trades, flags.until)
    report = compare(theirs, mine, _terms(flags, parse_names(flags.name), result))
    text = report.text()
    if report.differences and all(item.field.endswith("_name") for item in report.differences):
        text += "\nto compare all but the names' wording: --name OURS=THEIRS for each"
    document = _document(report, (*listed.notes, *notes))
    return TradesCompared(report.is_equal, text, document, tuple(notes))


def _terms(flags: "ParityFlags", names: dict[str, str], result: Backtest) -> Terms:
    return Terms(
        money=None if flags.money_tolerance is None else MoneyTolerance(flags.money_tolerance),
        compare_excursions=flags.excursions,
        capital_quote=result.plan.capital_quote,
        tick_size=result.instrument.tick_size,
        name_map=names or None,
    )


def read_listed(path: "Path", time_zone: str | None, klines: Klines) -> TradeList:
    """Read the export; its times must be those of these bars, and its prices inside them.

    Raises: TradeListFault for an export that cannot be read or belongs to other bars.
    """
    listed = read_trade_list(path, time_zone)
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
            listed = read_trade_list(path, found.time_zone)
            listed = replace(listed, notes=found.notes)
    if listed.has_clock:
        _require_same_market(listed, klines, str(path))
    return listed


def _require_same_market(listed: TradeList, klines: Klines, source: str) -> None:
    """Raise TradeListFault unless most listed fills lie inside the bars of their times."""
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
    listed: TradeList, ours: "Sequence[Trade]", until: str | None
) -> tuple[list[ListedTrade], "list[Trade]", list[str]]:
    """Return both lists where they can be compared, and what was left out.

    Ours after the end of the list are left out: the export ended before the bars. With `until`,
    trades that have not ended by then are left out on both sides.
    """
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


def _document(report: ParityReport, notes: tuple[str, ...]) -> dict[str, object]:
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
