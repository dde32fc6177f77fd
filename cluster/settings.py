"""Settings from the environment: PHALANX_RAY_ADDRESS, PHALANX_HISTORY_DAYS and their neighbours.

Flags go before them. What Ray reads itself (RAY_AUTH_MODE, RAY_AUTH_TOKEN) is left to Ray.
"""

from datetime import UTC, date, datetime, time
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from engines.errors import Fault


class SettingsFault(Fault):
    """A setting in the environment that cannot hold."""


class ClusterSettings(BaseSettings):
    """How sweeps use a cluster; each is an environment variable PHALANX_ and its name.

    `ray_address` is the cluster to join, a local one is started without it. A task gets
    `task_cpus` CPUs and work for about `task_seconds`; `tasks_ahead` of them wait for each that
    runs. A task whose worker dies is run again up to `task_retries` times. GPUs take part where the
    CPUs alone would take `gpu_pays_seconds`: each worker on one compiles for two minutes first.
    """

    model_config = SettingsConfigDict(env_prefix="PHALANX_", frozen=True, extra="ignore")

    ray_address: str | None = None
    task_cpus: int = Field(default=1, ge=1, le=1024)
    task_seconds: float = Field(default=2.0, gt=0, le=600)
    tasks_ahead: int = Field(default=1, ge=0, le=100)
    task_retries: int = Field(default=5, ge=0, le=100)
    gpu_pays_seconds: float = Field(default=300.0, ge=0)


class HistorySettings(BaseSettings):
    """How long stored bars are kept; each is an environment variable PHALANX_ and its name.

    Where nothing is stored and nothing is said, bars are fetched from `history_since` on.
    `phalanx data trim` takes away what opened before it, and what is older than `history_days`.
    """

    model_config = SettingsConfigDict(env_prefix="PHALANX_", frozen=True, extra="ignore")

    history_since: date = date(2025, 1, 1)
    history_days: int = Field(default=730, ge=1, le=100_000)

    @property
    def history_since_ms(self) -> int:
        """Return when the day of `history_since` begins."""
        return round(datetime.combine(self.history_since, time(), UTC).timestamp() * 1000)


Settings = TypeVar("Settings", bound=BaseSettings)


def cluster_settings() -> ClusterSettings:
    """Return the settings of sweeps.

    Raises: SettingsFault naming the first variable that is wrong.
    """
    return _of_environment(ClusterSettings)


def history_settings() -> HistorySettings:
    """Return the settings of the history.

    Raises: SettingsFault naming the first variable that is wrong.
    """
    return _of_environment(HistorySettings)


def _of_environment(cls: type[Settings]) -> Settings:
    try:
        return cls()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"PHALANX_{'_'.join(map(str, first['loc']))}".upper()
        raise SettingsFault(name, first["msg"].lower(), repr(first["input"])) from None
