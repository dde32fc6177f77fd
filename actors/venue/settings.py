"""Which venue, where it is, and with which keys: from the environment, and from `--venue`.

PHALANX_VENUE              bybit (the default), binance, or the address of a local Bybit server
PHALANX_VENUE_URL          another address for that venue, such as a mirror of Bybit's
PHALANX_VENUE_ENVIRONMENT  mainnet (the default), demo, testnet
PHALANX_BUDGETS            where programs of this machine share their request budgets
PHALANX_API_KEY, PHALANX_API_SECRET
"""

import os
import tempfile
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from cluster.settings import SettingsFault

SIM = "sim"
SIM_URL = "http://127.0.0.1:8980"


class VenueEnvironment(StrEnum):
    """Which of a venue's worlds: the real one, the real market with play money, a test market."""

    MAINNET = "mainnet"
    DEMO = "demo"
    TESTNET = "testnet"


class VenueSettings(BaseSettings):
    """The venue of the environment; a key is shown by no text of this object."""

    model_config = SettingsConfigDict(env_prefix="PHALANX_", frozen=True, extra="ignore")

    venue: str = "bybit"
    venue_url: str | None = None
    venue_environment: VenueEnvironment = VenueEnvironment.MAINNET
    budgets: Path = Field(
        default_factory=lambda: Path(tempfile.gettempdir()) / f"phalanx-budgets-{os.getuid()}"
    )
    venue_timeout_s: float = Field(default=10.0, gt=0, le=300)
    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None

    @property
    def series_venue(self) -> str:
        """Return what the venue's series are stored under; a test market is another market."""
        is_test = self.venue_environment is VenueEnvironment.TESTNET
        return f"{self.venue}-{self.venue_environment}" if is_test else self.venue

    def secrets(self) -> tuple[str, str]:
        """Return key and secret, "" for none."""
        key, secret = self.api_key, self.api_secret
        return (
            key.get_secret_value() if key else "",
            secret.get_secret_value() if secret else "",
        )


def venue_settings(venue: str | None = None) -> VenueSettings:
    """Return the settings of the environment, `venue` before what it names.

    An address in the place of a name is a local server that speaks Bybit's protocol; `sim` is the
    one that `phalanx venue-sim` starts. Their series are stored as `sim`, never among a real
    venue's.
    Raises: SettingsFault naming what is wrong.
    """
    try:
        settings = VenueSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"PHALANX_{'_'.join(map(str, first['loc']))}".upper()
        found = "a value that cannot be used" if "api_" in name.lower() else repr(first["input"])
        raise SettingsFault(name, first["msg"].lower(), found) from None
    return _named(settings if venue is None else settings.model_copy(update={"venue": venue}))


def _named(settings: VenueSettings) -> VenueSettings:
    name = settings.venue
    if "://" in name:
        settings = settings.model_copy(update={"venue": SIM, "venue_url": name})
    elif name == SIM and settings.venue_url is None:
        settings = settings.model_copy(update={"venue_url": SIM_URL})
    url = settings.venue_url
    if url is not None:
        if urlsplit(url).scheme not in ("http", "https") or not endpoint(url):
            expected = "one such as http://127.0.0.1:8980"
            raise SettingsFault("address of the venue", expected, repr(without_keys(url)))
        settings = settings.model_copy(update={"venue_url": url.rstrip("/")})
    return settings


def endpoint(url: str) -> str:
    """Return an address's host and port, "" if it has none: no name or password, and no path."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:  # not a number, or too large
        return ""
    host = parts.hostname or ""
    return host if port is None else f"{host}:{port}"


def without_keys(address: str) -> str:
    """Return what was given as an address without a name and a password in front of its host."""
    scheme, mark, rest = address.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]
