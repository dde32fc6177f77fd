"""The report as a reader meets it.

`open_report` also asserts that no page fetched or logged anything.
"""

import re

import pytest

from engines.metrics.table import METRICS
from engines.report import Run
from tests.browser import runs
from tests.browser.conftest import Open, Opened
from tests.patience import PATIENCE_S

RESULT = 3  # Place of the column in the trade list, from 1.


@pytest.fixture(scope="module")
def run() -> Run:
    """Return the run of the ordinary report."""
    (run,) = runs.ordinary()
    return run


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("+", "").replace(",", "").replace(" %", ""))


def rows(opened: Opened, column: int) -> list[str]:
    """Return a column of the trade rows in view, the first twelve."""
    return opened.texts(f".trades tbody tr[data-row] td:nth-child({column})")[:12]


def seen_bars(opened: Opened) -> tuple[float, float]:
    """Return the first and the last bar that the price chart shows."""
    shown = opened.page.evaluate("() => window.phalanxReport.current().price.range()")
    return shown["from"], shown["to"]


def test_every_chart_is_drawn(open_report: Open) -> None:
    opened = open_report("several")
    for chart in ("#compare .plot", "#equity .plot", "#price .plot"):
        assert opened.colours(chart) > 5, chart
    assert opened.page.locator("#distribution .bar").count() > 30


def test_the_head_says_what_was_run(open_report: Open) -> None:
    opened = open_report("ordinary")
    assert opened.text("h1") == "ema_crossover"
    assert "15m" in opened.text(".subject")
    assert "SYNTHETIC" in opened.text(".banner")
    settings = opened.text("#settings")
    for part in ("phalanx backtest ema_crossover", "tick size 0.1 given", "0.0007", "3.11"):
        assert part in settings
    assert re.search(r"\b[0-9a-f]{64}\b", settings)
    assert "tradingview.com" in opened.text("footer")


def test_all_metrics_are_shown_and_none_as_the_machine_writes_it(
    open_report: Open, run: Run
) -> None:
    opened = open_report("ordinary")
    cells = opened.page.locator("#metrics .pair .amount, #metrics .pair .share")
    assert cells.count() == len(METRICS)
    shown = opened.text(".card strong")
    assert number(shown) == round(run.metrics["net_profit_quote"], 2)
    for text in opened.texts("td, dd, strong, .card-more"):
        assert not re.search(r"\b(NaN|null|undefined|Infinity)\b|\[object", text)


def test_the_list_sorts_by_a_column_and_back(open_report: Open, run: Run) -> None:
    opened = open_report("ordinary")
    results = sorted((trade.pnl_quote for trade in run.result.trades), reverse=True)
    header = opened.page.get_by_role("button", name="Result", exact=True)
    header.click()
    assert [number(text) for text in rows(opened, RESULT)] == [round(r, 2) for r in results[:12]]
    header.click()
    worst = [round(result, 2) for result in results[::-1][:12]]
    assert [number(text) for text in rows(opened, RESULT)] == worst
    assert opened.page.locator("th[aria-sort=ascending]").count() == 1


def test_the_list_filters_by_side_result_and_reason(open_report: Open, run: Run) -> None:
    opened = open_report("ordinary")
    controls = opened.page.locator("#trades .controls")
    controls.get_by_role("button", name="Short").click()
    controls.get_by_role("button", name="Gains").click()
    kept = [t for t in run.result.trades if not t.side.is_long and t.pnl_quote > 0]
    assert opened.text("#trades-count").startswith(f"{len(kept)} of {len(run.result.trades)} ")
    assert set(rows(opened, 2)) == {"short"}
    reason = kept[0].exit_reason.value
    controls.locator("select").select_option(reason)
    same = sum(trade.exit_reason.value == reason for trade in kept)
    assert opened.text("#trades-count").startswith(f"{same} of ")


def test_a_long_list_has_few_rows_and_reaches_its_end(open_report: Open, run: Run) -> None:
    opened = open_report("ordinary")
    assert len(run.result.trades) > 60
    assert opened.page.locator(".trades tbody tr[data-row]").count() < 50
    opened.page.locator(".trades-view").evaluate("view => { view.scrollTop = view.scrollHeight; }")
    last = opened.page.locator(f".trades tr[data-row='{len(run.result.trades) - 1}']")
    last.wait_for(timeout=PATIENCE_S * 1000)


def test_a_click_on_a_row_zooms_to_its_trade(open_report: Open, run: Run) -> None:
    opened = open_report("ordinary")
    before = seen_bars(opened)
    opened.page.locator(".trades tr[data-row='7']").click()
    trade = run.result.trades[7]
    first, last = seen_bars(opened)
    assert first <= trade.entry_bar < trade.exit_bar <= last
    assert last - first < (before[1] - before[0]) / 4
    assert "#8" in opened.text("#price .read")
    assert opened.page.locator(".trades tr.active").get_attribute("data-row") == "7"


def test_the_keyboard_walks_the_list_and_the_chart(open_report: Open, run: Run) -> None:
    opened = open_report("ordinary")
    opened.page.locator(".trades-view").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "Enter"):
        opened.page.keyboard.press(key)
    assert "#3" in opened.text("#price .read")
    opened.page.locator("#price .plot").focus()
    opened.page.keyboard.press("ArrowRight")
    assert "#4" in opened.text("#price .read")
    assert opened.page.locator(".trades tr.active").get_attribute("data-row") == "3"


