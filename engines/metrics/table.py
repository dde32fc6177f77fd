"""The one list of what a run is measured by; the docs, the schema and the report are made of it.

Four parts. `TRADINGVIEW` is TradingView's strategy report: each cell that it fills (a row, a side,
a column) is one metric, 145 in all. `OWN` are the 21 that it lacks; together they are the 166.
`ACCOUNT` says what the run covered and how its equity at bar closes fared. `BEYOND` holds what
research asks for. `METRICS` is all of them, in the order in which a report shows them, and
`measure.measure` gives a value for each, NaN where it is undefined.

Names: what, unit, qualifier, side; `win_quote_max_short` is the largest win of a short trade in
account currency. `_ratio` is 0-1, also where a report shows percent. A metric of one side counts
that side's trades alone, unless its formula says otherwise.

The probability of backtest overfitting is not here: it is a property of a matrix of trials, which
one run does not have.
"""

from dataclasses import dataclass
from enum import StrEnum

TRADINGVIEW_REPORT = "TradingView strategy report"


class Unit(StrEnum):
    """What a value counts; the value of the enum is what people read."""

    QUOTE = "account currency"
    RATIO = "ratio"
    NUMBER = "number"
    COUNT = "count"
    CONTRACTS = "contracts"
    BARS = "bars"
    DAYS = "days"


class TradeSide(StrEnum):
    """Which trades a metric counts."""

    ALL = "all"
    LONG = "long"
    SHORT = "short"


class Column(StrEnum):
    """A column of TradingView's report within one side."""

    CURRENCY = "currency"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in TradingView's report: its English row name and its column."""

    row: str
    column: Column


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure: `decimals` are those shown (a ratio is shown in percent), `cell` its place."""

    name: str
    label: str
    group: str
    unit: Unit
    side: TradeSide
    decimals: int
    formula: str
    source: str
    cell: Cell | None = None


SIDES = tuple(TradeSide)
DECIMALS = {
    Unit.QUOTE: 2, Unit.RATIO: 2, Unit.NUMBER: 3, Unit.COUNT: 0, Unit.CONTRACTS: 0, Unit.BARS: 0,
    Unit.DAYS: 0,
}  # fmt: skip  # as TradingView shows them


def _rows(
    name: str,
    label: str,
    group: str,
    unit: Unit,
    formula: str,
    *,
    sides: tuple[TradeSide, ...] = SIDES,
    decimals: int | None = None,
    source: str = "",
    row: str | None = None,
) -> tuple[Metric, ...]:
    """Return a metric for each side; `row` is TradingView's name if it is not the label."""
    column = Column.PERCENT if unit is Unit.RATIO else Column.CURRENCY
    return tuple(
        Metric(
            name=name if side is TradeSide.ALL else f"{name}_{side}",
            label=label,
            group=group,
            unit=unit,
            side=side,
            decimals=DECIMALS[unit] if decimals is None else decimals,
            formula=formula,
            source=source or TRADINGVIEW_REPORT,
            cell=None if source else Cell(row or label, column),
        )
        for side in sides
    )


def _both(
    stem: str,
    label: str,
    group: str,
    formulas: tuple[str, str],
    *,
    sides: tuple[TradeSide, ...] = SIDES,
    qualifier: str = "",
) -> tuple[Metric, ...]:
    """Return a row that TradingView shows in currency and in percent."""
    quote, ratio = formulas
    return (
        *_rows(f"{stem}_quote{qualifier}", label, group, Unit.QUOTE, quote, sides=sides),
        *_rows(f"{stem}_ratio{qualifier}", label, group, Unit.RATIO, ratio, sides=sides),
    )


_ALL = (TradeSide.ALL,)
_OVER_CAPITAL = "the same / initial capital"
_OVER_COST = "mean of result / (entry notional + entry commission)"

_RESULT = (
    *_rows("capital_quote", "Initial capital", "result", Unit.QUOTE,
           "equity before the first trade", sides=_ALL),
    *_both("pnl_open", "Open P&L", "result",
           ("result of positions still open at the last bar, as if closed there", _OVER_CAPITAL),
           sides=_ALL),
    *_both("net_profit", "Net profit", "result",
           ("sum of results of closed trades, after commission and funding", _OVER_CAPITAL)),
    *_both("gross_profit", "Gross profit", "result",
           ("sum of results above zero", _OVER_CAPITAL)),
    *_both("gross_loss", "Gross loss", "result",
           ("minus the sum of results below zero", _OVER_CAPITAL)),
    *_rows("expectancy_quote", "Expected payoff", "result", Unit.QUOTE, "net profit / trades"),
    *_rows("fees_quote", "Commission paid", "result", Unit.QUOTE,
           "commission of closed trades, and of open ones what they have paid"),
    *_both("buy_and_hold", "Buy & hold return", "result",
           ("initial capital x (last close / first traded open - 1), without costs",
            "last close / first traded open - 1"), sides=_ALL),
    *_rows("buy_and_hold_return_ratio", "Buy & hold % gain", "result", Unit.RATIO,
           "last close / first traded open - 1", sides=_ALL),
    *_rows("outperformance_quote", "Strategy outperformance", "result", Unit.QUOTE,
           "net profit - buy & hold", sides=_ALL),
    *_rows("qty_max", "Max contracts held", "result", Unit.CONTRACTS,
           "largest quantity held at one time"),
)  # fmt: skip  # a table reads by its rows

