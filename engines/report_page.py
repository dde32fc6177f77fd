"""The report of a command's runs as one self-contained HTML page that needs no network.

Long series are cut into buckets and each keeps its lowest, highest and last value, so a spike of
one bar stays visible whatever the length of the run. The table shows the first trades; all of them
are in trades.csv beside the page.
"""

import json
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from engines.klines import interval_text, time_text
from engines.metrics.summary import drawdown_quote
from engines.report import Run, fingerprint, is_synthetic, plain, summary_terms, traded_from_ms
from engines.report_assets import SCRIPT, STYLE
from engines.trades import Trade
from engines.types import F64_1D, I64_1D

BUCKETS_MAX = 900
TRADES_SHOWN = 300
TRADES_DRAWN = 3000

Format = Callable[[float], str]


def _money(value: float) -> str:
    return f"{value:,.2f}"


def _percent(value: float) -> str:
    return f"{value * 100:,.2f} %"


def _plain(value: float) -> str:
    return f"{value:,.3f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


# Name in the summary, label, format, what it means (shown on hover).
CARDS: tuple[tuple[str, str, Format, str], ...] = (
    ("net_profit_quote", "Net profit", _money, "Closed trades, after commission"),
    ("return_ratio", "Return", _percent, "Net profit over capital"),
    ("cagr_ratio", "CAGR", _percent, "Yearly growth, days / 365"),
    ("equity_end_quote", "Equity at the end", _money, "Open positions valued at the last close"),
    ("drawdown_quote_max", "Max drawdown", _money, "Equity at bar closes, from its peak"),
    ("drawdown_ratio_max", "Drawdown of peak", _percent, "Of the running peak"),
    ("trades", "Trades", _count, "Closed trades"),
    ("win_ratio", "Win rate", _percent, "Wins over closed trades"),
    ("profit_factor", "Profit factor", _plain, "Gross profit over gross loss"),
    ("expectancy_quote", "Expectancy", _money, "Net profit a trade"),
    ("sharpe", "Sharpe", _plain, "TradingView: monthly, 2 % a year risk-free, not annualised"),
    ("sortino", "Sortino", _plain, "TradingView: monthly, 2 % a year risk-free, not annualised"),
    ("sharpe_annual", "Sharpe, annual", _plain, "Daily equity, x sqrt(365)"),
    ("calmar", "Calmar", _plain, "CAGR over max drawdown"),
    ("recovery_factor", "Recovery factor", _plain, "Net profit over closed drawdown"),
    ("sqn", "SQN", _plain, "sqrt(trades) x mean / deviation of results"),
    ("bars_held_mean", "Average bars", _plain, "Bars in a trade, entry's and exit's counted"),
    ("exposure_ratio", "Exposure", _percent, "Bars with a position"),
    ("win_max_quote", "Largest win", _money, "Of one trade"),
    ("loss_max_quote", "Largest loss", _money, "Of one trade"),
    ("losses_in_a_row_max", "Losses in a row", _count, "Longest run"),
    ("fees_quote", "Commission", _money, "Paid by closed trades"),
    ("pnl_open_quote", "Open result", _money, "Positions open at the last bar"),
    ("buy_and_hold_ratio", "Buy and hold", _percent, "Without costs"),
)
SIGNED = {"net_profit_quote", "return_ratio", "cagr_ratio", "expectancy_quote", "pnl_open_quote"}
TRADE_COLUMNS = (
    "#",
    "Side",
    "Entry (UTC)",
    "Price",
    "Signal",
    "Exit (UTC)",
    "Price",
    "Signal",
    "Quantity",
    "Result",
    "Result %",
    "Best",
    "Worst",
    "Bars",
)

TEXT_COLUMNS = {"Side", "Signal"}


def page(runs: Sequence[Run]) -> str:
    """Return the page of one command's runs."""
    names = ", ".join(run.strategy for run in runs)
    synthetic = any(is_synthetic(run.result.klines) for run in runs)
    title = f"{'SYNTHETIC ' if synthetic else ''}{names}: phalanx backtest"
    series = json.dumps([plain(_series(run)) for run in runs], separators=(",", ":"))
    versions = ", ".join(f"{name} {version}" for name, version in runs[0].versions.items())
    sections = "".join(_section(index, run, len(runs) > 1) for index, run in enumerate(runs))
    banner = (
        '<div class="banner">SYNTHETIC: these bars come from a random generator. '
        "Nothing below says anything about a real market.</div>"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n"
        f"<h1>{escape(names)}</h1>\n{_bars_line(runs[0])}\n{banner if synthetic else ''}"
        f"{_comparison(runs) if len(runs) > 1 else ''}{sections}"
        f"<h2>Repeat it</h2><code>{escape(runs[0].command)}</code>"
        f'<p class="dim">{escape(versions)}</p>'
        f'<p class="dim">Bars\' SHA-256: {fingerprint(runs[0].result.klines)}</p>\n'
        f'<script type="application/json" id="series">{series}</script>\n'
        f"<script>{SCRIPT}</script>\n</body></html>\n"
    )


