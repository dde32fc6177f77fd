"""The feed as an actor of Ray, which ends with its feed.

Theory. A feed that met an error of no known kind has ended, and its process with nothing to do
would stay up for ever: Ray restarts what dies, not what idles. So the error is told to whoever asks
for a few seconds, then the process ends with it and Ray runs the constructor again, with the same
series; the state resumes from the stored bars and fetches what came meanwhile. An error that comes
back with each start comes back at this pace, said each time, and never in a hurry.

Resources: no CPU of its own, for it mostly waits (`tests/bench/test_feed_speed.py`); memory for
the tails of its series; Ray lets at most 1,000 calls in at once. Calls only read, so they may be
repeated.
"""

import asyncio
import logging
import os
from typing import Any

import ray

from actors.feed import LOG, REOPEN_S, Feed

log = logging.getLogger(LOG)


class RestartedFeed(Feed):
    """A feed whose process ends soon after it has failed."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what `Feed` takes."""
        super().__init__(*arguments, **named)
        self._running.add_done_callback(_leave)


def _leave(running: "asyncio.Task[None]") -> None:
    if running.cancelled() or (error := running.exception()) is None:
        return
    log.critical("the feed ended and starts again", exc_info=error)
    asyncio.get_running_loop().call_later(REOPEN_S, os._exit, 1)


FeedActor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(RestartedFeed)