_RETURNS = (
    *_rows("cagr_ratio", "Annualized return (CAGR)", "returns", Unit.RATIO,
           "(1 + net profit / initial capital) ^ (365 / days) - 1"),
    *_rows("return_ratio", "Return on initial capital", "returns", Unit.RATIO,
           "net profit / initial capital"),
    *_rows("account_size_quote", "Account size required", "returns", Unit.QUOTE,
           "maximum margin used + maximum intrabar drawdown", sides=_ALL),
    *_rows("return_on_account_size_ratio", "Return on account size required", "returns",
           Unit.RATIO, "net profit / account size required, that of all trades"),
    *_rows("margin_used_quote_mean", "Avg margin used", "returns", Unit.QUOTE,
           "mean over all bars of margin at the close", sides=_ALL),
    *_rows("margin_used_quote_max", "Max margin used", "returns", Unit.QUOTE,
           "largest margin at a close", sides=_ALL),
    *_rows("margin_efficiency", "Margin efficiency", "returns", Unit.NUMBER,
           "average margin used, that of all trades / net profit (the report's way round)",
           decimals=2),
)  # fmt: skip  # a table reads by its rows


def _swings(stem: str, word: str, rule: str) -> tuple[Metric, ...]:
    """Return the rows of run-ups or of drawdowns, but for the return on the maximum."""
    group = "run-ups and drawdowns"
    return (
        *_rows(f"{stem}_days_mean", f"Avg equity {word} duration (close-to-close)", group,
               Unit.DAYS, f"mean days from the first to the last mark of a {word}", sides=_ALL),
        *_both(f"{stem}_closed", f"Avg equity {word} (close-to-close)", group,
               (f"mean {word} of closed equity, those of one trade left out", _OVER_CAPITAL),
               sides=_ALL, qualifier="_mean"),
        *_both(f"{stem}_closed", f"Max equity {word} (close-to-close)", group,
               (f"largest {word} of closed equity", _OVER_CAPITAL), sides=_ALL, qualifier="_max"),
        *_both(stem, f"Max equity {word} (intrabar)", group, (rule, "the same / running peak"),
               sides=_ALL, qualifier="_max"),
        *_rows(f"{stem}_capital_ratio_max", f"Max equity {word} as % of initial capital (intrabar)",
               group, Unit.RATIO, f"largest intrabar {word} / initial capital", sides=_ALL),
    )  # fmt: skip  # a table reads by its rows


_SWINGS = (
    *_swings("run_up", "run-up",
             "largest of closed equity before a trade + its MFE - lowest equity at an entry, "
             "commission paid"),
    *_swings("drawdown", "drawdown",
             "largest of highest closed equity so far - closed equity before a trade + its MAE"),
    *_rows("return_on_drawdown", "Return on max drawdown", "run-ups and drawdowns", Unit.NUMBER,
           "net profit / maximum intrabar drawdown, that of all trades", decimals=2),
    *_rows("net_profit_to_loss_ratio", "Net profit as % of largest loss", "run-ups and drawdowns",
           Unit.RATIO, "net profit / largest loss"),
    *_rows("win_to_gross_profit_ratio", "Largest winning trade as % of gross profit",
           "run-ups and drawdowns", Unit.RATIO, "largest win / gross profit"),
    *_rows("loss_to_gross_loss_ratio", "Largest losing trade as % of gross loss",
           "run-ups and drawdowns", Unit.RATIO, "largest loss / gross loss"),
)  # fmt: skip  # a table reads by its rows