def _bars_line(run: Run) -> str:
    klines = run.result.klines
    words = (
        f"{klines.symbol}, {interval_text(klines.interval_ms)}, {len(klines):,} bars, traded "
        f"{time_text(traded_from_ms(run.result))} to {time_text(int(klines.close_time_ms[-1]))}"
    )
    return f'<p class="dim">{escape(words)}</p>'


def _comparison(runs: Sequence[Run]) -> str:
    """Return one row a run, the figures one looks at first."""
    shown = [card for card in CARDS if card[0] in COMPARED]
    head = "".join(f"<th>{escape(label)}</th>" for _, label, _, _ in shown)
    rows = []
    for run in runs:
        terms = summary_terms(run.summary)
        cells = "".join(
            f"<td>{_figure(name, terms[name], form)}</td>" for name, _, form, _ in shown
        )
        rows.append(f'<tr><td class="left">{escape(run.strategy)}</td>{cells}</tr>')
    return (
        '<div class="scroll"><table class="sorts"><thead><tr><th class="left">Strategy</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>\n"
    )


COMPARED = {
    "net_profit_quote",
    "return_ratio",
    "drawdown_ratio_max",
    "trades",
    "win_ratio",
    "profit_factor",
    "sharpe",
    "sharpe_annual",
    "fees_quote",
}


def _section(index: int, run: Run, has_title: bool) -> str:
    terms = summary_terms(run.summary)
    cards = "".join(
        f'<div class="card" title="{escape(meaning)}"><b>{_figure(name, terms[name], form)}</b>'
        f"<span>{escape(label)}</span></div>"
        for name, label, form, meaning in CARDS
    )
    charts = "".join(
        f'<h3>{title}</h3><div class="chart"><canvas class="{size}" data-run="{index}" '
        f'data-kind="{kind}"></canvas><div class="read"></div></div>\n'
        for kind, title, size in (
            ("equity", "Equity", ""),
            ("fall", "Drawdown", "low"),
            ("price", f"Price and trades{_drawn_note(run)}", "tall"),
        )
    )
    notes = "".join(f"<p>{escape(note)}</p>" for note in (*run.notes, *_refusals(run)))
    return (
        f"{f'<h2>{escape(run.strategy)}</h2>' if has_title else ''}\n"
        f'<div class="cards">{cards}</div>\n{charts}'
        f"{_trade_table(run)}\n<div class=two>{_terms_tables(run)}</div>"
        f"{'<h3>Notes</h3>' + notes if notes else ''}\n"
    )


def _figure(name: str, value: float, form: Format) -> str:
    if value != value:
        return '<span class="dim">–</span>'
    tone = "" if name not in SIGNED or not value else ("win" if value > 0 else "loss")
    return f'<span class="{tone}">{form(value)}</span>' if tone else form(value)


def _refusals(run: Run) -> list[str]:
    return [f"Not placed: {count:,} {reason}." for reason, count in run.result.refusals.items()]


def _drawn_note(run: Run) -> str:
    count = len(run.result.trades)
    return f" ({TRADES_DRAWN:,} of {count:,} drawn)" if count > TRADES_DRAWN else ""


def _trade_table(run: Run) -> str:
    trades = run.result.trades
    if not trades:
        return "<h3>Trades</h3><p>No trade was made.</p>"
    head = "".join(
        f'<th class="left">{name}</th>' if name in TEXT_COLUMNS else f"<th>{name}</th>"
        for name in TRADE_COLUMNS
    )
    rows = "".join(_trade_cells(n, trade) for n, trade in enumerate(trades[:TRADES_SHOWN], 1))
    more = f": the first {TRADES_SHOWN} of {len(trades):,}" if len(trades) > TRADES_SHOWN else ""
    return (
        f'<h3>Trades{more}</h3><div class="scroll"><table class="sorts"><thead><tr>{head}</tr>'
        f'</thead><tbody>{rows}</tbody></table></div><p class="dim">All of them: trades.csv</p>'
    )


