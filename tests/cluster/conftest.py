"""One Ray cluster of several nodes on this machine for all tests of this folder.

The head has two CPUs; a second node has one and a GPU that exists only by name. What a test kills
is a node that it has added itself.
"""

import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

import ray
from ray.cluster_utils import Cluster

from cluster.session import session
from tests.cluster.nodes import Nodes


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    """Be in a cluster of two nodes; more can be added and taken away."""
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
