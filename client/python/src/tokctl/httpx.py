"""For the library `httpx`: httpx.get(url, auth=tokctl.HTTPXAuth("acme")), also in an httpx.AsyncClient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncGenerator, Dict, Generator, Optional, Set

import httpx

from .aio import AsyncClient
from .client import Client, default
from .conversation import (
    MAX_WAIT,
    Answer,
    Conversation,
    Policy,
    Send,
    converse,
    proceed,
    proceed_async,
    stays,
    with_parameter,
)
from .options import Options
from .token import Placement

if TYPE_CHECKING:
    from typing_extensions import Unpack


class HTTPXAuth(httpx.Auth):
    """What `RequestsAuth` is, for httpx. A body that is not in memory (a file, a generator) is not sent twice.

    The asynchronous side is asyncio's. May be shared by threads, tasks and clients.
    """

    def __init__(
        self,
        profile: str,
        *,
        max_wait: float = MAX_WAIT,
        client: Optional[Client] = None,
        async_client: Optional[AsyncClient] = None,
        **options: Unpack[Options],
    ) -> None:
        self._policy = Policy(profile, options, max_wait)
        self._client = client
        self._async_client = async_client

    def __repr__(self) -> str:
        return f"HTTPXAuth({self._policy.profile!r})"

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        client = self._client or default()
        put_in = _PutIn(request, is_async=False)
        conversation = self._converse(request)
        step = proceed(conversation, None, client.perform)
        while step is not None:
            put_in(step)
            response = yield request
            if not put_in.was_used(response):
                return
            step = proceed(conversation, said(response), client.perform)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        client = self._async_client or AsyncClient()
        put_in = _PutIn(request, is_async=True)
        conversation = self._converse(request)
        try:
            step = await proceed_async(conversation, None, client.perform)
            while step is not None:
                put_in(step)
                response = yield request
                if not put_in.was_used(response):
                    return
                step = await proceed_async(conversation, said(response), client.perform)
        finally:
            if self._async_client is None:
                # One of our own is for this request alone: whose loop ends first, nobody knows.
                await client.aclose()

    def _converse(self, request: httpx.Request) -> Conversation:
        # A stream of bytes starts over each time; what httpx makes of files and generators does not.
        can_repeat = isinstance(request.stream, httpx.ByteStream)
        return converse(self._policy, request.method, str(request.url), can_repeat)


def said(response: httpx.Response) -> Answer:
    headers = response.headers
    return Answer(response.status_code, headers.get("Retry-After"), headers.get("DPoP-Nonce"))


class _PutIn:
    """Puts tokens into a request, and sees to it that a redirect does not take them elsewhere."""

    def __init__(self, request: httpx.Request, is_async: bool) -> None:
        self._request = request
        self._url = request.url
        self._is_async = is_async
        self._guard: Optional[_Guard] = None
        self._sent: Optional[Send] = None
        #: What stood in the place of each header.
        self._headers: Dict[str, Optional[str]] = {}

    def was_used(self, response: httpx.Response) -> bool:
        """Whether the answer is about the token, and not of where a redirect led without it."""
        if not response.history or self._sent is None:
            return True
        is_at_home = stays(self._sent.placement, str(self._url), str(response.url))
        return is_at_home and self._sent.may_be_followed()

    def __call__(self, step: Send) -> None:
        # Another member of a pool may have its token somewhere else.
        self._take_out()
        self._sent = step
        if step.placement.query is not None:
            token = step.token.access_token
            self._request.url = httpx.URL(
                with_parameter(str(self._url), step.placement.query, token)
            )
        for name, value in step.token.headers().items():
            self._headers.setdefault(name, self._request.headers.get(name))
            self._request.headers[name] = value
        self._be_guarded(step.placement)

    def _take_out(self) -> None:
        self._request.url = self._url
        for name, value in self._headers.items():
            if value is None:
                self._request.headers.pop(name, None)
            else:
                self._request.headers[name] = value

    def _be_guarded(self, placement: Placement) -> None:
        if self._guard is None:
            self._guard = _Guard(self._request, str(self._url))
            trace = self._guard.async_trace if self._is_async else self._guard.trace
            self._request.extensions = {**self._request.extensions, "trace": trace}
        self._guard.placement = placement
        self._guard.names |= {name.lower().encode() for name in self._headers}


class _Guard:
    """Takes headers out of what httpx sends to where the token may not go.

    httpx itself does that for Authorization alone, and for another origin alone, when it follows a redirect. It shows
    redirects to nobody but to the `trace` of the request, which hears of each before its headers leave.
    """

    def __init__(self, request: httpx.Request, url: str) -> None:
        self._url = url
        self._next = request.extensions.get("trace")
        self.names: Set[bytes] = set()
        self.placement: Optional[Placement] = None

    def trace(self, event: str, info: Dict[str, Any]) -> None:
        self._look(event, info)
        if self._next is not None:
            self._next(event, info)

    async def async_trace(self, event: str, info: Dict[str, Any]) -> None:
        self._look(event, info)
        if self._next is not None:
            await self._next(event, info)

    def _look(self, event: str, info: Dict[str, Any]) -> None:
        if not event.endswith(".send_request_headers.started"):
            return
        sent = info["request"]
        if self.placement is not None and not stays(self.placement, self._url, url_of(sent.url)):
            sent.headers = [pair for pair in sent.headers if pair[0].lower() not in self.names]


def url_of(url: Any) -> str:
    """The URL that a request of httpcore is about; to a proxy it is named whole."""
    target: str = url.target.decode()
    if not target.startswith("/"):
        return target
    host = url.host.decode()
    host = f"[{host}]" if ":" in host else host
    port = "" if url.port is None else f":{url.port}"
    return f"{url.scheme.decode()}://{host}{port}{target}"
