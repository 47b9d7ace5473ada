"""Has an agent started where none runs: by `tokctl agent start`, which knows how, and of many at once starts one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from typing import Any, Dict

from .endpoint import Places
from .errors import NoAgent, TokctlError, from_wire

PROGRAM = "tokctl"
#: Longer than `tokctl` itself waits, which is for a slow disk and a cold cache.
START_SECONDS_MAX = 30.0

#: Looks for a listener, each after a start but the first: one agent may be going as the next is looked for.
TRIES = 4

#: Of a hundred threads that find no agent one has it started.
TURN = threading.Lock()


def _after_fork() -> None:
    # Whoever held it has no copy in the child.
    global TURN
    TURN = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def check(places: Places) -> None:
    """Raises where no agent may be started."""
    if places.socket_is_named:
        raise NoAgent(
            f"no agent listens at {places.socket}",
            hint="TOKCTL_SOCK names that socket, so no agent is started there",
        )


def start(places: Places) -> None:
    """Starts an agent, unless one runs by now."""
    # A relative entry would name something else where the child stands.
    path = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(entry)]
    program = shutil.which(PROGRAM, path=os.pathsep.join(path)) if path else None
    if program is None:
        raise NoAgent(
            f"cannot start an agent: there is no `{PROGRAM}` on PATH", hint="install tokctl"
        )
    environment = dict(os.environ)
    if places.home is not None:
        # As it was read here, since the child stands somewhere else.
        environment["TOKCTL_HOME"] = places.home
    try:
        ended = subprocess.run(
            [program, "agent", "start", "--json"],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=START_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoAgent(
            f"the agent was not ready in {START_SECONDS_MAX:.0f} s", hint="run `tokctl agent log`"
        ) from None
    except OSError as error:
        raise NoAgent(f"cannot start {program}: {error.strerror}") from None
    if ended.returncode != 0:
        raise _refusal(ended.stderr)


def _refusal(stderr: bytes) -> TokctlError:
    """The error that `tokctl` gave, in its last line."""
    for line in reversed(stderr.splitlines()):
        try:
            failure: Dict[str, Any] = json.loads(line)["error"]
            return from_wire(failure)
        except (ValueError, KeyError, TypeError):
            continue
    return ended()


def ended() -> NoAgent:
    return NoAgent("the agent ended before it was ready", hint="run `tokctl agent log`")
