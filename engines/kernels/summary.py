"""The figures that a sweep keeps of every set, by their names in `metrics.table`."""

SUMMARY = (
    "net_profit_quote", "return_ratio", "cagr_ratio", "drawdown_closed_quote_max",
    "drawdown_quote_max", "drawdown_ratio_max", "trades", "wins", "win_ratio", "profit_factor",
    "expectancy_quote", "sharpe", "sortino", "calmar", "bars_held_mean", "exposure_ratio",
    "fees_quote", "funding_quote", "liquidations", "win_quote_max", "loss_quote_max",
    "losses_in_a_row_max", "sqn", "recovery_factor",
)  # fmt: skip # one list
