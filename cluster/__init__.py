"""Where it runs: files and stores, records, the Ray session, and the sweeps on it."""

import os

# Ray reads its mode of authentication once, when it is first imported, and with none may write a
# token into the user's folder by itself. So it is said here, before any module of this room imports
# Ray; whoever wants a cluster without tokens says RAY_AUTH_MODE=disabled. A job that a cluster
# started has the mode of that cluster.
if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:
    os.environ.setdefault("RAY_AUTH_MODE", "token")
# Ray runs a task that its node had no memory for again without end, and without a word: a set that
# asks for more than there is would hold up its study for ever. So it gives up after some tries, as
# after other deaths of a worker; this too is read when Ray is imported.
os.environ.setdefault("RAY_task_oom_retries", "2")