def test_a_figure_explains_itself_on_focus_and_hover(open_report: Open) -> None:
    opened = open_report("ordinary")
    opened.page.locator(".card").nth(8).focus()
    assert "gross profit / gross loss" in opened.text("#hint")
    opened.page.keyboard.press("Escape")
    assert opened.page.locator("#hint").is_hidden()
    opened.page.locator(".explained", has_text="Calmar").hover()
    assert "CAGR" in opened.text("#hint")


def test_the_equity_chart_changes_unit_scale_and_lines(open_report: Open) -> None:
    opened = open_report("ordinary")
    plot = opened.page.locator("#equity .plot")
    seen = [plot.screenshot()]
    for name in ("Percent", "Log scale", "Buy & hold"):
        opened.page.locator("#equity").get_by_role("button", name=name).click()
        seen.append(opened.redrawn(plot.screenshot, *seen))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_system_until_it_is_switched(open_report: Open, scheme: str) -> None:
    opened = open_report("ordinary", scheme=scheme)

    def ground() -> str:
        found: str = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return found

    colours = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 23, 29)"}
    other = {"light": "dark", "dark": "light"}[scheme]
    assert ground() == colours[scheme]
    chart = opened.page.locator("#price .plot")
    before = chart.screenshot()
    opened.page.get_by_role("button", name=other.capitalize()).click()
    opened.redrawn(chart.screenshot, before)
    assert ground() == colours[other]


@pytest.mark.parametrize("kind", ["several", "hostile"])
def test_a_phone_scrolls_down_only(open_report: Open, kind: str) -> None:
    opened = open_report(kind, width=390, height=844)
    wide = opened.page.evaluate("document.documentElement.scrollWidth")
    assert wide == 390
    assert opened.colours("#price .plot") > 5


def test_a_run_without_trades_is_whole(open_report: Open) -> None:
    opened = open_report("untraded")
    assert "No trade was made" in opened.text(".notice")
    assert "No trade was made" in opened.text("#trades")
    assert opened.text(".cards li:nth-child(9) strong") == "–"
    assert opened.page.locator(".cards li").count() == 12


@pytest.mark.parametrize("kind", ["ruined", "one_bar"])
def test_what_has_no_value_is_shown_as_such(open_report: Open, kind: str) -> None:
    opened = open_report(kind)
    assert "–" in opened.texts("#metrics td span")
    for text in opened.texts("td, dd, strong, .card-more"):
        assert not re.search(r"\b(NaN|null|undefined|Infinity|999)\b", text)
    assert opened.colours("#equity .plot") > 3
    is_ruined = kind == "ruined"
    assert opened.page.get_by_role("button", name="Log scale").is_disabled() == is_ruined
    assert opened.texts("#months td.total") == ["−120.0" if is_ruined else "0.0"]


def test_names_stay_text(open_report: Open) -> None:
    opened = open_report("hostile")
    assert opened.text("h1") == runs.EVIL
    assert opened.page.locator("img").count() == 0
    assert opened.text("#settings code") == runs.EVIL
    opened.page.locator(".trades tr[data-row='0']").click()
    assert runs.EVIL in opened.text("#settings .notes")


def test_an_element_that_sneaks_in_may_neither_run_nor_fetch(open_report: Open) -> None:
    opened = open_report("ordinary")
    opened.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.body.append(script);
        }"""
    )
    assert opened.page.evaluate("window.ran === undefined")
    refused = opened.page.evaluate("fetch('http://127.0.0.1:9/').then(() => false, () => true)")
    assert refused
    assert len(opened.complaints) >= 2
    assert all("Content Security Policy" in complaint for complaint in opened.complaints)
    opened.complaints.clear()


def test_several_runs_are_compared_and_each_is_shown(open_report: Open) -> None:
    opened = open_report("several")
    table = opened.page.locator("table.compare")
    names = ["ema_crossover SYNTHETIC", "channel_breakout SYNTHETIC", "ema_crossover ETHUSDT"]
    assert opened.texts("table.compare tbody th") == names
    made = runs.several()
    falls = [run.metrics["drawdown_equity_ratio_max"] for run in made]
    marked = opened.texts("table.compare td.best:nth-child(5)")
    assert marked[0] == f"{min(falls) * 100:.2f} %"
    table.get_by_role("button", name="Net profit").click()
    profits = [number(text) for text in opened.texts("table.compare td:nth-child(2)")]
    assert profits == sorted(profits, reverse=True)
    table.locator("tr[data-run='1']").click()
    opened.page.wait_for_selector(f"html[data-drawn='{names[1]}']")
    assert opened.text(".run-title") == names[1]
    assert number(opened.text(".card strong")) == round(made[1].metrics["net_profit_quote"], 2)
    opened.page.locator("#run-select").select_option("2")
    opened.page.wait_for_selector(f"html[data-drawn='{names[2]}']")
    assert opened.page.locator("#equity .plot").count() == 1


def test_paper_shows_the_figures_without_the_controls(open_report: Open) -> None:
    opened = open_report("ordinary")
    opened.page.emulate_media(media="print")
    assert opened.page.locator("nav").is_hidden()
    assert opened.page.locator("#trades .controls").is_hidden()
    assert opened.page.locator("#metrics tbody tr").last.is_visible()
    assert len(opened.page.pdf()) > 20_000
