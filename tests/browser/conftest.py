"""One browser for all tests of a file, and pages that note what goes wrong in them."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from engines.report_page import page as page_text
from serve.study_page import write_study_pages
from serve.web.bundle import report_assets
from tests.browser import runs, studies
from tests.patience import PATIENCE_S

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip  # flags of one kind
DRAWN = "html[data-drawn]"


@dataclass
class Opened:
    """A page in the browser, what it complained of and what it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """Return what the first such element shows."""
        return self.page.locator(selector).first.inner_text()

    def texts(self, selector: str) -> list[str]:
        """Return what all such elements show."""
        return self.page.locator(selector).all_inner_texts()

    def colours(self, selector: str) -> int:
        """Return how many colours the canvases of an element show together."""
        count: int = self.page.evaluate(
            """selector => {
              const seen = new Set();
              for (const canvas of document.querySelectorAll(selector + " canvas")) {
                if (!canvas.width || !canvas.height) continue;
                const { data } = canvas.getContext("2d")
                  .getImageData(0, 0, canvas.width, canvas.height);
                for (const pixel of new Uint32Array(data.buffer)) seen.add(pixel);
              }
              return seen.size;
            }""",
            selector,
        )
        return count

    def redrawn(self, picture: Callable[[], bytes], *before: bytes) -> bytes:
        """Return a picture as soon as it is none of those `before`: a page draws when it can."""
        deadline_s = time.monotonic() + PATIENCE_S
        while (now := picture()) in before:
            assert time.monotonic() < deadline_s, "nothing was drawn anew"
            self.page.wait_for_timeout(20)
        return now


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the machine's Chromium, once a file.

    Playwright keeps a loop running in this thread, in which no test of another folder could start
    one of its own; so it ends with the file.
    """
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail(
            "tests/browser needs a browser: install chromium (apt-get install chromium) or "
            "google-chrome, found neither on the PATH.",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write each kind of report once and return where they are."""
    folder = tmp_path_factory.mktemp("reports")
    paths = {}
    for name, made in runs.KINDS.items():
        paths[name] = folder / f"{name}.html"
        paths[name].write_text(page_text(made(), report_assets()), encoding="utf-8")
    for name, study in studies.KINDS.items():
        paths[name] = write_study_pages(folder / name, study(folder / name))
    return paths


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Page:
    """Return the one page that all tests load anew: a fresh one each costs half a second."""
    return browser.new_page()


@pytest.fixture
def open_report(tab: Page, reports: dict[str, Path]) -> Iterator[Open]:
    """Open a report by its kind; at the end it may not have complained or asked for anything."""
    made = Opened(tab)
    listeners = {
        "console": lambda message: made.complaints.append(message.text),
        "pageerror": lambda error: made.complaints.append(str(error)),
        "dialog": lambda dialog: made.complaints.append(dialog.message),
        "request": lambda request: made.requests.append(request.url),
    }

    def open_it(kind: str, width: int = 1280, height: int = 900, scheme: str = "light") -> Opened:
        tab.set_viewport_size({"width": width, "height": height})
        tab.emulate_media(media="screen", color_scheme="dark" if scheme == "dark" else "light")
        tab.goto(reports[kind].as_uri())
        tab.wait_for_selector(DRAWN, timeout=PATIENCE_S * 1000)
        return made

    for event, listener in listeners.items():
        tab.on(event, listener)  # type: ignore[call-overload]  # its overloads take literals only
    yield open_it
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    assert made.complaints == []
    assert [url for url in made.requests if not url.startswith(("file:", "data:"))] == []
    assert len(made.requests) == 1
