"""Who is at the other end of a socket. Nothing is sent before that is known to be the right user."""

from __future__ import annotations

import os
import socket
import struct
import sys

from .endpoint import Places
from .errors import Machine, WrongUser


def check_peer(stream: socket.socket, places: Places) -> None:
    """Refuses an agent that has not the right uid, before anything is sent."""
    if places.agent_uid is None:
        return
    found = peer_uid(stream)
    if found != places.agent_uid:
        raise WrongUser(
            f"the agent at {places.socket} belongs to uid {found}, not to uid {places.agent_uid}: "
            "nothing was sent"
        )


def peer_uid(stream: socket.socket) -> int:
    if sys.platform.startswith("linux"):
        credentials = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        uid: int = struct.unpack("=iII", credentials)[1]
        return uid
    # struct xucred of macOS and the BSDs: version, uid, ...; SOL_LOCAL and LOCAL_PEERCRED have no name in Python.
    version_and_uid = stream.getsockopt(0, 1, 76)[:8]
    uid = struct.unpack("=II", version_and_uid)[1]
    return uid


def check_directory(path: str, places: Places) -> bool:
    """Whether the directory of a socket is there; raises where it is somebody else's."""
    if places.socket_is_named:
        return True
    directory = os.path.dirname(path)
    try:
        owner = os.stat(directory).st_uid
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise machine(f"cannot look at {directory}", error) from None
    if owner not in (places.agent_uid, 0):
        raise WrongUser(
            f"the directory {directory} belongs to uid {owner}, not to uid {places.agent_uid}: "
            "nothing was sent"
        )
    return True


def machine(what: str, error: OSError) -> Machine:
    return Machine(f"{what}: {error.strerror or error}")
