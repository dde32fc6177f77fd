"""How fast the report is written and opened: 70,080 bars of 15 minutes, 2,000 and 8,000 trades.

Opening is measured in the machine's Chromium without a window, best of five in new pages: from the
start of the navigation until the equity and the price chart are drawn. Panning is the mean time a
frame of the price chart takes while all its trades are in view.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from engines.klines import MINUTE_MS, Klines
from engines.plan import Plan
from engines.report import Run
from engines.report_page import page as page_text
from engines.synthetic import synthetic_klines
from serve.web.bundle import report_assets
from strategies.channel_breakout import ChannelBreakout
from strategies.ema_crossover import EmaCrossover
from tests.browser.conftest import ARGUMENTS, DRAWN
from tests.browser.runs import run_of

pytestmark = pytest.mark.bench

BARS = 70_080
REPEATS = 5
PAN = """async () => {
  const { price } = window.phalanxReport.current();
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  await frame();
  for (let step = 0; step < 40; step++) {
    const start = performance.now();
    price.layer.requestUpdate();
    await frame();
    await frame();
    times.push((performance.now() - start) / 2);
  }
  return times.reduce((sum, value) => sum + value) / times.length;
}"""


@pytest.fixture(scope="module")
def klines() -> Klines:
    """Return two years of seeded synthetic bars."""
    return synthetic_klines(BARS, 15 * MINUTE_MS, seed=7)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the machine's Chromium."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path is not None, "chromium or google-chrome has to be on the PATH"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


def runs_of(kind: str, klines: Klines) -> list[Run]:
    one = run_of("ema_crossover", EmaCrossover(), klines, Plan())
    if kind == "2,000 trades":
        # The same figures with the trades cut, so that the size is what its name says.
        return [replace(one, result=replace(one.result, trades=one.result.trades[:2000]))]
    if kind == "8,000 trades":
        busy = run_of("channel_breakout", ChannelBreakout(), klines, Plan())
        return [replace(busy, result=replace(busy.result, trades=busy.result.trades[:8000]))]
    return [replace(one, strategy=f"run {place}") for place in range(22)]


@pytest.mark.parametrize("kind", ["2,000 trades", "8,000 trades", "22 runs of 2,000"])
def test_the_report_is_written_and_opened(
    kind: str, klines: Klines, browser: Browser, tmp_path: Path
) -> None:
    runs = runs_of(kind, klines)
    report_assets()
    written = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        text = page_text(runs, report_assets())
        (tmp_path / "report.html").write_text(text, encoding="utf-8")
        written.append(time.perf_counter() - start)
    opened, panned = [], []
    for _ in range(REPEATS):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto((tmp_path / "report.html").as_uri())
        page.wait_for_selector(DRAWN)
        page.wait_for_function("performance.getEntriesByName('charts-drawn').length > 0")
        opened.append(
            page.evaluate("performance.getEntriesByName('charts-drawn')[0].startTime") / 1000
        )
        page.wait_for_selector("html[data-refined]")
        panned.append(page.evaluate(PAN))
        page.close()
    print(
        f"\nreport, {kind:18} ({len(runs[0].result.trades):,} trades a run, {BARS:,} bars) "
        f"{len(text) / 1e6:6.2f} MB  written {min(written) * 1000:6.0f} ms  "
        f"drawn {min(opened) * 1000:6.0f} ms  frame with all trades {min(panned):5.1f} ms"
    )
    assert len(opened) == REPEATS
