"""`phalanx trials`: how often each strategy was evaluated on which bars."""

from dataclasses import dataclass
from typing import Annotated

import typer

from serve.flags import JsonFlags


@dataclass(frozen=True, kw_only=True)
class TrialsFlags(JsonFlags):
    """What `phalanx trials` takes."""

    strategy: Annotated[
        str | None, typer.Argument(help="A part of a strategy's name: show only these.")
    ] = None


def trials(flags: TrialsFlags) -> int:
    """Show how many evaluations of a strategy on a dataset were counted, and by whom.

    The deflated Sharpe ratio of every report is measured by this count.
    """
    from serve.output import print_json, print_table
    from serve.runs import trial_ledger

    with trial_ledger() as ledger:
        counted = [one for one in ledger.all() if (flags.strategy or "") in one.strategy]
    if flags.json:
        rows = [
            {
                "strategy": one.strategy,
                "dataset": one.dataset.subject,
                "sha256": one.dataset.sha256,
                "trials": one.trials,
                "sources": dict(one.sources),
            }
            for one in counted
        ]
        print_json({"trials": rows})
        return 0
    print_table(
        ["strategy", "bars", "trials", "first counted by"],
        [
            [one.strategy, one.dataset.subject, f"{one.trials:,}", _sources(one.sources)]
            for one in counted
        ],
    )
    return 0


def _sources(sources: tuple[tuple[str, int], ...]) -> str:
    """Return the largest sources with their counts, the rest as a number."""
    largest = sorted(sources, key=lambda item: -item[1])
    shown = ", ".join(f"{name} {count:,}" for name, count in largest[:3])
    return f"{shown}, {len(largest) - 3} more" if len(largest) > 3 else shown
