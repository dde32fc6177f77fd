"""The sets of a batch that could not be run: every one with its values and the reason.

Theory. A failed set is no row of the table, which holds figures, so it has a place of its own: a
CSV file beside the batch, a line a set, for a person to read. What is shown of it is bounded: a
sentence for each strategy and reason, a few a batch (a strategy that fails does so with every plan,
so that the first of its sets says it all).
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cluster.study import ROW_HEAD, Recipe, market_name
from engines.kernels.trials import Market
from engines.klines import interval_text
from engines.search.grid import Value

SENTENCES_MAX = 5  # of one batch


@dataclass(slots=True)
class FailedSets:
    """Sets of one market by their number, each with the reason."""

    recipe: Recipe
    market: Market
    reasons: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.reasons)

    def add(self, strategy: int, plans: Iterable[int], why: str) -> None:
        """Note that a strategy, by index, could not be run with some plans."""
        first, said = strategy * self.recipe.space.plans.size, " ".join(why.split())
        self.reasons.update((first + plan, said) for plan in plans)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the first sets of the first strategies and reasons, in a sentence each."""
        firsts: dict[tuple[int, str], int] = {}
        for set_id, why in self.reasons.items():
            firsts.setdefault((self.recipe.space.split(set_id)[0], why), set_id)
            if len(firsts) == SENTENCES_MAX:
                break
        return tuple(self._sentence(set_id, why) for (_, why), set_id in firsts.items())

    def csv(self) -> bytes:
        """Return every set as a line of a CSV file, b"" if there is none."""
        if not self.reasons:
            return b""
        klines, text = self.market.klines, io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([*ROW_HEAD, *self._swept, "why"])
        where = klines.symbol, interval_text(klines.interval_ms)
        for set_id, why in self.reasons.items():
            rows.writerow([set_id, *where, *map(_text, self._values(set_id).values()), why])
        return text.getvalue().encode()

    def _sentence(self, set_id: int, why: str) -> str:
        values = ", ".join(f"{name}={_text(item)}" for name, item in self._values(set_id).items())
        return f"set {set_id} ({values}) on {market_name(self.market)}: {why}"

    def _values(self, set_id: int) -> Mapping[str, Value]:
        return dict(zip(self._swept, self.recipe.space.values_at(set_id).values(), strict=True))

    @property
    def _swept(self) -> list[str]:
        return [name for names in self.recipe.columns for name in names]


def _text(value: Value) -> str:
    return "none" if value is None else str(value)
