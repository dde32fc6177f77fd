"""How long a test waits for what must come: a bound on a hang, never a claim about speed.

A machine that is busy may stand still for ten seconds anywhere, and took over a minute to start an
actor while twenty programs wanted its two cores; nothing may fail of that. So a test waits for a
condition, not for a time, and gives up only after this.
"""

PATIENCE_S = 300.0
