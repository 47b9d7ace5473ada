"""One connection to the agent, that blocks: who is at the other end, lines out, lines in."""

from __future__ import annotations

import os
import socket
from typing import Any, Dict, List, Optional

from . import autostart
from .endpoint import Places
from .errors import Timeout, WrongUser
from .peer import check_directory, check_peer, machine
from .wire import LINE_BYTES_MAX, Closed, Exchange, Request, encode, greeting, unreadable

#: How long connecting may take: a backlog that is full is emptied within moments.
CONNECT_SECONDS_MAX = 10.0


class Connection:
    """A connection whose other end is the right user's, for one request at a time, in one thread at a time."""

    def __init__(self, stream: socket.socket, places: Places) -> None:
        self._stream = stream
        self._places = places
        # Leaves with the first request, in one write.
        self._outgoing = greeting(places)
        self._incoming = b""
        self._was_heard = False
        #: No request is under way, so the next line is the answer to the next request.
        self.is_idle = True

    @classmethod
    def open(cls, places: Places) -> Connection:
        """Connects to the user's agent; has it started where none runs and one may be."""
        found = cls._listening(places)
        if found is not None:
            return found
        autostart.check(places)
        with autostart.TURN:
            for _ in range(autostart.TRIES):
                # Another thread may have done it meanwhile.
                found = cls._listening(places)
                if found is not None:
                    return found
                autostart.start(places)
        raise autostart.ended()

    @classmethod
    def _listening(cls, places: Places) -> Optional[Connection]:
        for path in candidates(places):
            found = cls._at(path, places)
            if found is not None:
                return found
        return None

    @classmethod
    def _at(cls, path: str, places: Places) -> Optional[Connection]:
        if not check_directory(path, places):
            return None
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.settimeout(CONNECT_SECONDS_MAX)
            stream.connect(path)
            check_peer(stream, places)
            return cls(stream, places)
        except (FileNotFoundError, ConnectionRefusedError):
            stream.close()
            return None
        except OSError as error:
            stream.close()
            raise machine(f"cannot connect to {path}", error) from None
        except BaseException:
            stream.close()
            raise

    def is_alive(self) -> bool:
        """Whether the agent is still there, as far as can be told without asking it."""
        try:
            self._stream.setblocking(False)
            self._stream.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        # It ended, or said something that nobody asked for.
        return False

    def request(self, request: Request, patience: float) -> Dict[str, Any]:
        """Sends a request and reads to its end. `patience` is the longest silence, in seconds."""
        exchange = Exchange()
        self.is_idle = False
        self._stream.settimeout(patience)
        self._send(self._outgoing + encode(request))
        self._outgoing = b""
        while not exchange.is_over:
            answer = exchange.hear(self._line(patience))
            if answer is not None:
                self._send(answer)
        self.is_idle = True
        return exchange.end()

    def close(self) -> None:
        self._stream.close()

    def _send(self, data: bytes) -> None:
        try:
            self._stream.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            # An agent that refuses may answer and close before it has read: its answer is still there.
            pass
        except socket.timeout:
            raise silent(self._stream.gettimeout() or 0.0) from None
        except OSError as error:
            raise machine("cannot write to the agent", error) from None

    def _line(self, patience: float) -> bytes:
        while b"\n" not in self._incoming:
            if len(self._incoming) > LINE_BYTES_MAX:
                raise unreadable()
            try:
                piece = self._stream.recv(LINE_BYTES_MAX)
            except socket.timeout:
                raise silent(patience) from None
            except ConnectionResetError:
                piece = b""
            except OSError as error:
                raise machine("cannot read from the agent", error) from None
            if not piece:
                raise closed(self._places, self._was_heard)
            self._was_heard = True
            self._incoming += piece
        line, _, self._incoming = self._incoming.partition(b"\n")
        return line


def candidates(places: Places) -> List[str]:
    """Where the agent may listen: the user's socket, else wherever the holder of the vault says."""
    holder = None if places.socket_is_named else places.holder_socket()
    return [path for path in dict.fromkeys([places.socket, holder]) if path is not None]


def closed(places: Places, was_heard: bool) -> Exception:
    """The agent hung up. One that never said a word and has another uid takes us for somebody else."""
    own = os.geteuid()
    if places.agent_uid not in (None, own) and not was_heard:
        return WrongUser(
            f"the agent of uid {places.agent_uid} does not serve uid {own}",
            hint="an agent serves its own user alone; TOKCTL_SOCK_UID is for one that is us, seen from "
            "another user namespace",
        )
    return Closed()


def silent(patience: float) -> Timeout:
    return Timeout(
        f"the agent did not answer in {patience:.0f} s",
        hint="`tokctl agent log` may say why; `tokctl agent stop` ends it",
    )
