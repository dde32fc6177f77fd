"""Times that a person writes."""

from datetime import UTC, datetime

from engines.errors import ParameterFault


def parse_time_ms(flag: str, text: str) -> int:
    """Return the UTC milliseconds of an ISO time or date; without a zone it is UTC.

    Raises: ParameterFault if it is neither.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ParameterFault(
            flag, "a time such as 2025-01-31 or 2025-01-31T12:45Z", repr(text)
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return round(moment.timestamp() * 1000)
