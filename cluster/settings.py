"""Settings of the cluster from the environment: PHALANX_RAY_ADDRESS and its neighbours.

Flags go before them. What Ray reads itself (RAY_AUTH_MODE, RAY_AUTH_TOKEN) is left to Ray.
"""

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from engines.errors import Fault


class SettingsFault(Fault):
    """A setting in the environment that cannot hold."""


class ClusterSettings(BaseSettings):
    """How sweeps use a cluster; each is an environment variable PHALANX_ and its name.

    `ray_address` is the cluster to join, a local one is started without it. A task gets
    `task_cpus` CPUs and work for about `task_seconds`; `tasks_ahead` of them wait for each that
    runs. A task whose worker dies is run again up to `task_retries` times.
    """

    model_config = SettingsConfigDict(env_prefix="PHALANX_", frozen=True, extra="ignore")

    ray_address: str | None = None
    task_cpus: int = Field(default=1, ge=1, le=1024)
    task_seconds: float = Field(default=2.0, gt=0, le=600)
    tasks_ahead: int = Field(default=1, ge=0, le=100)
    task_retries: int = Field(default=5, ge=0, le=100)


def cluster_settings() -> ClusterSettings:
    """Return the settings of the environment.

    Raises: SettingsFault naming the first variable that is wrong.
    """
    try:
        return ClusterSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"PHALANX_{'_'.join(map(str, first['loc']))}".upper()
        raise SettingsFault(name, first["msg"].lower(), repr(first["input"])) from None
