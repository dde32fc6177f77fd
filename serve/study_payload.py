"""Everything that a study's page shows, as one mapping that becomes JSON inside the page.

Surfaces, quantiles and rows are packed as 32-bit floats: seven digits are more than anyone reads
off a picture; the list of the best has every digit. What is drawn from single sets (quantiles,
distributions, parallel coordinates) comes from the sample, and the page says so where the sample is
not all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engines.metrics.table import DECIMALS, METRICS, Unit
from engines.report import Run
from engines.report_packing import floats32, packed
from engines.search.surfaces import F64_2D, explained_ratio, value_text
from engines.types import F64_1D
from serve.study_rows import Rows, StudyTable, StudyView

BEST_PAGE = "best.html"
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
LINES = 700  # of parallel coordinates, beside the best
BINS = 40
COMPOSITE_FORMULA = "CAGR / (max drawdown + 0.05) x trades / (trades + 30)"
TAIL = 0.005  # what lies further out shares the outermost bins

Facts = Sequence[tuple[str, Sequence[tuple[str, str]]]]


@dataclass(frozen=True, slots=True)
class Winner:
    """One of the best sets: its market, its values on the axes and its metrics, all exact.

    `metrics` hold the objective too. `verified` says whether the reference engine gave the same
    trades; "reference" if it made the row itself, None if it was not asked.
    """

    market: str
    set_id: int
    values: Mapping[str, object]
    metrics: Mapping[str, float]
    verified: bool | str | None


@dataclass(frozen=True, slots=True, eq=False)
class StudyReport:
    """What a study's page tells besides its rows.

    `facts` are the manifest as titled lists, `excluded` the combinations that rules left out,
    `failed` those that could not be run. `best` is the first winner's run on the reference engine,
    whose report lies beside this page; the trials and the deflated Sharpe ratio are its own.
    """

    study_id: str
    strategy: str
    command: str
    table: StudyTable
    winners: Sequence[Winner]
    excluded: int
    failed: int
    is_synthetic: bool
    facts: Facts
    notes: Sequence[str]
    versions: Mapping[str, str]
    best: Run | None


def study_payload(report: StudyReport, view: StudyView) -> dict[str, object]:
    """Return what the page of a study shows."""
    table, best = report.table, report.best
    return {
        "study_id": report.study_id,
        "strategy": report.strategy,
        "command": report.command,
        "versions": dict(report.versions),
        "is_synthetic": report.is_synthetic,
        "facts": [[title, [list(row) for row in rows]] for title, rows in report.facts],
        "notes": list(report.notes),
        "objective": {
            "name": table.objective.name,
            "is_larger_better": table.objective.is_larger_better,
        },
        "constraints": [str(constraint) for constraint in table.constraints],
        "counts": {
            "rows": view.rows,
            "failed": report.failed,
            "met": view.met,
            "excluded": report.excluded,
            "sample": len(view.sample.scores),
        },
        "trials": None if best is None else best.trials,
        "sharpe_deflated_ratio": None if best is None else best.metrics["sharpe_deflated_ratio"],
        "best_page": None if best is None else BEST_PAGE,
        "metrics": _metrics(table),
        "axes": [_axis(view, axis) for axis in range(len(view.scales))],
        "views": _views(view),
        "histograms": [_histogram(column) for column in view.sample.values.T],
        "lines": _lines(view),
        "winners": [_winner(winner, table) for winner in report.winners],
    }


def _metrics(table: StudyTable) -> list[dict[str, object]]:
    known = {metric.name: metric for metric in METRICS}
    return [
        {
            "name": name,
            "label": known[name].label if name in known else name.capitalize(),
            "unit": (known[name].unit if name in known else Unit.NUMBER).name.lower(),
            "decimals": known[name].decimals if name in known else DECIMALS[Unit.NUMBER],
            "formula": known[name].formula if name in known else COMPOSITE_FORMULA,
            "is_larger_better": bool(is_larger),
        }
        for name, is_larger in zip(table.metrics, table.larger_is_better, strict=True)
    ]


def _axis(view: StudyView, axis: int) -> dict[str, object]:
    """Return one axis: its texts, how the metrics spread at each place, how much it explains."""
    scale, sample = view.scales[axis], view.sample
    places = sample.places[:, axis].astype(np.int64)
    spread = np.full((len(scale), sample.values.shape[1], len(QUANTILES)), np.nan)
    for place in range(len(scale)):
        spread[place] = _quantiles(np.sort(sample.values[places == place], axis=0))
    return {
        "name": scale.name,
        "texts": list(scale.texts),
        "is_grouped": scale.is_grouped,
        "quantiles": floats32(spread.ravel()),
        "explained": [explained_ratio(places, column) for column in sample.values.T],
    }


def _quantiles(ordered: F64_2D) -> F64_2D:
    """Return the nearest-rank quantiles [M, quantiles] of sorted columns [N, M], NaNs last."""
    known = np.count_nonzero(~np.isnan(ordered), axis=0)
    found = np.full((ordered.shape[1], len(QUANTILES)), np.nan)
    has = np.flatnonzero(known)
    for place, share in enumerate(QUANTILES):
        ranks = np.ceil(share * known[has]).astype(np.int64) - 1
        found[has, place] = ordered[np.maximum(ranks, 0), has]
    return found


def _views(view: StudyView) -> list[dict[str, object]]:
    """Return every pair of axes, and every axis alone, with its cells metric by metric."""
    surfaces = view.surfaces
    best, mean = surfaces.best_values(), surfaces.means()
    sets = surfaces.count.max(axis=1, initial=0.0)
    return [
        {
            "axes": [axis for axis in axes if axis >= 0],
            "best": floats32(best[start:stop].T.ravel()),
            "mean": floats32(mean[start:stop].T.ravel()),
            "sets": packed(sets[start:stop], 1.0),
        }
        for axes, start, stop in zip(
            surfaces.views, surfaces.starts[:-1], surfaces.starts[1:], strict=True
        )
    ]


def _histogram(values: F64_1D) -> dict[str, object]:
    """Return counts in bins of equal width; the tails share the outermost ones."""
    known = np.sort(values[np.isfinite(values)])
    if not len(known):
        return {"from": None, "step": None, "counts": [], "undefined": len(values)}
    low, high = known[int(TAIL * (len(known) - 1))], known[int((1 - TAIL) * (len(known) - 1))]
    step = _round_step(float(high - low) / BINS)
    first = np.floor(low / step)
    bins = int(np.floor(high / step) - first) + 1
    places = np.clip(np.floor(known / step) - first, 0, bins - 1).astype(np.int64)
    return {
        "from": float(first * step),
        "step": step,
        "counts": np.bincount(places, minlength=bins).tolist(),
        "undefined": len(values) - len(known),
    }


def _round_step(wanted: float) -> float:
    """Return 1, 2, 2.5 or 5 times a power of ten, at least `wanted`; 1 where there is no spread."""
    if not wanted > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= wanted * (1 - 1e-9)))


def _lines(view: StudyView) -> dict[str, object]:
    """Return the best rows and others evenly from the rest of the sample, by score."""
    best, sample = view.best, view.sample
    rest = np.flatnonzero(sample.scores < (best.scores[-1] if len(best.scores) else np.inf))
    if len(rest) > LINES:
        rest = rest[np.linspace(0, len(rest) - 1, LINES).astype(np.int64)]
    rows: Rows = best.and_those(sample.where(rest))
    return {
        "count": len(rows.scores),
        "best": len(best.scores),
        "places": [
            packed(rows.places[:, axis].astype(np.int64), 1.0) for axis in range(len(view.scales))
        ],
        "values": floats32(rows.values.T.ravel()),
        "scores": floats32(rows.scores),
    }


def _winner(winner: Winner, table: StudyTable) -> dict[str, object]:
    """Return a row of the list; a value is its text and what it is sorted by."""
    return {
        "market": winner.market,
        "set_id": winner.set_id,
        "values": {
            name: [value_text(name, value), value]
            for name, value in winner.values.items()
            if name in table.axes
        },
        "metrics": [winner.metrics[name] for name in table.metrics],
        "verified": winner.verified,
    }
