"""The page of a study, and beside it the report of its best set, written whole or not at all."""

from pathlib import Path

from cluster.results import OutputFault
from cluster.whole_files import write_whole
from engines.report_page import framed, page
from serve.study_payload import BEST_PAGE, StudyReport, study_payload
from serve.study_rows import view_of
from serve.web.bundle import report_assets, study_assets

STUDY_PAGE = "report.html"
SAID = (
    "This page draws itself: it needs JavaScript, and nothing from the network. The same sets lie "
    "beside it as Parquet files, described by manifest.json."
)


def study_page(report: StudyReport) -> str:
    """Return the page of a study; its table is read twice, a block at a time."""
    title = f"{report.strategy} · study {report.study_id} · phalanx"
    return framed(title, study_payload(report, view_of(report.table)), study_assets(), SAID)


def write_study_pages(folder: Path, report: StudyReport) -> Path:
    """Write the study's page into its folder, the best set's first, and return its path.

    Raises: OutputFault if the disk refuses.
    """
    pages = {STUDY_PAGE: study_page(report)}
    if report.best is not None:
        pages = {BEST_PAGE: page([report.best], report_assets()), **pages}
    try:
        for name, text in pages.items():
            write_whole(folder / name, text.encode())
    except OSError as error:
        raise OutputFault(
            f"study folder {folder}", "a place that can be written to", f"{error.strerror}"
        ) from None
    return folder / STUDY_PAGE
