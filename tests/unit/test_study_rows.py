"""What a study's page is made of: the same as a plain computation over all rows at once."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import serve.study_rows as study_rows
from engines.kernels.summary import SUMMARY
from engines.search.objectives import Constraint, Objective
from engines.search.surfaces import explained_ratio, places_that_fit, scale_of
from engines.types import F64_1D, I64_1D
from serve.study_payload import QUANTILES, study_payload
from serve.study_rows import StudyTable, StudyView, view_of
from tests.browser.studies import GRID, report_of, write_table


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> StudyTable:
    return write_table(tmp_path_factory.mktemp("study") / "batches")


@pytest.fixture(scope="module")
def view(table: StudyTable) -> StudyView:
    return view_of(table)


@pytest.fixture(scope="module")
def frame(table: StudyTable) -> pd.DataFrame:
    """Return all rows that count, a market column before the axes."""
    found: pd.DataFrame = pa.concat_tables(pq.read_table(f) for f in table.files).to_pandas()
    found.insert(0, "market", found["symbol"] + " " + found["interval"])
    return found[found["sharpe"].notna() & (found["trades"] >= 30)]


def cells(view: StudyView, axes: tuple[int, int], which: Any) -> Any:
    """Return a view's cells [rows, columns, metrics]."""
    at = view.surfaces.views.index(axes)
    start, stop = view.surfaces.starts[at : at + 2]
    return which[start:stop].reshape(*(len(view.scales[axis]) for axis in axes), -1)


def test_axes_are_the_market_and_what_was_swept_in_order(view: StudyView) -> None:
    assert [scale.name for scale in view.scales] == ["market", *GRID]
    assert view.scales[0].texts == ("BTCUSDT 15m", "ETHUSDT 15m")
    assert view.scales[3].texts == ("no", "yes")
    assert view.scales[4].texts[:3] == ("none", "1 %", "1.5 %")


def test_rows_are_counted_and_those_that_are_ranked(
    view: StudyView, table: StudyTable, frame: pd.DataFrame
) -> None:
    rows = pa.concat_tables(pq.read_table(f) for f in table.files)
    assert view.rows == len(rows)
    assert view.met == len(frame) < view.rows


@pytest.mark.parametrize("metric", ["sharpe", "drawdown_ratio_max", "trades"])
def test_each_cell_is_the_best_and_the_mean_of_its_sets(
    view: StudyView, frame: pd.DataFrame, metric: str
) -> None:
    place = SUMMARY.index(metric)
    best: Literal["min", "max"] = "min" if metric == "drawdown_ratio_max" else "max"
    wanted = frame.pivot_table(values=metric, index="fast", columns="slow", aggfunc=[best, "mean"])
    for name, found in (("best", view.surfaces.best_values()), ("mean", view.surfaces.means())):
        kind = best if name == "best" else name
        shown = cells(view, (1, 2), found)[:, :, place]
        np.testing.assert_allclose(shown, wanted[kind].to_numpy(), rtol=1e-12)


def test_a_cell_counts_its_sets(view: StudyView, frame: pd.DataFrame) -> None:
    wanted = frame.pivot_table(values="set_id", index="market", columns="fast", aggfunc="count")
    found = cells(view, (0, 1), view.surfaces.count)[:, :, SUMMARY.index("trades")]
    np.testing.assert_array_equal(found, wanted.to_numpy())


def test_the_best_rows_are_the_best_of_all(view: StudyView, frame: pd.DataFrame) -> None:
    wanted = frame.sort_values("sharpe", ascending=False)["sharpe"].to_numpy()
    np.testing.assert_array_equal(view.best.scores, wanted[: len(view.best.scores)])
    np.testing.assert_array_equal(
        view.best.values[:, SUMMARY.index("sharpe")], wanted[: len(view.best.scores)]
    )


def test_a_view_does_not_depend_on_how_the_table_is_cut(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_rows, "BLOCK_ROWS", 100)
    monkeypatch.setattr(study_rows, "SAMPLE_ROWS", 500)
    finer = view_of(write_table(tmp_path / "fine", batch_rows=333))
    monkeypatch.setattr(study_rows, "BLOCK_ROWS", 1 << 16)
    coarser = view_of(write_table(tmp_path / "coarse", batch_rows=100_000))
    np.testing.assert_array_equal(finer.sample.values, coarser.sample.values)
    np.testing.assert_array_equal(finer.best.values, view.best.values)
    np.testing.assert_array_equal(finer.surfaces.count, view.surfaces.count)
    np.testing.assert_array_equal(finer.surfaces.best, view.surfaces.best)
    assert 350 < len(finer.sample.scores) < 650


