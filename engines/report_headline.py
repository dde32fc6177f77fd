"""Which metrics a reader sees first: on the cards of a run, and in the comparison of several."""

from enum import StrEnum


class Best(StrEnum):
    """Which value of a column is the best one; NONE where neither is."""

    HIGH = "high"
    LOW = "low"
    NONE = "none"


# Heading and name in METRICS, then those of a second figure shown small beside it.
CARDS: tuple[tuple[str, str, str, str], ...] = (
    ("Net profit", "net_profit_quote", "of capital", "net_profit_ratio"),
    ("Growth a year", "cagr_ratio", "buy & hold", "buy_and_hold_ratio"),
    ("Max drawdown", "drawdown_equity_ratio_max", "in quote", "drawdown_equity_quote_max"),
    ("Sharpe, annual", "sharpe_annual", "TradingView's", "sharpe"),
    ("Sortino, annual", "sortino_annual", "TradingView's", "sortino"),
    ("Calmar", "calmar", "recovery", "recovery_factor"),
    ("Closed trades", "trades", "open at the end", "trades_open"),
    ("Win rate", "win_ratio", "win / loss", "payoff"),
    ("Profit factor", "profit_factor", "SQN", "sqn"),
    ("Result a trade", "expectancy_quote", "of its cost", "pnl_ratio_mean"),
    ("Exposure", "exposure_ratio", "bars a trade", "bars_held_mean"),
    ("Commission", "fees_quote", "funding", "funding_quote"),
)

# Name in METRICS, heading, what is best.
COMPARED: tuple[tuple[str, str, Best], ...] = (
    ("net_profit_quote", "Net profit", Best.HIGH),
    ("net_profit_ratio", "Return", Best.HIGH),
    ("cagr_ratio", "CAGR", Best.HIGH),
    ("drawdown_equity_ratio_max", "Drawdown", Best.LOW),
    ("sharpe_annual", "Sharpe", Best.HIGH),
    ("calmar", "Calmar", Best.HIGH),
    ("profit_factor", "Profit factor", Best.HIGH),
    ("win_ratio", "Win rate", Best.HIGH),
    ("trades", "Trades", Best.NONE),
    ("exposure_ratio", "Exposure", Best.NONE),
    ("fees_quote", "Commission", Best.LOW),
    ("funding_quote", "Funding", Best.LOW),
)