_TRADES = (
    *_rows("trades_open", "Total open trades", "trades", Unit.COUNT,
           "positions still open at the last bar"),
    *_rows("trades", "Total trades", "trades", Unit.COUNT, "closed trades"),
    *_rows("wins", "Winning trades", "trades", Unit.COUNT, "results above zero"),
    *_rows("losses", "Losing trades", "trades", Unit.COUNT, "results below zero"),
    *_rows("breakevens", "Breakeven trades", "trades", Unit.COUNT, "results of exactly zero"),
    *_rows("win_ratio", "Percent profitable", "trades", Unit.RATIO, "winning / closed trades"),
    *_both("pnl", "Avg P&L", "trades", ("net profit / trades", _OVER_COST), qualifier="_mean"),
    *_both("win", "Avg winning trade", "trades",
           ("gross profit / winning trades", f"{_OVER_COST}, winning trades"), qualifier="_mean"),
    *_both("loss", "Avg losing trade", "trades",
           ("gross loss / losing trades", f"minus {_OVER_COST}, losing trades"),
           qualifier="_mean"),
    *_rows("payoff", "Ratio avg win / avg loss", "trades", Unit.NUMBER,
           "average winning trade / average losing trade"),
    *_rows("win_quote_max", "Largest winning trade", "trades", Unit.QUOTE, "largest result"),
    *_rows("win_ratio_max", "Largest winning trade percent", "trades", Unit.RATIO,
           "largest of result / (entry notional + entry commission)"),
    *_rows("loss_quote_max", "Largest losing trade", "trades", Unit.QUOTE,
           "minus the smallest result"),
    *_rows("loss_ratio_max", "Largest losing trade percent", "trades", Unit.RATIO,
           "minus the smallest of result / (entry notional + entry commission)"),
    *_rows("bars_held_mean", "Avg # bars in trades", "trades", Unit.BARS,
           "mean bars of a trade, the entry's and the exit's counted"),
    *_rows("bars_held_wins_mean", "Avg # bars in winning trades", "trades", Unit.BARS,
           "the same, winning trades"),
    *_rows("bars_held_losses_mean", "Avg # bars in losing trades", "trades", Unit.BARS,
           "the same, losing trades"),
)  # fmt: skip  # a table reads by its rows

_SHARPE = "(mean - 0.02 / 12) / population deviation of monthly returns of closed equity"
_SORTINO = "(mean - 0.02 / 12) / sqrt(mean(min(r - 0.02 / 12, 0)^2)), r the same monthly returns"

_RATIOS = (
    *_rows("sharpe", "Sharpe ratio", "ratios", Unit.NUMBER, _SHARPE, sides=_ALL),
    *_rows("sortino", "Sortino ratio", "ratios", Unit.NUMBER, _SORTINO, sides=_ALL),
    *_rows("profit_factor", "Profit factor", "ratios", Unit.NUMBER, "gross profit / gross loss"),
    *_rows("margin_calls", "Margin calls", "ratios", Unit.COUNT,
           "closed trades that a margin call ended"),
)  # fmt: skip  # a table reads by its rows

TRADINGVIEW = (*_RESULT, *_RETURNS, *_SWINGS, *_TRADES, *_RATIOS)

_CLOSED = "closed equity of the side's trades"
_DAILY = "daily returns of equity at bar closes"

OWN = (
    *_rows("calmar", "Calmar ratio", "ratios", Unit.NUMBER,
           "CAGR / largest intrabar drawdown of the side's trades as a ratio of its peak",
           source="Young (1991)"),
    *_rows("sharpe", "Sharpe ratio", "ratios", Unit.NUMBER, _SHARPE, sides=SIDES[1:],
           source="TradingView's form, one side"),
    *_rows("sortino", "Sortino ratio", "ratios", Unit.NUMBER, _SORTINO, sides=SIDES[1:],
           source="TradingView's form, one side"),
    *_rows("sqn", "System quality number", "ratios", Unit.NUMBER,
           "sqrt(trades) x mean / sample deviation of results, without a cap of 100 trades",
           sides=_ALL, source="Tharp (2008)"),
    *_rows("stability_r2", "Stability R²", "ratios", Unit.NUMBER,
           "squared correlation of cumulative log daily returns with time", sides=_ALL,
           source="empyrical, stability_of_timeseries"),
    *_rows("kelly_ratio", "Kelly criterion", "ratios", Unit.RATIO,
           "win rate - (1 - win rate) / payoff", source="Kelly (1956)"),
    *_rows("recovery_factor", "Recovery factor", "ratios", Unit.NUMBER,
           f"net profit / largest fall of {_CLOSED} from its peak", source="common usage"),
    *_rows("ulcer_ratio", "Ulcer index", "ratios", Unit.RATIO,
           "root mean square of the fall of equity at bar closes from its peak, of the peak",
           sides=_ALL, source="Martin (1989)"),
    *_rows("volatility_ratio_annual", "Volatility, annual", "ratios", Unit.RATIO,
           f"sample deviation of {_DAILY} x sqrt(365)", sides=_ALL, source="common usage"),
    *_rows("wins_in_a_row_max", "Max consecutive wins", "trades", Unit.COUNT,
           "longest run of results above zero", sides=_ALL, source="common usage"),
    *_rows("losses_in_a_row_max", "Max consecutive losses", "trades", Unit.COUNT,
           "longest run of results below zero", sides=_ALL, source="common usage"),
    *_rows("exposure_ratio", "Exposure", "trades", Unit.RATIO,
           "bars with a position / bars traded, an entry's and an exit's bar counted",
           sides=_ALL, source="common usage"),
    *_rows("expectancy_ratio", "Expectancy ratio", "trades", Unit.NUMBER,
           "mean result / average losing trade", sides=_ALL, source="Tharp (2008)"),
)  # fmt: skip  # a table reads by its rows

