"""Faults that can happen while the program is used as intended; bugs are asserts instead.

Every fault carries three fields, because that is what a person needs to mend it: the subject (the
thing that is wrong), what was expected of it and what was found. Fields go to `super().__init__`
so that a fault crosses process borders whole (an exception rebuilt from fewer arguments arrives
as an UnserializableException).
"""


class Fault(Exception):
    """Something from outside is wrong; its text is one clear sentence."""

    def __init__(self, subject: str, expected: str, found: str) -> None:
        super().__init__(subject, expected, found)
        self.subject = subject
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"{self.subject}: expected {self.expected}, found {self.found}"


class KlineFault(Fault):
    """Bars that cannot be trusted: columns, times, prices or intervals are wrong."""


class InstrumentFault(Fault):
    """Trading rules of an instrument that cannot hold."""


class ParameterFault(Fault):
    """A strategy parameter that is unknown, of the wrong type or out of its range."""


class PlanFault(Fault):
    """A plan or cost setting that is out of range or contradicts another."""


class OrderFault(Fault):
    """An order that cannot be placed: no size, no side, an undefined level."""


class StrategyFault(Fault):
    """A strategy that is unknown, does not load, or fails while it runs."""


class LookAhead(StrategyFault):
    """A strategy whose earlier wishes change when later bars are taken away."""


class TradeListFault(Fault):
    """A trade list from elsewhere that cannot be read or does not belong to the bars."""


class KernelFault(Fault):
    """A compiled kernel that cannot be built or run here as it must."""