def test_a_long_axis_is_grouped_and_says_so(
    table: StudyTable, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study_rows, "PLACES_MAX", 4)
    view = view_of(table)
    scale = view.scales[2]
    assert scale.texts == ("20–35", "40–55", "60–75", "80–95")
    assert scale.is_grouped
    assert not view.scales[3].is_grouped
    means = cells(view, (1, 2), view.surfaces.means())
    wanted = frame[frame["fast"].between(5, 7) & frame["slow"].between(20, 35)]["sharpe"].mean()
    assert means[0, 0, SUMMARY.index("sharpe")] == pytest.approx(wanted, rel=1e-12)


def test_small_is_best_where_the_study_says_so(table: StudyTable, frame: pd.DataFrame) -> None:
    view = view_of(replace(table, objective=Objective.parse("min:trades")))
    kept = frame["trades"].min()
    assert -view.best.scores[0] == kept
    assert view.surfaces.best_values()[:, SUMMARY.index("trades")].min() == kept


def test_a_composite_is_shown_as_one_more_metric(table: StudyTable) -> None:
    composed = replace(table, objective=Objective.parse("composite"))
    report = report_of(composed)
    payload: Any = study_payload(report, view_of(composed))
    assert [metric["name"] for metric in payload["metrics"]] == [*SUMMARY, "composite"]
    best = view_of(composed).best
    np.testing.assert_array_equal(best.values[:, -1], best.scores)
    assert payload["winners"][0]["metrics"][-1] == pytest.approx(best.scores[0], rel=1e-12)


def test_constraints_that_nothing_fulfils_leave_an_empty_view(table: StudyTable) -> None:
    strict = replace(table, constraints=(Constraint.parse("trades>=1e9"),))
    view = view_of(strict)
    assert (view.met, len(view.best.scores), len(view.sample.scores)) == (0, 0, 0)
    payload: Any = study_payload(report_of(strict, winners=[]), view)
    assert payload["lines"]["count"] == 0
    assert payload["histograms"][0]["counts"] == []


def test_quantiles_are_those_of_the_sets_at_a_value(
    table: StudyTable, view: StudyView, frame: pd.DataFrame
) -> None:
    axis: Any = study_payload(report_of(table), view)["axes"]
    packed = np.frombuffer(base64.b64decode(axis[1]["quantiles"]["float32"]), "<f4")
    shown = packed.reshape(len(view.scales[1]), len(SUMMARY), len(QUANTILES))
    for place, fast in enumerate(GRID["fast"]):
        sets = frame[frame["fast"] == fast]["sharpe"]
        wanted = sets.quantile(list(QUANTILES), interpolation="nearest").to_numpy()
        found = shown[place, SUMMARY.index("sharpe")]
        np.testing.assert_allclose(found, wanted, atol=0.05)


def test_a_histogram_counts_every_set_and_keeps_its_tails_in(
    table: StudyTable, view: StudyView
) -> None:
    payload: Any = study_payload(report_of(table), view)
    for histogram in payload["histograms"]:
        known = sum(histogram["counts"])
        assert known + histogram["undefined"] == len(view.sample.scores)
        assert len(histogram["counts"]) <= 42


def test_explained_variance_is_one_for_a_function_and_near_none_for_noise() -> None:
    rng = np.random.default_rng(1)
    places: I64_1D = rng.integers(0, 5, 10_000)
    known: F64_1D = places.astype(np.float64) * 2.0
    assert explained_ratio(places, known) == pytest.approx(1.0)
    assert explained_ratio(places, rng.normal(size=10_000)) < 0.01
    assert np.isnan(explained_ratio(places, np.ones(10_000)))
    holed = np.where(places == 0, np.nan, known)
    assert explained_ratio(places, holed) == pytest.approx(1.0)


def test_an_undefined_value_has_the_first_place() -> None:
    scale = scale_of("exits.stop_loss_ratio", np.array([0.02, np.nan, 0.01]), 10)
    assert scale.texts == ("none", "1 %", "2 %")
    assert scale.places(np.array([np.nan, 0.01, 0.02])).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("lengths", "places"), [([10, 10], 10), ([200, 200], 83), ([50] * 8, 15), ([2] * 80, 2)]
)
def test_axes_are_grouped_until_all_pairs_fit(lengths: list[int], places: int) -> None:
    assert places_that_fit(lengths, 7000) == places
