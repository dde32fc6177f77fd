"""What a run does not define is NaN: never 0, never 999, never infinite."""

import math

import numpy as np
import pytest

from engines.metrics.growth import cagr_ratio
from engines.metrics.measure import measure
from engines.metrics.ratios import sharpe, sharpe_deflated_ratio, sortino, stability_r2, tails
from engines.metrics.table import METRICS
from engines.metrics.trade_figures import longest_run, sqn
from engines.trades import Side, Trade
from tests.unit.metric_cases import run_of, trade_of

# Means, extremes and ratios that need a trade of some kind.
OF_TRADES = (
    "expectancy_quote", "pnl_quote_mean", "pnl_ratio_mean", "win_ratio", "bars_held_mean",
    "win_to_gross_profit_ratio", "loss_to_gross_loss_ratio", "net_profit_to_loss_ratio",
)  # fmt: skip  # one list
OF_WINS = ("win_quote_mean", "win_ratio_mean", "win_quote_max", "win_ratio_max",
           "bars_held_wins_mean")  # fmt: skip  # one list
OF_LOSSES = ("loss_quote_mean", "loss_ratio_mean", "loss_quote_max", "loss_ratio_max",
             "bars_held_losses_mean")  # fmt: skip  # one list
OF_BOTH = ("payoff", "profit_factor", "kelly_ratio")
OF_SEVERAL = ("sqn", "sharpe", "sortino", "run_up_days_mean", "drawdown_closed_quote_mean")
OF_MOVES = ("calmar", "recovery_factor", "return_on_drawdown", "margin_efficiency",
            "return_on_account_size_ratio", "stability_r2", "sharpe_annual",
            "sharpe_deflated_ratio", "omega", "gain_to_pain", "tail_ratio")  # fmt: skip  # one list
RISING = tuple(np.linspace(100.0, 130.0, 48).tolist())


def measured(trades: list[Trade], close: tuple[float, ...] = (100.0,) * 48) -> dict[str, float]:
    """Return the metrics of a run, after what holds for every run."""
    found = measure(run_of(trades, close))
    assert list(found) == [item.name for item in METRICS]
    assert not any(math.isinf(value) for value in found.values())
    return found


def undefined(found: dict[str, float], *names: str) -> bool:
    """Return whether all of these are NaN, so that an assertion names those that are not."""
    wrong = {name: found[name] for name in names if not math.isnan(found[name])}
    assert wrong == {}
    return True


def test_no_trade_defines_sums_and_counts_alone() -> None:
    found = measured([])
    sided = [f"{name}{side}" for name in (*OF_TRADES, *OF_WINS, *OF_LOSSES, *OF_BOTH)
             for side in ("", "_long", "_short")]  # fmt: skip  # one list
    assert undefined(found, *sided, *OF_SEVERAL, *OF_MOVES, "expectancy_ratio")
    zero = ("trades", "wins", "losses", "breakevens", "net_profit_quote", "gross_loss_quote",
            "fees_quote", "pnl_open_quote", "qty_max", "drawdown_quote_max", "margin_calls",
            "drawdown_closed_quote_max", "exposure_ratio", "cagr_ratio")  # fmt: skip  # one list
    assert {found[name] for name in zero} == {0.0}
    assert found["equity_end_quote"] == found["capital_quote"] == 1000


def test_one_winning_trade_has_no_loss_to_be_compared_with() -> None:
    found = measured([trade_of(7.0, exit_bar=5, mfe=9.0)], RISING)
    assert undefined(found, *OF_LOSSES, *OF_BOTH, "sqn", "expectancy_ratio", "recovery_factor")
    assert undefined(found, "net_profit_to_loss_ratio", "loss_to_gross_loss_ratio", "sharpe")
    assert found["win_ratio"] == 1.0
    assert found["win_quote_mean"] == found["win_quote_max"] == 7.0
    assert found["losses_in_a_row_max"] == 0


