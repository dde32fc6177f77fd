"""What a sweep says while it has nothing to show: no wait is silent."""

import threading
import time
from typing import Any

import pytest

from cluster.batches import BatchPlan
from cluster.study_manifest import Standing
from engines.search.objectives import Objective, TopList
from serve.sweep_progress import sweep_progress

PATIENCE_S = 20.0
BEGIN = "starting Ray here"
BEGUN = f"sweep: {BEGIN}\n"
Capture = pytest.CaptureFixture[str]


def standing(verifying: int = 0) -> Standing:
    study: Any = None  # nothing of it is said here
    top = TopList(3, Objective.parse("sharpe"))
    return Standing(study, BatchPlan(1, 7), 5, top, verifying=verifying)


def timers() -> list[threading.Timer]:
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_a_wait_for_the_first_result_says_that_a_kernel_is_compiled(capsys: Capture) -> None:
    said = ""
    with sweep_progress(BEGIN, patience_s=0.0):
        while said in ("", BEGUN):
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert said.startswith(f"{BEGUN}sweep: no result yet: the first sweep on a machine compiles")


def test_a_first_result_or_the_end_makes_that_needless(capsys: Capture) -> None:
    with sweep_progress(BEGIN, patience_s=PATIENCE_S) as watch:
        (waiting,) = timers()
        watch(standing())
        waiting.join()  # at once; one that goes on to wait says so in the end
    with sweep_progress(BEGIN, patience_s=PATIENCE_S):
        (waiting,) = timers()
    waiting.join()
    assert capsys.readouterr().err == 2 * BEGUN


@pytest.mark.parametrize(("count", "said"), [(1, "1 winner"), (20, "20 winners")])
def test_verifying_is_said_when_it_begins(capsys: Capture, count: int, said: str) -> None:
    with sweep_progress(BEGIN) as watch:
        watch(standing(verifying=count))
    assert capsys.readouterr().err == f"{BEGUN}sweep: verifying {said} on the reference\n"
