"""What is said to the agent around a request to an API: which token it takes, and what the API thought of it.

A conversation is a generator without I/O. It yields what it wants: lines for the agent, whose ends it is sent (or whose
errors are thrown into it), and `Send`, for which it is sent the API's `Answer`. So `requests`, `httpx` and asyncio do
the same. It ends when the API's last answer is the one to keep.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Awaitable, Callable, Dict, Generator, Optional, Tuple, Union
from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

from . import wire
from .errors import RateLimited, SenderConstrained, TokctlError
from .options import Dpop, Options
from .token import Placement, Token

#: How long a request may be put off, in seconds: by a provider that has to be asked, by an API that said to slow down.
MAX_WAIT = 60.0
#: An API that says to try again at once, and means it never, is asked so often.
SENDS_MAX = 8
#: `exit` of what passes by itself: the provider cannot be reached, failed, or said to slow down.
EXIT_PASSES = 7


@dataclass(frozen=True)
class Policy:
    """How requests are made, whatever they are about."""

    profile: str
    options: Options
    max_wait: float = MAX_WAIT


@dataclass(frozen=True)
class Send:
    """The request is to be sent with this token, put there."""

    token: Token
    placement: Placement

    def may_be_followed(self) -> bool:
        """Whether a redirect takes the token along: not one in the URL, nor a proof, which is for one URL."""
        return self.placement.query is None and self.token.dpop is None


@dataclass(frozen=True)
class Answer:
    """What the API answered."""

    status: int
    retry_after: Optional[str] = None
    dpop_nonce: Optional[str] = None


Step = Union[wire.Request, Send]
Conversation = Generator[Step, Any, None]


def converse(policy: Policy, method: str, url: str, can_repeat: bool) -> Conversation:
    """The conversation about one request. `can_repeat`: its body can be sent a second time."""
    return _Call(policy, method, url).converse(can_repeat)


def proceed(
    conversation: Conversation, answer: Optional[Answer], perform: Callable[[wire.Request], Any]
) -> Optional[Send]:
    """Goes on after an answer, None at first, up to the next request. None: that answer is the one to keep."""
    try:
        step = conversation.send(answer)
        while not isinstance(step, Send):
            try:
                done = perform(step)
            except TokctlError as error:
                step = conversation.throw(error)
            else:
                step = conversation.send(done)
        return step
    except StopIteration:
        return None


async def proceed_async(
    conversation: Conversation,
    answer: Optional[Answer],
    perform: Callable[[wire.Request], Awaitable[Any]],
) -> Optional[Send]:
    """`proceed` for asyncio."""
    try:
        step = conversation.send(answer)
        while not isinstance(step, Send):
            try:
                done = await perform(step)
            except TokctlError as error:
                step = conversation.throw(error)
            else:
                step = conversation.send(done)
        return step
    except StopIteration:
        return None


class _Call:
    def __init__(self, policy: Policy, method: str, url: str) -> None:
        self._policy = policy
        self._method = method
        self._url = bare(url)
        self._left = policy.max_wait
        #: The token is bound to a key: it takes a proof for each request.
        self._is_bound = False
        self._nonce: Optional[str] = None
        self._placements: Dict[str, Placement] = {}

    def converse(self, can_repeat: bool) -> Conversation:
        # Before a token is asked for: it is not for every URL.
        yield from self._placement(self._policy.profile)
        token = yield from self._token()
        is_renewed = False
        for sends_left in reversed(range(SENDS_MAX)):
            # A member of a pool may be used in another way than the first.
            placement = yield from self._placement(token.member or self._policy.profile)
            answer: Answer = yield Send(token, placement)
            wants_nonce = self._wants_nonce(answer)
            if answer.status not in (401, 403, 429):
                return
            if not wants_nonce and not (yield from self._report(token, answer)):
                return
            if answer.status == 403 or not can_repeat or sends_left == 0:
                return
            if answer.status == 401 and is_renewed:
                return
            is_renewed = is_renewed or (answer.status == 401 and not wants_nonce)
            other = yield from self._other(answer, token, wants_nonce)
            if other is None:
                return
            token = other

    def _placement(self, profile: str) -> Generator[Step, Any, Placement]:
        if profile not in self._placements:
            done = yield wire.usage_request(profile, self._url)
            self._placements[profile] = wire.read_placement(done)
        return self._placements[profile]

    def _wants_nonce(self, answer: Answer) -> bool:
        """Whether the API refused the proof for want of its nonce (RFC 9449 section 9), and not the token."""
        asked = self._is_bound and answer.status == 401 and answer.dpop_nonce is not None
        if not asked or answer.dpop_nonce == self._nonce:
            return False
        self._nonce = answer.dpop_nonce
        return True

    def _report(self, token: Token, answer: Answer) -> Generator[Step, Any, bool]:
        request = wire.report_request(
            self._policy.profile,
            answer.status,
            member=token.member,
            token_sha256=token.sha256(),
            retry_after=seconds(answer.retry_after) if answer.status == 429 else None,
        )
        try:
            yield request
        except TokctlError:
            # The API's answer says more than that nobody could be told.
            return False
        return True

    def _other(
        self, answer: Answer, refused: Token, wants_nonce: bool
    ) -> Generator[Step, Any, Optional[Token]]:
        """A token to try once more with. None: the API's answer is the one to keep."""
        try:
            # What is served in spite of a 429 is for those who never sent anything.
            token = yield from self._token(despite_429=answer.status != 429)
        except TokctlError as error:
            if error.exit == EXIT_PASSES:
                return None
            # What only a person can mend is told by its hint, which an API's 401 has not.
            raise
        is_same = token.access_token == refused.access_token
        return None if is_same and answer.status == 401 and not wants_nonce else token

    def _token(self, despite_429: bool = True) -> Generator[Step, Any, Token]:
        """A token; waits for one no longer than what is left of `max_wait`."""
        begun = time.monotonic()
        try:
            try:
                return (yield from self._get(self._left, 0.0, despite_429))
            except RateLimited as limited:
                if limited.retry_at is None:
                    raise
                # A second more, for the agent says whole ones.
                wait = max(limited.retry_at - time.time(), 0.0) + 1.0
                if wait > self._left - (time.monotonic() - begun):
                    raise
                left = self._left - (time.monotonic() - begun)
            return (yield from self._get(left - wait, wait, despite_429))
        finally:
            self._left = max(self._left - (time.monotonic() - begun), 0.0)

    def _get(self, timeout: float, wait: float, despite_429: bool) -> Generator[Step, Any, Token]:
        options: Dict[str, Any] = {**self._policy.options, "wait": wait}
        own = options.get("timeout")
        options["timeout"] = timeout if own is None else min(own, timeout)
        if not despite_429:
            options["best_effort"] = False
        if not self._is_bound:
            try:
                done = yield wire.get_request(self._policy.profile, name_member=True, **options)
                return wire.read_token(done)
            except SenderConstrained:
                self._is_bound = True
        options["dpop"] = Dpop(self._method, self._url, self._nonce)
        done = yield wire.get_request(self._policy.profile, **options)
        return wire.read_token(done)


