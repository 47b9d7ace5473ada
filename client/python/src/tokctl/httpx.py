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
        self._is_guarded = False
        self._placement: Optional[Placement] = None

    def was_used(self, response: httpx.Response) -> bool:
        """Whether the answer is about the token, and not of where a redirect led without it."""
        if not response.history or self._placement is None:
            return True
        is_in_header = self._placement.query is None
        return is_in_header and stays(self._placement, str(self._url), str(response.url))

    def __call__(self, step: Send) -> None:
        self._placement = step.placement
        headers = step.token.headers()
        query = step.placement.query
        if query is not None:
            url = with_parameter(str(self._url), query, step.token.access_token)
            self._request.url = httpx.URL(url)
        self._request.headers.update(headers)
        names = {name.lower().encode() for name in headers}
        if not self._is_guarded and (names - {b"authorization"} or step.placement.api_urls):
            self._is_guarded = True
            guard = _Guard(self._request, str(self._url), names, step.placement)
            trace = guard.async_trace if self._is_async else guard.trace
            self._request.extensions = {**self._request.extensions, "trace": trace}


class _Guard:
    """Takes headers out of what httpx sends to where the token may not go.

    httpx itself does that for Authorization alone, and for another origin alone, when it follows a redirect. It shows
    redirects to nobody but to the `trace` of the request, which hears of each before its headers leave.
    """

    def __init__(
        self, request: httpx.Request, url: str, names: Set[bytes], placement: Placement
    ) -> None:
        self._url = url
        self._names = names
        self._placement = placement
        self._next = request.extensions.get("trace")

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
        port = "" if sent.url.port is None else f":{sent.url.port}"
        host = sent.url.host.decode()
        host = f"[{host}]" if ":" in host else host
        url = f"{sent.url.scheme.decode()}://{host}{port}{sent.url.target.decode()}"
        if not stays(self._placement, self._url, url):
            sent.headers = [pair for pair in sent.headers if pair[0].lower() not in self._names]