def test_only_winners_have_no_profit_factor_and_no_payoff() -> None:
    trades = [trade_of(float(k + 1), entry_bar=k, exit_bar=k + 1) for k in range(5)]
    found = measured(trades, RISING)
    assert undefined(found, *OF_LOSSES, *OF_BOTH, "recovery_factor", "expectancy_ratio")
    assert undefined(found, *(f"{name}_short" for name in OF_WINS))
    assert found["sqn"] > 0
    assert found["run_up_closed_quote_mean"] == 14
    assert math.isnan(found["drawdown_closed_quote_mean"])


def test_only_losers_have_no_win_to_be_compared_with() -> None:
    trades = [trade_of(-float(k + 1), entry_bar=k, exit_bar=k + 1, side=Side.SELL, mae=5.0)
              for k in range(5)]  # fmt: skip  # one line
    found = measured(trades)
    assert undefined(found, *OF_WINS, "payoff", "kelly_ratio", "win_to_gross_profit_ratio")
    assert undefined(found, *(f"{name}_long" for name in (*OF_WINS, *OF_LOSSES, *OF_BOTH)))
    assert found["profit_factor"] == 0.0  # gross profit is none, gross loss is some
    assert found["win_ratio"] == 0.0
    assert found["recovery_factor"] == -1.0


def test_ruin_in_the_first_bar_leaves_no_growth_and_no_ratio() -> None:
    ruined = trade_of(-1200.0, entry_bar=0, exit_bar=0, qty=10.0, mae=1200.0)
    found = measured([ruined])
    assert undefined(found, "cagr_ratio", "cagr_ratio_long", "calmar", "sharpe_annual",
                     "sortino_annual", "volatility_ratio_annual", "omega", "stability_r2",
                     "value_at_risk_ratio_95", "tail_ratio")  # fmt: skip  # one list
    assert found["cagr_ratio_short"] == 0.0
    assert found["drawdown_quote_max"] == found["drawdown_closed_quote_max"] == 1200
    assert found["drawdown_ratio_max"] == 1.2
    assert found["equity_end_quote"] == -200


def test_breakeven_trades_are_neither_won_nor_lost() -> None:
    found = measured([trade_of(0.0), trade_of(0.0)])
    assert undefined(found, *OF_WINS, *OF_LOSSES, *OF_BOTH, "sqn", "margin_efficiency")
    assert (found["breakevens"], found["win_ratio"], found["expectancy_quote"]) == (2, 0.0, 0.0)


def test_a_run_of_one_bar_is_measured() -> None:
    found = measured([trade_of(-3.0, entry_bar=0, exit_bar=0)], (100.0,))
    assert undefined(found, "sharpe", "sharpe_annual", "volatility_ratio_annual", "tail_ratio")
    assert found["bars"] == 1
    assert found["days"] == pytest.approx(1 / 24)


def test_ratios_without_spread_are_undefined() -> None:
    for returns in ([], [0.1], [0.1, 0.1, 0.1]):
        assert math.isnan(sharpe(np.array(returns)))
    assert math.isnan(sortino(np.array([0.1, 0.2])))
    assert math.isnan(sqn(np.array([2.0, 2.0, 2.0])))
    assert math.isnan(stability_r2(np.zeros(9)))
    assert math.isnan(sharpe_deflated_ratio(np.full(9, 0.1), 0.0))
    assert all(map(math.isnan, tails(np.array([0.1]))))


def test_a_tail_without_losses_has_no_ratio() -> None:
    at_risk, _, ratio = tails(np.array([0.1, 0.2, 0.3]))
    assert at_risk < 0  # no loss is at risk: the worst day still gains
    assert math.isnan(ratio)


def test_growth_of_a_lost_account_is_undefined() -> None:
    assert math.isnan(cagr_ratio(-1.0, 730.0))
    assert math.isnan(cagr_ratio(1e-12 - 1.0, 730.0))  # float noise is no account
    assert math.isnan(cagr_ratio(math.nan, 730.0))
    assert math.isnan(cagr_ratio(50.0, 0.01))


def test_the_longest_run_of_nothing_is_zero() -> None:
    assert longest_run([]) == 0
    assert longest_run([False, True, True, False, True]) == 2
