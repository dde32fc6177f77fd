"""What `phalanx feed` shows of the bars that it takes: a live table, lines, or JSON lines."""

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from engines.klines import Klines, interval_text, time_text
from engines.live.events import Alert, Kline, kline_rows
from engines.series import SeriesKey

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

ALERTS_SHOWN = 5


class View(Protocol):
    """Where bars are shown while they come."""

    def show(self, key: SeriesKey, bars: Klines) -> None:
        """Show bars of a series, which follow those shown before."""
        ...

    def tell(self, alerts: Sequence[Alert], time_ms: int) -> None:
        """Show alerts that are new, and what time it is at the venue."""
        ...

    def shown(self) -> AbstractContextManager[object]:
        """Return what is entered while bars come."""
        ...


def view_of(keys: Sequence[SeriesKey], *, is_json: bool) -> View:
    """Return JSON lines where they are asked for, a table on a terminal, and lines elsewhere."""
    if is_json:
        return JsonLines()
    return LiveTable(keys) if sys.stdout.isatty() else Lines()


class JsonLines:
    """One JSON document a bar on stdout; alerts on stderr."""

    def show(self, key: SeriesKey, bars: Klines) -> None:
        """Print bars."""
        for bar in kline_rows(bars):
            print(json.dumps(document(key, bar)), flush=True)

    def tell(self, alerts: Sequence[Alert], time_ms: int) -> None:
        """Print alerts as notes."""
        _print_alerts(alerts)

    def shown(self) -> AbstractContextManager[object]:
        """Return nothing to enter."""
        return nullcontext()


def document(key: SeriesKey, bar: Kline) -> dict[str, Any]:
    """Return a bar and its series as JSON has them."""
    return {
        "venue": key.venue,
        "symbol": key.symbol,
        "interval": interval_text(key.interval_ms),
        "open_time": time_text(bar.open_time_ms),
        "open_time_ms": bar.open_time_ms,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "turnover": bar.turnover,
    }


class Lines(JsonLines):
    """One line a bar, for a pipe or a file."""

    def show(self, key: SeriesKey, bars: Klines) -> None:
        """Print bars."""
        for bar in kline_rows(bars):
            cells = " ".join(f"{name} {text}" for name, text in _prices(bar))
            print(f"{time_text(bar.open_time_ms)} {_name(key)} {cells}", flush=True)


@dataclass
class LiveTable:
    """One row a series with its newest bar, and the latest alerts below."""

    keys: Sequence[SeriesKey]
    newest: dict[SeriesKey, Kline] = field(default_factory=dict)
    counts: dict[SeriesKey, int] = field(default_factory=dict)
    changes: dict[SeriesKey, float] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    time_ms: int = 0
    _live: "Live | None" = None

    def show(self, key: SeriesKey, bars: Klines) -> None:
        """Put the last of the bars in its row."""
        before = self.newest.get(key)
        *earlier, bar = kline_rows(bars)
        before = earlier[-1] if earlier else before
        self.changes[key] = bar.close / (before.close if before else bar.open) - 1
        self.newest[key] = bar
        self.counts[key] = self.counts.get(key, 0) + len(bars)

    def tell(self, alerts: Sequence[Alert], time_ms: int) -> None:
        """Add alerts and draw."""
        self.alerts = [*self.alerts, *alerts][-ALERTS_SHOWN:]
        self.time_ms = time_ms
        if self._live is not None:
            self._live.update(self.table(), refresh=True)

    def shown(self) -> AbstractContextManager[object]:
        """Return the live display, which leaves the last table where it was."""
        from rich.live import Live

        self._live = Live(self.table(), auto_refresh=False)
        return self._live

    def table(self) -> "Table":
        """Return what is known now."""
        from rich.table import Table
        from rich.text import Text

        caption = "\n".join(map(_alert_text, self.alerts))
        time = f"{time_text(self.time_ms)} at the venue" if self.time_ms else "connecting"
        table = Table(title=f"closed bars, {time}", caption=caption or None, caption_justify="left")
        for name in ("series", "opened"):
            table.add_column(name, no_wrap=True)
        for name in ("open", "high", "low", "close", "change", "volume", "bars"):
            table.add_column(name, justify="right", no_wrap=True)
        for key in self.keys:
            bar = self.newest.get(key)
            if bar is None:
                table.add_row(_name(key), "waiting")
                continue
            change = self.changes[key]
            style = "green" if change > 0 else "red" if change < 0 else ""
            *prices, volume = (text for _, text in _prices(bar))
            changed, count = Text(f"{change:+.2%}", style), f"{self.counts[key]:,}"
            table.add_row(_name(key), time_text(bar.open_time_ms), *prices, changed, volume, count)
        return table


def _name(key: SeriesKey) -> str:
    return f"{key.symbol} {interval_text(key.interval_ms)}"


def _prices(bar: Kline) -> list[tuple[str, str]]:
    """Return names and texts of open, high, low, close and, last, the volume."""
    prices = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}
    texts = [(name, f"{value:.10g}") for name, value in prices.items()]
    return [*texts, ("volume", f"{bar.volume:,.10g}")]


def _alert_text(alert: Alert) -> str:
    subject = f"{_name(alert.key)}: " if alert.key else ""
    return f"{time_text(alert.time_ms)} {alert.kind}: {subject}{alert.text}"


def _print_alerts(alerts: Sequence[Alert]) -> None:
    for alert in alerts:
        print(f"note: {_alert_text(alert)}", file=sys.stderr, flush=True)
