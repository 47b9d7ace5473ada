"""Requests as lines of JSON, and what the lines that come back mean: proto/PROTOCOL.md. No I/O."""

from __future__ import annotations

import json
import logging
from typing import Any, Callable, Dict, List, Optional, TypeVar

from . import subject
from .endpoint import Places
from .errors import NoAgent, TokctlError, Usage, Version, from_wire
from .options import Dpop, Names
from .token import Placement, Token

#: Longest line in each direction.
LINE_BYTES_MAX = 65_536
#: The largest number that the wire has room for in durations.
U32_MAX = 0xFFFF_FFFF

#: A request: one key, which names it, and its fields.
Request = Dict[str, Dict[str, Any]]

LOG = logging.getLogger("tokctl")


def get_request(
    profile: str,
    *,
    scope: Names = None,
    audience: Names = None,
    resource: Names = None,
    min_valid: Optional[float] = None,
    best_effort: bool = False,
    refresh: bool = False,
    timeout: Optional[float] = None,
    uses: Optional[int] = None,
    wait: Optional[float] = None,
    dpop: Optional[Dpop] = None,
    name_member: bool = False,
) -> Request:
    """A `get`, or the `get2` or `get3` that it takes to say all that; `name_member` takes a `get2`."""
    fields: Dict[str, Any] = {
        "profile": profile,
        "scope": scope.split() if isinstance(scope, str) else _names(scope),
        "audience": _names(audience),
        "resource": _names(resource),
        "min_valid_s": None if min_valid is None else _whole(min_valid, 1),
        "best_effort": best_effort,
        "refresh": refresh,
        "timeout_ms": None if timeout is None else _whole(timeout, 1000),
        # A library asks nobody anything.
        "interactive": False,
    }
    if uses is None and wait is None and dpop is None and not name_member:
        return {"get": fields}
    fields["uses"] = uses
    fields["wait_ms"] = None if wait is None else _whole(wait, 1000)
    if dpop is None:
        return {"get2": fields}
    fields["dpop"] = {"method": dpop.method, "url": dpop.url, "nonce": dpop.nonce}
    return {"get3": fields}


def report_request(
    profile: str,
    status: int,
    *,
    member: Optional[str] = None,
    retry_after: Optional[float] = None,
    token: Optional[str] = None,
    token_sha256: Optional[str] = None,
) -> Request:
    fields = {
        "profile": profile,
        "member": member,
        "status": status,
        "retry_after_s": None if retry_after is None else _whole(retry_after, 1),
        "token": token,
        "token_sha256": token_sha256,
    }
    return {"report": fields}


def usage_request(profile: Optional[str], url: Optional[str]) -> Request:
    return {"usage": {"profile": profile, "url": url}}


def answer_request(text: str) -> Request:
    return {"answer": {"text": text}}


def cancel_request() -> Request:
    return {"cancel": {}}


def encode(request: Request) -> bytes:
    # Text that is no Unicode, as of a path, cannot be said.
    try:
        line = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:
        line = b""
    if not 0 < len(line) <= LINE_BYTES_MAX:
        raise Usage("the request does not fit into a line, or is no Unicode")
    return line


def greeting(places: Places) -> bytes:
    """What a connection begins with: an agent of another home carries nothing out."""
    try:
        line = json.dumps({"home": places.home}, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise Usage("TOKCTL_HOME is no Unicode") from None
    return line + b"\n"


def decode(line: bytes) -> Dict[str, Any]:
    """A response; raises where it is none. What does not parse is not repeated: it may be secret."""
    try:
        response = json.loads(line)
    except ValueError:
        response = None
    # Raised here and not there, since the parser's exception has the line in it.
    if not isinstance(response, dict) or len(response) != 1:
        raise unreadable()
    return response


class Exchange:
    """One request and what comes back of it, line by line."""

    def __init__(self) -> None:
        #: How the request ended: `done` as its one key and value, or what the agent refused it for.
        self.done: Optional[Dict[str, Any]] = None
        self.refused: Optional[TokctlError] = None

    @property
    def is_over(self) -> bool:
        return self.done is not None or self.refused is not None

    def end(self) -> Dict[str, Any]:
        """What the request was for; raises what it was refused for."""
        if self.refused is not None:
            raise self.refused
        if self.done is None:
            raise unexpected()
        return self.done

    def hear(self, line: bytes) -> Optional[bytes]:
        """Takes a line; gives what is to be sent in answer to it."""
        response = decode(line)
        try:
            return self._hear(response)
        except (KeyError, TypeError):
            pass
        raise unreadable()

    def _hear(self, response: Dict[str, Any]) -> Optional[bytes]:
        [(name, value)] = response.items()
        if name == "done":
            self.done = value
        elif name == "error":
            self.refused = from_wire(value)
        elif name == "ask_subject":
            return encode(answer_request(subject.from_environment(value["source"])))
        elif name == "ask":
            # There is nobody to ask.
            return encode(cancel_request())
        elif name == "progress":
            LOG.log(logging.WARNING if value["warning"] else logging.DEBUG, "%s", value["text"])
        return None


def read_token(done: Dict[str, Any]) -> Token:
    """The token at the end of a `get`, `get2` or `get3`."""
    token = _shaped(_token, done)
    if token.warning is not None:
        LOG.warning("%s: %s", token.profile, token.warning)
    return token


def read_said(done: Dict[str, Any]) -> str:
    return _shaped(lambda done: str(done["said"]["text"]), done)


def read_placement(done: Dict[str, Any]) -> Placement:
    return _shaped(_placement, done)


T = TypeVar("T")


def _shaped(read: Callable[[Dict[str, Any]], T], done: Dict[str, Any]) -> T:
    """Reads what has to be there. Raises outside of `except`, since the exceptions there may show what was read."""
    try:
        return read(done)
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise unexpected()


def _token(done: Dict[str, Any]) -> Token:
    [value] = [done[name] for name in ("token", "token2", "token3") if name in done]
    extra = json.loads(value["extra"]) if value["extra"] else {}
    return Token(
        access_token=value["access_token"] + "",
        token_type=value["token_type"],
        expires_at=value["expires_at"],
        expires_in=value["expires_in"],
        scope=value["scope"],
        profile=value["profile"],
        member=value.get("member"),
        min_valid_met=value["min_valid_met"],
        warning=value["warning"],
        extra=extra,
        template=value["header"],
        dpop=value.get("dpop"),
    )


def _placement(done: Dict[str, Any]) -> Placement:
    value = done["usage"]
    return Placement(value["profile"], value["header"], value["query"], tuple(value["api_urls"]))


def _names(names: Names) -> List[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)


def _whole(seconds: float, units: int) -> int:
    return min(max(int(seconds * units), 0), U32_MAX)


class Closed(NoAgent):
    """The agent, or the way to it, went away in the middle. Raised as what it is, a `NoAgent`."""

    def __init__(self) -> None:
        super().__init__(
            "the agent closed the connection before it answered", hint="run `tokctl agent log`"
        )

    def __reduce__(self) -> Any:
        return type(self), (), self.__dict__


RESTART = "restart the agent: `tokctl agent stop`"


def unreadable() -> Version:
    return Version("the answer cannot be read", hint=RESTART)


def unexpected() -> Version:
    return Version("the answer is not one to this request", hint=RESTART)
