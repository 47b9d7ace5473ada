"""A client that blocks. It may be shared by threads, used on after a fork, and outlives the agent."""

from __future__ import annotations

import atexit
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Optional, Tuple

from . import wire
from .connection import Connection
from .endpoint import VARIABLES, Places
from .errors import NoAgent
from .options import Options
from .token import Placement, Token
from .wire import Closed, Request

if TYPE_CHECKING:
    # Not there before Python 3.11, nor needed but to check types.
    from typing_extensions import Unpack

#: The whole wait of a `get` that does not say, in seconds; the agent applies the same.
GET_TIMEOUT = 30.0
#: How long the agent may be silent after the time that a request allowed it, before it counts as hung.
GRACE = 5.0
#: Connections that are kept for the next request; a thread that finds none opens one.
IDLE_MAX = 8
#: A restart can take a kept connection away, and the next one that the old agent still took. More is no restart.
REPEATS_MAX = 3
#: How often an agent that is stopping is looked at, in seconds.
STOPPING_NAP = 0.02


class Client:
    """Asks the agent of this process's environment, or of the `places` given."""

    def __init__(self, places: Optional[Places] = None) -> None:
        # Taken and given back by single calls of deque, which no other thread comes between: a lock could be held
        # by somebody at the moment of a fork, and never given back in the child.
        self._idle: Tuple[int, Deque[Connection]] = (os.getpid(), deque())
        self._places = places or Places.from_environment()

    def get(self, profile: str, **options: Unpack[Options]) -> str:
        """The access token alone."""
        request = wire.get_request(profile, **options)
        return wire.read_token(self.perform(request)).access_token

    def get_token(self, profile: str, **options: Unpack[Options]) -> Token:
        """A token with what is known of it, the member of a pool included."""
        request = wire.get_request(profile, name_member=True, **options)
        return wire.read_token(self.perform(request))

    def report(
        self,
        profile: str,
        status: int,
        *,
        token: Optional[str] = None,
        member: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> str:
        """Tells what an API said to a token (401, 403 or 429); gives what the agent does about it."""
        request = wire.report_request(
            profile, status, token=token, member=member, retry_after=retry_after
        )
        return wire.read_said(self.perform(request))

    def placement(self, profile: Optional[str] = None, url: Optional[str] = None) -> Placement:
        """How a profile's token is used; raises `UrlRefused` where it may not be used at `url`.

        Without a profile it is about the one whose `api_urls` fit the URL best.
        """
        return wire.read_placement(self.perform(wire.usage_request(profile, url)))

    def token_provider(self, profile: str, **options: Unpack[Options]) -> Callable[[], str]:
        """A callable that gives a good token each time."""
        return lambda: self.get(profile, **options)

    def perform(self, request: Request) -> Dict[str, Any]:
        """Sends any request, and gives how it ended: `done` of the protocol, as one key and its value.

        An agent that goes away before it answers, as one that is being updated does, is asked again after it is back,
        but never twice for a token that has to be new; one that says that it is going has done nothing yet.
        """
        attempt = Attempt(request)
        while True:
            connection = self._take() or Connection.open(self._places)
            try:
                return self._on(connection, request)
            except NoAgent as gone:
                nap = attempt.nap(gone)
            # The others that were kept are of the same agent.
            self.close()
            time.sleep(nap)

    def close(self) -> None:
        """Closes the connections that no request is under way on. The client can be used on."""
        _, idle = self._idle
        while idle:
            try:
                idle.pop().close()
            except IndexError:
                break

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __reduce__(self) -> Any:
        # For worker processes that are not forked: connections stay behind.
        return Client, (self._places,)

    def _on(self, connection: Connection, request: Request) -> Dict[str, Any]:
        try:
            return connection.request(request, patience(request))
        finally:
            # Not after a Ctrl-C, either: what is on its way belongs to this request.
            if connection.is_idle:
                self._give_back(connection)
            else:
                connection.close()

    def _take(self) -> Optional[Connection]:
        pid, idle = self._idle
        if pid != os.getpid():
            # The parent goes on using these; only our copies of them are closed.
            self.close()
            self._idle = (os.getpid(), deque())
            return None
        while True:
            try:
                connection = idle.pop()
            except IndexError:
                return None
            if connection.is_alive():
                return connection
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        pid, idle = self._idle
        if pid == os.getpid() and len(idle) < IDLE_MAX:
            idle.append(connection)
        else:
            connection.close()


class Attempt:
    """Whether a request that no agent carried out is tried again."""

    def __init__(self, request: Request) -> None:
        self._repeats_left = REPEATS_MAX if may_repeat(request) else 0
        self._deadline = time.monotonic() + patience(request) - GRACE

    def nap(self, gone: NoAgent) -> float:
        """How long to wait before that, in seconds. Raises what there is to raise where it is not."""
        if isinstance(gone, Closed):
            if self._repeats_left == 0:
                raise gone
            self._repeats_left -= 1
            return 0.0 if self._repeats_left == REPEATS_MAX - 1 else STOPPING_NAP
        # Its words are that it stops, after a renewal that is under way.
        if time.monotonic() + STOPPING_NAP > self._deadline:
            raise gone
        return STOPPING_NAP


def may_repeat(request: Request) -> bool:
    """Whether a request can be sent twice without a difference to anybody."""
    [(name, fields)] = request.items()
    return name in ("report", "usage", "why", "status2") or not fields.get("refresh", True)


def patience(request: Request) -> float:
    """How long the agent may be silent over a request."""
    [fields] = request.values()
    timeout, wait = fields.get("timeout_ms"), fields.get("wait_ms")
    whole = GET_TIMEOUT if timeout is None else timeout / 1000
    return whole + (wait or 0) / 1000 + GRACE


_DEFAULT: Tuple[Tuple[Any, ...], Optional[Client]] = ((), None)


def default() -> Client:
    """The client of the process's environment; another one when that has changed."""
    global _DEFAULT
    key = (os.geteuid(), *(os.environ.get(name) for name in VARIABLES))
    known, client = _DEFAULT
    if client is None or known != key:
        if client is not None:
            client.close()
        client = Client()
        _DEFAULT = (key, client)
    return client


@atexit.register
def _close() -> None:
    _, client = _DEFAULT
    if client is not None:
        client.close()


def get(profile: str, **options: Unpack[Options]) -> str:
    """The access token of a profile, good when this returns."""
    return default().get(profile, **options)


def get_token(profile: str, **options: Unpack[Options]) -> Token:
    """The token of a profile with what is known of it."""
    return default().get_token(profile, **options)


def report(
    profile: str,
    status: int,
    *,
    token: Optional[str] = None,
    member: Optional[str] = None,
    retry_after: Optional[float] = None,
) -> str:
    """Tells the agent what an API said to a token: 401, 403 or 429."""
    return default().report(profile, status, token=token, member=member, retry_after=retry_after)


def token_provider(profile: str, **options: Unpack[Options]) -> Callable[[], str]:
    """A callable that gives a good token each time it is called, for SDKs that ask for one.

    It finds the agent anew when it is called, so it may be made before there is one.
    """
    return lambda: get(profile, **options)