def seconds(retry_after: Optional[str]) -> Optional[float]:
    """What Retry-After says (RFC 9110 section 10.2.3), as seconds from now; None where it says nothing."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def bare(url: str) -> str:
    """The URL without what is nobody's business: user, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path or "/", "", ""))


def with_parameter(url: str, name: str, value: str) -> str:
    """The URL with that parameter, once; the others stay as they are written."""
    parts = urlsplit(url)
    others = [
        pair for pair in parts.query.split("&") if pair and unquote_plus(pair.split("=")[0]) != name
    ]
    return urlunsplit(parts._replace(query="&".join([*others, f"{name}={quote(value, safe='')}"])))


def stays(placement: Placement, url: str, target: str) -> bool:
    """Whether a redirect from `url` to `target` leads to where the token may go, too. In doubt it does not."""
    if origin(target) != origin(url):
        return False
    path = urlsplit(target).path or "/"
    if not placement.api_urls or path == (urlsplit(url).path or "/"):
        return True
    if "%" in path or ";" in path or "\\" in path or {".", ".."} & set(path.split("/")):
        return False
    return any(
        origin(place) == origin(target) and _is_below(path, urlsplit(place).path)
        for place in placement.api_urls
    )


def _is_below(path: str, above: str) -> bool:
    above = above.rstrip("/")
    return path == above or path.startswith(above + "/")


def origin(url: str) -> Tuple[str, str, Optional[int]]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or usual
