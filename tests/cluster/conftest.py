"""One Ray cluster of several nodes on this machine for all tests of this folder.

The head has two CPUs; a second node has one and a GPU that exists only by name. What a test kills
is a node that it has added itself. The cluster ends with the folder's last test: whatever runs
beside a cluster uses it, so each venue that a test of another folder opens would leave an actor.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

import ray
from ray.cluster_utils import Cluster

from cluster.session import session
from tests.cluster.nodes import Nodes

FOLDER = Path(__file__).parent
OPEN, SHARED = ExitStack(), list[Nodes]()


@pytest.fixture(scope="module")
def nodes() -> Nodes:
    """Be in a cluster of two nodes; more can be added and taken away."""
    if not SHARED:
        SHARED.append(OPEN.enter_context(_two_nodes()))
        OPEN.callback(SHARED.clear)
    return SHARED[0]


@pytest.hookimpl(trylast=True)  # when the test's own fixtures are gone
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the cluster if no test of this folder comes next."""
    if nextitem is None or not nextitem.path.is_relative_to(FOLDER):
        OPEN.close()


def pytest_sessionfinish() -> None:
    """End the cluster if the session is ended before."""
    OPEN.close()


@contextmanager
def _two_nodes() -> Iterator[Nodes]:
    made: Any = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 2, "include_dashboard": False, "object_store_memory": 2**28},
    )
    try:
        made.add_node(num_cpus=1, num_gpus=1, object_store_memory=2**28)
        with session(made.address):
            yield Nodes(made)
    finally:
        if ray.is_initialized():
            ray.shutdown()
        made.shutdown()
