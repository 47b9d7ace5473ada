"""Where the agent's socket is: the rules of proto/PROTOCOL.md section 1. Nothing is created.

Paths are bytes' text as Python has it (surrogateescape), so that a path in any encoding is found.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Mapping, Optional

from .errors import Usage

#: Longest socket path the kernel takes, without its terminating NUL (sun_path of unix(7)).
SOCKET_PATH_BYTES_MAX = 107

#: What the places depend on.
VARIABLES = (
    "TOKCTL_HOME",
    "TOKCTL_SOCK",
    "TOKCTL_SOCK_UID",
    "XDG_RUNTIME_DIR",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "HOME",
)


@dataclass(frozen=True)
class Places:
    """Where this user's tokctl lives."""

    #: TOKCTL_HOME, absolute, where it is set.
    home: Optional[str]
    vault: str
    socket: str
    #: TOKCTL_SOCK names the socket: it may be somebody else's agent, so none is started there.
    socket_is_named: bool
    #: The uid that the agent must have; None: any, where TOKCTL_SOCK_UID says so of a socket that is named.
    agent_uid: Optional[int]

    @classmethod
    def from_environment(cls) -> Places:
        return look_up(os.environ, os.geteuid(), _owner)

    def holder_socket(self) -> Optional[str]:
        """Where the holder of the vault says that it listens; a hint, for the process may be gone."""
        try:
            lines = Path(self.vault, "lock").read_bytes().split(b"\n")
            int(lines[0])
            socket = os.fsdecode(lines[1])
        except (OSError, ValueError, IndexError):
            return None
        return socket if os.path.isabs(socket) else None


def look_up(
    variables: Mapping[str, str], uid: int, owner: Callable[[str], Optional[int]]
) -> Places:
    """The places of an environment; `owner` gives the uid of a path, if there is such a path."""

    def named(name: str) -> Optional[str]:
        value = variables.get(name)
        return _absolute(name, value) if value else None

    def base(name: str, below_home: str) -> str:
        value = variables.get(name, "")
        if os.path.isabs(value):
            return value
        home = variables.get("HOME", "")
        if not os.path.isabs(home):
            raise Usage("HOME is not set to an absolute path", hint="set HOME or TOKCTL_HOME")
        return os.path.join(home, below_home)

    def runtime() -> Optional[str]:
        for path in (variables.get("XDG_RUNTIME_DIR", ""), f"/run/user/{uid}"):
            if os.path.isabs(path) and owner(path) == uid:
                return os.path.join(path, "tokctl")
        return None

    def state() -> Optional[str]:
        try:
            return os.path.join(base("XDG_STATE_HOME", ".local/state"), "tokctl/run")
        except Usage:
            return None

    home = named("TOKCTL_HOME")
    if home is not None:
        vault = os.path.join(home, "vault")
    else:
        vault = os.path.join(base("XDG_DATA_HOME", ".local/share"), "tokctl/vault")
    socket = named("TOKCTL_SOCK")
    agent_uid: Optional[int] = uid
    if socket is not None:
        if not _fits(socket):
            raise _too_long(socket)
        agent_uid = _uid(variables.get("TOKCTL_SOCK_UID") or str(uid))
        found = socket
    else:
        below = os.path.join(home, "run") if home is not None else None
        found = _derived([lambda: below, runtime, state])
    for path in (vault, found):
        if any(ord(each) < 32 or 127 <= ord(each) < 160 for each in path):
            raise Usage(
                f"a control character is in the path {path!r}",
                hint="name a directory without one: `printenv | cat -v` shows which variable has it",
            )
    return Places(home, vault, found, socket is not None, agent_uid)


def _derived(directories: List[Callable[[], Optional[str]]]) -> str:
    """The first directory of the list, or the next where its path is too long."""
    wanted: Optional[str] = None
    for directory in (each() for each in directories):
        if directory is None:
            continue
        # The path that was too long names the socket, so two homes never share one.
        name = "agent.sock" if wanted is None else f"{_fnv1a(os.fsencode(wanted)):016x}.sock"
        candidate = os.path.join(directory, name)
        if _fits(candidate):
            return candidate
        wanted = wanted or candidate
    raise _too_long(wanted or "")


def _too_long(socket: str) -> Usage:
    return Usage(
        f"no directory for the socket has a short enough path: `{socket}`",
        hint="set TOKCTL_HOME or TOKCTL_SOCK to a shorter path",
    )


def _fits(path: str) -> bool:
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX


def _absolute(name: str, value: str) -> str:
    if not os.path.isabs(value):
        try:
            value = os.path.join(os.getcwd(), value)
        except OSError:
            raise Usage(f"{name} is not an absolute path: `{value}`") from None
    # Without `.` and trailing slashes; `..` and links stay, since only the file system knows where they lead.
    return "/" + "/".join(part for part in value.split("/") if part not in ("", "."))


def _uid(text: str) -> Optional[int]:
    if text == "any":
        return None
    if not (text.isascii() and text.isdigit()):
        raise Usage(f"TOKCTL_SOCK_UID is not a user id: {text!r}")
    return int(text)


def _owner(path: str) -> Optional[int]:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None


def _fnv1a(data: bytes) -> int:
    """FNV-1a, 64 bits: names a socket, protects nothing."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
