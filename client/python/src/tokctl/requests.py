"""For the library `requests`: requests.get(url, auth=tokctl.RequestsAuth("acme"))."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, cast
from urllib.parse import urljoin

from requests.auth import AuthBase
from requests.cookies import extract_cookies_to_jar
from requests.exceptions import UnrewindableBodyError
from requests.models import PreparedRequest, Response
from requests.utils import rewind_body

from .client import Client, default
from .conversation import (
    MAX_WAIT,
    Answer,
    Policy,
    Send,
    converse,
    proceed,
    stays,
    with_parameter,
)
from .options import Options

if TYPE_CHECKING:
    from typing_extensions import Unpack


class RequestsAuth(AuthBase):
    """Puts a profile's token into requests, where the profile says that it belongs, and nowhere else.

    A token that the API refuses (401) is renewed and the request sent once more; where the API says to slow down (429)
    another member of the pool is taken, or the request waits. No longer than `max_wait` seconds in all, though, and
    never is a body sent twice that cannot be read twice: then the API's answer is what there is. The agent is told
    of each. May be shared by threads and sessions.
    """

    def __init__(
        self,
        profile: str,
        *,
        max_wait: float = MAX_WAIT,
        client: Optional[Client] = None,
        **options: Unpack[Options],
    ) -> None:
        self._policy = Policy(profile, options, max_wait)
        self._client = client

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        call = _Call(self._client or default(), self._policy, request)
        cast(Any, request).register_hook("response", call.answered)
        return request

    def __repr__(self) -> str:
        return f"RequestsAuth({self._policy.profile!r})"


class _Call:
    """One request, from its token to the answer that is kept."""

    def __init__(self, client: Client, policy: Policy, request: PreparedRequest) -> None:
        self._client = client
        self._request = request
        self._url = str(request.url)
        #: What stood in the place of each header.
        self._headers: Dict[str, Any] = {}
        #: The last answer was a redirect that takes the token along.
        self._is_followed = False
        self._conversation = converse(policy, str(request.method), self._url, can_repeat(request))
        self._go_on(None)

    def answered(self, response: Response, **kwargs: Any) -> Response:
        """The hook: sends the request again for as long as the conversation says so.

        `requests` copies it along where it follows a redirect, and the conversation is about the new request from then
        on, if the token went there.
        """
        if response.request is not self._request and self._is_followed:
            self._request, self._url = response.request, str(response.request.url)
        if response.request is self._request and not response.is_redirect:
            response = self._settled(response, kwargs)
        if response.is_redirect:
            is_away = self._leads_away(response)
            if is_away:
                self._take_out(response.request)
            self._is_followed = not is_away and self._sent.may_be_followed()
        return response

    def _settled(self, response: Response, kwargs: Dict[str, Any]) -> Response:
        while True:
            try:
                if not self._go_on(said(response)):
                    return response
                # Read to its end, so that its connection can be used again.
                response.content  # noqa: B018
            except BaseException:
                response.close()
                raise
            response.close()
            self._take_cookies(response)
            before, response = response, response.connection.send(self._request, **kwargs)
            response.history.append(before)
            response.request = self._request

    def _go_on(self, answer: Optional[Answer]) -> bool:
        """Whether the request is to be sent, which now has its token."""
        step = proceed(self._conversation, answer, self._client.perform)
        if step is None or (answer is not None and not rewind(self._request)):
            return False
        self._put_in(step)
        return True

    def _take_cookies(self, response: Response) -> None:
        jar = getattr(self._request, "_cookies", None)
        if jar is not None:
            cast(Any, extract_cookies_to_jar)(jar, response.request, response.raw)
            self._request.headers.pop("Cookie", None)
            self._request.prepare_cookies(jar)

    def _put_in(self, step: Send) -> None:
        # Another member of a pool may have its token somewhere else.
        self._take_out(self._request)
        self._request.url = self._url
        self._sent = step
        if step.placement.query is not None:
            token = step.token.access_token
            self._request.url = with_parameter(self._url, step.placement.query, token)
        for name, value in step.token.headers().items():
            self._headers.setdefault(name, self._request.headers.get(name))
            self._request.headers[name] = value

    def _take_out(self, request: PreparedRequest) -> None:
        """Leaves the headers as they were: `requests` takes them along but for Authorization."""
        for name, value in self._headers.items():
            if value is None:
                request.headers.pop(name, None)
            else:
                request.headers[name] = value

    def _leads_away(self, response: Response) -> bool:
        target = urljoin(str(response.url), response.headers.get("location", ""))
        return not stays(self._sent.placement, self._url, target)


def said(response: Response) -> Answer:
    headers = response.headers
    return Answer(response.status_code, headers.get("Retry-After"), headers.get("DPoP-Nonce"))


def can_repeat(request: PreparedRequest) -> bool:
    """Whether the body is there to be sent again: text, bytes, or a file that can seek."""
    body = request.body
    if body is None or isinstance(body, (bytes, str)):
        return True
    can_seek = getattr(body, "seekable", lambda: hasattr(body, "seek"))
    return isinstance(getattr(request, "_body_position", None), int) and bool(can_seek())


def rewind(request: PreparedRequest) -> bool:
    if request.body is None or isinstance(request.body, (bytes, str)):
        return True
    try:
        rewind_body(request)
    except UnrewindableBodyError:
        return False
    return True