def _trade_cells(number: int, trade: Trade) -> str:
    tone = "win" if trade.pnl_quote > 0 else "loss" if trade.pnl_quote < 0 else ""
    numbers = (
        f"<td>{trade.qty:,.10g}</td>"
        f'<td class="{tone}" data-v="{trade.pnl_quote!r}">{_money(trade.pnl_quote)}</td>'
        f'<td class="{tone}" data-v="{trade.pnl_ratio!r}">{_percent(trade.pnl_ratio)}</td>'
        f'<td data-v="{trade.mfe_quote!r}">{_money(trade.mfe_quote)}</td>'
        f'<td data-v="{trade.mae_quote!r}">{_money(trade.mae_quote)}</td>'
        f"<td>{trade.bars_held}</td>"
    )
    return (
        f"<tr><td>{number}</td><td class=left>{'long' if trade.side.is_long else 'short'}</td>"
        f"<td>{time_text(trade.entry_time_ms)[:-1]}</td>"
        f'<td data-v="{trade.entry_price!r}">{trade.entry_price:,.10g}</td>'
        f"<td class=left>{escape(trade.entry_name)}</td>"
        f"<td>{time_text(trade.exit_time_ms)[:-1]}</td>"
        f'<td data-v="{trade.exit_price!r}">{trade.exit_price:,.10g}</td>'
        f"<td class=left>{escape(trade.exit_name)}</td>{numbers}</tr>"
    )


def _terms_tables(run: Run) -> str:
    result = run.result
    instrument = {
        name: getattr(result.instrument, name)
        for name in ("symbol", "tick_size", "qty_step", "point_value", "time_zone")
    }
    plan = {name: getattr(result.plan, name) for name in result.plan.__slots__ if name != "sizing"}
    sizing = {f"sizing_{result.plan.sizing.kind.value}": result.plan.sizing.value}
    costs = {name: getattr(result.costs, name) for name in result.costs.__slots__}
    tables = (
        ("Parameters", dict(run.parameters)),
        ("Effective plan", {**plan, **sizing}),
        ("Costs", costs),
        ("Instrument", instrument),
    )
    return "".join(
        f"<div><h3>{title}</h3><table class=terms>"
        + "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(_term(value))}</td></tr>"
            for name, value in terms.items()
        )
        + "</table></div>"
        for title, terms in tables
        if terms
    )


def _term(value: object) -> str:
    if value is None:
        return "–"
    return ("no", "yes")[value] if isinstance(value, bool) else str(plain(value))


def _series(run: Run) -> dict[str, object]:
    """Return what the charts of a run draw, every series in the same buckets."""
    result, klines = run.result, run.result.klines
    start = min(result.start_bar, len(klines) - 1)
    equity = result.equity_quote[start:]
    fall = drawdown_quote(equity, result.plan.capital_quote)
    edges = _edges(len(equity))
    last = np.append(edges[1:], len(equity)) - 1
    price = (klines.low[start:], klines.high[start:], klines.close[start:])
    step = max(1, -(-len(result.trades) // TRADES_DRAWN))
    return {
        "t": klines.close_time_ms[start:][last].tolist(),
        "equity": _bucketed(equity, equity, equity, edges, last),
        "fall": _bucketed(np.zeros(len(fall)), fall / (fall + equity), fall, edges, last),
        "price": _bucketed(*price, edges, last),
        "trades": [
            [
                int(trade.side),
                trade.entry_time_ms,
                trade.entry_price,
                trade.exit_time_ms,
                trade.exit_price,
                int(trade.pnl_quote > 0),
            ]
            for trade in result.trades[::step]
        ],
    }


def _edges(bars: int) -> I64_1D:
    """Return the first index of each bucket."""
    return np.unique(np.linspace(0, bars, min(bars, BUCKETS_MAX), endpoint=False).astype(np.int64))


def _bucketed(
    low: F64_1D, high: F64_1D, line: F64_1D, edges: I64_1D, last: I64_1D
) -> dict[str, object]:
    return {
        "low": _short(np.minimum.reduceat(low, edges)),
        "high": _short(np.maximum.reduceat(high, edges)),
        "line": _short(line[last]),
    }


def _short(values: F64_1D) -> list[float]:
    return [float(f"{value:.7g}") for value in values.tolist()]