ACCOUNT = (
    *_rows("days", "Days traded", "account", Unit.DAYS,
           "first traded bar's open to last bar's close", sides=_ALL, decimals=1,
           source="definition"),
    *_rows("bars", "Bars traded", "account", Unit.BARS, "bars from the first traded one on",
           sides=_ALL, source="definition"),
    *_rows("equity_end_quote", "Equity at the end", "account", Unit.QUOTE,
           "equity at the last close, open positions valued there", sides=_ALL,
           source="definition"),
    *_rows("drawdown_equity_quote_max", "Max drawdown at bar closes", "account", Unit.QUOTE,
           "largest fall of equity at bar closes from its running peak", sides=_ALL,
           source="definition"),
    *_rows("drawdown_equity_ratio_max", "Max drawdown at bar closes, of peak", "account",
           Unit.RATIO, "largest fall of equity at bar closes from its peak / that peak",
           sides=_ALL, source="definition"),
    *_rows("sharpe_annual", "Sharpe ratio, annual", "account", Unit.NUMBER,
           f"(mean - 0.02 / 365) / population deviation of {_DAILY} x sqrt(365)", sides=_ALL,
           source="Sharpe (1994)"),
    *_rows("sortino_annual", "Sortino ratio, annual", "account", Unit.NUMBER,
           f"(mean - 0.02 / 365) / downside deviation of {_DAILY} x sqrt(365)", sides=_ALL,
           source="Sortino and Price (1994)"),
)  # fmt: skip  # a table reads by its rows

BEYOND = (
    *_rows("sharpe_deflated_ratio", "Deflated Sharpe ratio", "research", Unit.RATIO,
           "probability that the true Sharpe ratio is above the best of `trials` worthless ones; "
           "with one trial the probabilistic Sharpe ratio", sides=_ALL,
           source="Bailey and López de Prado (2012, 2014)"),
    *_rows("value_at_risk_ratio_95", "Value at risk 95 %, daily", "research", Unit.RATIO,
           f"minus the 5 % quantile of {_DAILY}", sides=_ALL, source="historical simulation"),
    *_rows("conditional_value_at_risk_ratio_95", "Conditional value at risk 95 %, daily",
           "research", Unit.RATIO, f"minus the mean of {_DAILY} at or below the 5 % quantile",
           sides=_ALL, source="Rockafellar and Uryasev (2000)"),
    *_rows("omega", "Omega ratio", "research", Unit.NUMBER,
           f"gains / losses of {_DAILY}, threshold 0", sides=_ALL,
           source="Keating and Shadwick (2002)"),
    *_rows("tail_ratio", "Tail ratio", "research", Unit.NUMBER,
           f"95 % quantile / minus the 5 % quantile of {_DAILY}", sides=_ALL,
           source="empyrical, tail_ratio, where both are of their sign"),
    *_rows("gain_to_pain", "Gain to pain ratio", "research", Unit.NUMBER,
           "sum / minus the sum of the negative ones of monthly returns of closed equity",
           sides=_ALL, source="Schwager (2012)"),
    *_rows("liquidations", "Liquidations", "research", Unit.COUNT,
           "closed trades that a liquidation ended", sides=_ALL, source="definition"),
    *_rows("funding_quote", "Funding paid", "research", Unit.QUOTE,
           "sum of funding of all trades, below zero if received", sides=_ALL,
           source="definition"),
    *_rows("slippage_quote", "Slippage paid", "research", Unit.QUOTE,
           "sum of slippage of all trades, already in their prices", sides=_ALL,
           source="definition"),
    *_rows("drawdown_days_max", "Longest drawdown", "research", Unit.DAYS,
           "longest time of equity at bar closes below an earlier peak", sides=_ALL, decimals=1,
           source="definition"),
)  # fmt: skip  # a table reads by its rows

CORE = (*TRADINGVIEW, *OWN)
METRICS = (*CORE, *ACCOUNT, *BEYOND)
