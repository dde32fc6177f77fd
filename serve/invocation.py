"""What was typed, for those who write it into results; set once where the program starts."""

from contextvars import ContextVar

ARGUMENTS: ContextVar[tuple[str, ...]] = ContextVar("ARGUMENTS", default=())
