"""cluster.yaml: valid by Ray's own schema, of the versions we lock, with the token everywhere."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.tidy.house import ROOT
from tests.tidy.rules import ROOMS


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def config(written: dict[str, Any]) -> dict[str, Any]:
    """Return what `ray up` makes of the file before it asks the cloud for anything."""
    prepared: dict[str, Any] = prepare_config(written)
    return prepared


def test_ray_accepts_it(config: dict[str, Any]) -> None:
    validate_config(config)


def test_ray_refuses_it_with_a_word_that_it_does_not_know(config: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="upscaling_sped"):
        validate_config({**config, "upscaling_sped": 1.0})


def test_no_default_of_rays_slips_in(config: dict[str, Any]) -> None:
    """A list that we leave out would be Ray's, whose setup installs a Ray of the night."""
    types = config["available_node_types"]
    assert set(types) == {"head", "cpu_worker", "gpu_worker"}
    for commands in ("setup_commands", "head_setup_commands", "worker_setup_commands"):
        assert not re.search(r"wheel|nightly|latest", " ".join(config.get(commands) or []))


def test_the_head_runs_no_task_and_workers_come_and_go(config: dict[str, Any]) -> None:
    types = config["available_node_types"]
    assert types[config["head_node_type"]]["resources"] == {"CPU": 0}
    assert "--num-cpus=0" in config["head_start_ray_commands"][-1]
    assert "InstanceMarketOptions" not in types["head"]["node_config"]
    for name in ("cpu_worker", "gpu_worker"):
        assert types[name]["min_workers"] == 0 < types[name]["max_workers"]
        assert types[name]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}


def test_every_node_asks_for_the_token_and_has_it(config: dict[str, Any]) -> None:
    assert "-e RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    assert "~/.ray/auth_token" in config["file_mounts"]
    assert "--dashboard-host=127.0.0.1" in config["head_start_ray_commands"][-1]
    assert "RAY_AUTH_TOKEN=" not in (ROOT / "cluster.yaml").read_text("utf-8")


def test_every_image_has_the_ray_that_we_lock(config: dict[str, Any]) -> None:
    lock = (ROOT / "requirements.txt").read_text("utf-8")
    found = re.search(r"^ray(?:\[[\w,]+\])?==([\d.]+)", lock, re.MULTILINE)
    assert found is not None
    workers = [item.get("docker", {}) for item in config["available_node_types"].values()]
    images = [config["docker"]["image"], *(w["worker_image"] for w in workers if w)]
    assert len(images) == 2
    for image in images:
        assert image.startswith(f"rayproject/ray:{found[1]}-py311-")


def test_every_node_gets_all_that_the_installation_needs(written: dict[str, Any]) -> None:
    mounted = {Path(path).name: source for path, source in written["file_mounts"].items()}
    for name in (*ROOMS, "pyproject.toml", "requirements.txt", "README.md"):
        assert mounted[name] == name
        assert (ROOT / name).exists()
