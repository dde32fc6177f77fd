"""The page of `phalanx data check` as a reader meets it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from cluster.database import database
from cluster.history import History
from cluster.issues import IssueLog
from engines.quality import Limits
from engines.series import SeriesKey
from serve.quality_page import quality_page
from serve.series_check import check_bars
from tests.unit.bars import NOW_MS, STEP_MS, bars

KEY = SeriesKey("bybit", "BTC/USDT:USDT", STEP_MS)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Write the page of a series with a gap and a damaged month."""
    history = History(str(tmp_path / "history"), now_ms=lambda: NOW_MS)
    history.write(KEY, bars(0, 1000))
    history.write(KEY, bars(2000, 9000))
    (path,) = (tmp_path / "history").rglob("2025-02.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    with database(f"sqlite:///{tmp_path / 'a.db'}") as engine:
        check = check_bars(history, IssueLog(engine), KEY, None, None, Limits(), NOW_MS)
    path = tmp_path / "check.html"
    path.write_text(quality_page([check], history.shown, NOW_MS), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1280, 390])
def test_gaps_and_damaged_months_are_drawn_where_they_are(
    tab: Page, page: Path, width: int
) -> None:
    requests: list[str] = []
    tab.set_viewport_size({"width": width, "height": 900})
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(page.as_uri())
    assert requests == [page.as_uri()]
    assert tab.locator("svg.gaps text").all_text_contents() == [
        f"2025-0{month}" for month in (1, 2, 3, 4)
    ]
    stored, gap, damaged = (
        tab.locator(f"svg.gaps .{kind}").first.bounding_box()
        for kind in ("stored", "gap", "damaged")
    )
    assert stored is not None and gap is not None and damaged is not None
    # A third of January is missing, from its eleventh day on; February lies below it.
    assert 0.3 < gap["width"] / stored["width"] < 0.36
    assert 0.32 < (gap["x"] - stored["x"]) / stored["width"] < 0.36
    assert damaged["y"] > gap["y"]
    assert "FINDING" in tab.locator("table.checks").inner_text().upper()
    # A phone scrolls down, never sideways.
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
