"""A progress bar on a terminal, for work that passes two seconds; nothing anywhere else."""

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.context import Context
from engines.klines import Klines
from engines.plan import Plan
from engines.types import F64_1D
from engines.wishes import Tradable, places_orders

if TYPE_CHECKING:
    from actors.sync import Told
    from engines.context import PlacesOrders

PATIENCE_S = 2.0
REDRAW_S = 0.25


@dataclass(slots=True)
class Place:
    """Where the work is: what it is at, and how far of how much (0: nobody can tell)."""

    label: str = ""
    current: int = 0
    total: int = 0


class Watched:
    """An order strategy that tells on each bar where it is."""

    def __init__(self, strategy: "PlacesOrders", place: Place) -> None:
        self.strategy = strategy
        self._decide = strategy.on_bar
        self._place = place

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        """Return the strategy's features."""
        return self.strategy.features(klines)

    def plan(self, plan: Plan) -> Plan:
        """Return the plan that the strategy asks for."""
        ask = getattr(self.strategy, "plan", None)
        asked: Plan = ask(plan) if callable(ask) else plan
        return asked

    def on_bar(self, ctx: Context) -> None:
        """Let the strategy decide."""
        self._place.current = ctx.bar_index
        self._decide(ctx)


def watched(strategy: Tradable, place: Place, bars: int) -> Tradable:
    """Return the strategy, told to mark its place if anyone can see it."""
    place.current, place.total = 0, 0
    if not sys.stderr.isatty() or not places_orders(strategy):
        return strategy
    place.total = bars
    named = type(type(strategy).__name__, (Watched,), {})  # Faults name the strategy, not us.
    watching: Tradable = named(strategy, place)
    return watching


@contextmanager
def progress() -> Iterator[Place]:
    """Yield the place that the work marks; after two seconds it is drawn on a terminal."""
    place, done = Place(), threading.Event()
    if not sys.stderr.isatty():
        yield place
        return
    thread = threading.Thread(target=_draw, args=(place, done), daemon=True)
    thread.start()
    try:
        yield place
    finally:
        done.set()
        thread.join()


@contextmanager
def shown() -> "Iterator[Told]":
    """Yield what is told how far the work is; a terminal shows it."""
    with progress() as place:

        def told(label: str, done: int, total: int) -> None:
            place.label, place.current, place.total = label, done, total

        yield told


def _draw(place: Place, done: threading.Event) -> None:
    if done.wait(PATIENCE_S):
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(place.label, total=None)
        while not done.wait(REDRAW_S):
            total = place.total or None
            bar.update(task, description=place.label, completed=place.current, total=total)
