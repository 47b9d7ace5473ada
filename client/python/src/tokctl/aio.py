"""The client for asyncio. It may be used by many tasks, in one loop after the other, and outlives the agent."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Deque, Dict, Optional, Tuple

from . import autostart, wire
from .client import IDLE_MAX, Attempt, patience
from .connection import CONNECT_SECONDS_MAX, candidates, closed, silent
from .endpoint import Places
from .errors import NoAgent
from .options import Options
from .peer import check_directory, check_peer, machine
from .token import Placement, Token
from .wire import LINE_BYTES_MAX, Exchange, Request, encode, greeting, unreadable

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AsyncConnection:
    """A connection whose other end is the right user's, for one request at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, places: Places
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._places = places
        self._outgoing = greeting(places)
        self._was_heard = False
        self.is_idle = True

    @classmethod
    async def open(cls, places: Places) -> AsyncConnection:
        """Connects to the user's agent; has it started where none runs and one may be."""
        for _ in range(autostart.TRIES):
            found = await cls._listening(places)
            if found is not None:
                return found
            autostart.check(places)
            # Many at once start one: `tokctl` sees to that. Nothing else of the loop waits for it.
            await asyncio.get_running_loop().run_in_executor(None, autostart.start, places)
        raise autostart.ended()

    @classmethod
    async def _listening(cls, places: Places) -> Optional[AsyncConnection]:
        for path in candidates(places):
            if check_directory(path, places):
                found = await cls._at(path, places)
                if found is not None:
                    return found
        return None

    @classmethod
    async def _at(cls, path: str, places: Places) -> Optional[AsyncConnection]:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.setblocking(False)
        try:
            connecting = asyncio.get_running_loop().sock_connect(stream, path)
            await asyncio.wait_for(connecting, CONNECT_SECONDS_MAX)
            # Of the socket itself: asyncio lets go of one whose other end is closed.
            check_peer(stream, places)
            reader, writer = await asyncio.open_unix_connection(
                sock=stream, limit=LINE_BYTES_MAX + 1
            )
            return cls(reader, writer, places)
        except BaseException as error:
            stream.close()
            if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
                return None
            if isinstance(error, asyncio.TimeoutError):
                raise silent(CONNECT_SECONDS_MAX) from None
            if isinstance(error, OSError):
                raise machine(f"cannot connect to {path}", error) from None
            raise

    def is_alive(self) -> bool:
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def request(self, request: Request, patience: float) -> Dict[str, Any]:
        """Sends a request and reads to its end, within `patience` seconds."""
        self.is_idle = False
        try:
            exchange = await asyncio.wait_for(self._exchange(request), patience)
        except asyncio.TimeoutError:
            raise silent(patience) from None
        self.is_idle = True
        return exchange.end()

    async def _exchange(self, request: Request) -> Exchange:
        exchange = Exchange()
        await self._send(self._outgoing + encode(request))
        self._outgoing = b""
        while not exchange.is_over:
            answer = exchange.hear(await self._line())
            if answer is not None:
                await self._send(answer)
        return exchange

    def close(self) -> None:
        self._writer.close()

    async def _send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (BrokenPipeError, ConnectionResetError):
            # Its answer may still be there to be read.
            pass
        except OSError as error:
            raise machine("cannot write to the agent", error) from None

    async def _line(self) -> bytes:
        try:
            line = await self._reader.readline()
        except ValueError:
            # Longer than any line may be.
            pass
        except (BrokenPipeError, ConnectionResetError):
            raise closed(self._places, self._was_heard) from None
        except OSError as error:
            raise machine("cannot read from the agent", error) from None
        else:
            if not line.endswith(b"\n"):
                raise closed(self._places, self._was_heard)
            self._was_heard = True
            return line
        raise unreadable()


class AsyncClient:
    """What `Client` is, for asyncio."""

    def __init__(self, places: Optional[Places] = None) -> None:
        self._places = places or Places.from_environment()
        #: And whose they are: a process and its loop.
        self._idle: Tuple[Any, Deque[AsyncConnection]] = (None, deque())

    async def get(self, profile: str, **options: Unpack[Options]) -> str:
        """The access token alone."""
        request = wire.get_request(profile, **options)
        return wire.read_token(await self.perform(request)).access_token

    async def get_token(self, profile: str, **options: Unpack[Options]) -> Token:
        """A token with what is known of it, the member of a pool included."""
        request = wire.get_request(profile, name_member=True, **options)
        return wire.read_token(await self.perform(request))

    async def report(
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
        return wire.read_said(await self.perform(request))

    async def placement(
        self, profile: Optional[str] = None, url: Optional[str] = None
    ) -> Placement:
        """How a profile's token is used; raises `UrlRefused` where it may not be used at `url`."""
        return wire.read_placement(await self.perform(wire.usage_request(profile, url)))

    def token_provider(
        self, profile: str, **options: Unpack[Options]
    ) -> Callable[[], Awaitable[str]]:
        """A callable that gives a good token each time it is awaited."""
        return lambda: self.get(profile, **options)

    async def perform(self, request: Request) -> Dict[str, Any]:
        """Sends any request, and gives how it ended; again where the agent was restarted meanwhile."""
        attempt = Attempt(request)
        while True:
            connection = self._take() or await AsyncConnection.open(self._places)
            try:
                return await self._on(connection, request)
            except NoAgent as gone:
                nap = attempt.nap(gone)
            await self.aclose()
            await asyncio.sleep(nap)

    async def aclose(self) -> None:
        """Closes the connections that no request is under way on. The client can be used on."""
        key, idle = self._idle
        while idle and key == _here():
            idle.pop().close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _on(self, connection: AsyncConnection, request: Request) -> Dict[str, Any]:
        try:
            return await connection.request(request, patience(request))
        finally:
            # A task that was cancelled leaves an answer on its way.
            if connection.is_idle and self._idle[0] == _here() and len(self._idle[1]) < IDLE_MAX:
                self._idle[1].append(connection)
            else:
                connection.close()

    def _take(self) -> Optional[AsyncConnection]:
        if self._idle[0] != _here():
            # A connection is of its loop and its process, and is left to them.
            self._idle = (_here(), deque())
        _, idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_alive():
                return connection
            connection.close()
        return None


def _here() -> Tuple[int, asyncio.AbstractEventLoop]:
    return os.getpid(), asyncio.get_running_loop()
