"""Requests to an HTTP API with tokens of the real agent: requests, httpx, and httpx with asyncio."""

from __future__ import annotations

import asyncio
import io
import threading
from types import MappingProxyType
from typing import Any, Callable, Dict, Iterator, Optional

import httpx
import pytest
import requests
from conftest import Agent, Api, Heard, Reply

import tokctl

OK: Reply = (200, {})
Fetch = Callable[..., int]


def by_requests(
    url: str, profile: str, max_wait: float = 60, auth: Any = MappingProxyType({}), **options: Any
) -> int:
    auth = tokctl.RequestsAuth(profile, max_wait=max_wait, **auth)
    with requests.Session() as session:
        method = "POST" if "data" in options else "GET"
        response = session.request(method, url, auth=auth, **options)
        # An answer that was not kept is in the history, as that of a redirect.
        assert all(each.status_code != 200 for each in response.history)
        return response.status_code


def by_httpx(
    url: str, profile: str, max_wait: float = 60, auth: Any = MappingProxyType({}), **options: Any
) -> int:
    auth = tokctl.HTTPXAuth(profile, max_wait=max_wait, **auth)
    with httpx.Client(follow_redirects=True) as client:
        method = "POST" if "data" in options else "GET"
        return client.request(method, url, auth=auth, content=options.get("data")).status_code


def by_asyncio(
    url: str, profile: str, max_wait: float = 60, auth: Any = MappingProxyType({}), **options: Any
) -> int:
    async def call() -> int:
        added = tokctl.HTTPXAuth(profile, max_wait=max_wait, **auth)
        async with httpx.AsyncClient(follow_redirects=True) as client:
            method = "POST" if "data" in options else "GET"
            answer = await client.request(method, url, auth=added, content=options.get("data"))
            return answer.status_code

    return asyncio.run(call())


every_way = pytest.mark.parametrize("fetch", [by_requests, by_httpx, by_asyncio])


@every_way
def test_a_request_has_the_token(fetch: Fetch, start: Any, profile: str) -> None:
    api = start(OK)
    assert fetch(api.url(), profile) == 200
    assert api.tokens() == [tokctl.get(profile)]


@every_way
def test_a_token_that_is_refused_is_renewed_once(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    refused = tokctl.get(profile)
    api = start(answer=lambda heard: (401, {}) if heard.token() == refused else OK)
    assert fetch(api.url(), profile) == 200
    assert api.tokens() == [refused, tokctl.get(profile)]
    assert refused != tokctl.get(profile)
    assert agent.reports(profile) == [401]


@every_way
def test_what_is_refused_twice_is_the_apis_answer(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    api = start((401, {}))
    assert fetch(api.url(), profile) == 401
    first, second = api.tokens()
    assert first != second
    assert agent.reports(profile) == [401, 401]


@every_way
def test_what_is_forbidden_is_reported_and_not_tried_again(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    api = start((403, {}))
    assert fetch(api.url(), profile) == 403
    assert len(api.heard) == 1 and agent.reports(profile) == [403]


@every_way
def test_an_api_that_says_to_slow_down_is_asked_later(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    api = start((429, {"Retry-After": "1"}), OK)
    assert fetch(api.url(), profile) == 200
    assert len(api.heard) == 2 and agent.reports(profile) == [429]


@every_way
def test_nobody_waits_longer_than_was_said(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    api = start((429, {"Retry-After": "3600"}))
    assert fetch(api.url(), profile, max_wait=20) == 429
    # From now on the agent knows, and the API is left alone.
    with pytest.raises(tokctl.RateLimited) as caught:
        fetch(api.url(), profile, max_wait=20)
    assert caught.value.retry_at is not None
    assert len(api.heard) == 1 and agent.reports(profile) == [429]


@every_way
def test_a_pool_hands_out_its_next_member(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    other = agent.add(f"{profile}-other")
    members = ("--pool", profile, "--pool", other)
    agent.tokctl("add", f"{profile}-pool", *members, "--allow-http-loopback")
    spent = tokctl.get(profile)
    api = start(
        answer=lambda heard: (429, {"Retry-After": "600"}) if heard.token() == spent else OK
    )
    for _ in range(3):
        assert fetch(api.url(), f"{profile}-pool", max_wait=20) == 200
    # Once, for the agent does not hand it out again.
    assert api.tokens().count(spent) == 1
    assert set(api.tokens()) == {spent, tokctl.get(other)}


@every_way
def test_each_member_of_a_pool_has_its_key_where_it_belongs(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    members = {"a": "Authorization: Bearer {token}", "b": "X-Api-Key: {token}"}
    pool = [f"{profile}-{name}" for name in members]
    for name, header in zip(pool, members.values()):
        agent.add_key(name, f"key-of-{name}", "--header", header)
    asked = agent.add_key(f"{profile}-c", "key-of-c", "--query", "key")
    named = [word for name in (*pool, asked) for word in ("--pool", name)]
    agent.tokctl("add", f"{profile}-pool", *named, "--allow-http-loopback")
    for name in (*pool, asked):
        agent.tokctl("set", name, "allow_http_loopback=true")
    # Each is out after its turn, and nothing of it is left in the next one's request.
    api = start((429, {"Retry-After": "600"}))
    assert fetch(api.url(), f"{profile}-pool", max_wait=20) == 429
    shown = [f"{heard.path} {heard.headers}" for heard in api.heard]
    keys = [f"key-of-{name}" for name in pool] + ["key-of-c"]
    assert [[key in each for key in keys] for each in shown] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


@every_way
def test_a_body_is_sent_again_as_it_was(fetch: Fetch, start: Any, profile: str) -> None:
    refused = tokctl.get(profile)
    api = start(answer=lambda heard: (401, {}) if heard.token() == refused else OK)
    assert fetch(api.url(), profile, data=b"order") == 200
    assert [heard.body for heard in api.heard] == [b"order", b"order"]


def test_a_file_is_sent_again_from_where_it_stood(start: Any, profile: str, tmp_path: Any) -> None:
    refused = tokctl.get(profile)
    api = start(answer=lambda heard: (401, {}) if heard.token() == refused else OK)
    path = tmp_path / "order"
    path.write_bytes(b"header:order")
    with path.open("rb") as file:
        file.seek(len(b"header:"))
        assert by_requests(api.url(), profile, data=file) == 200
    assert [heard.body for heard in api.heard] == [b"order", b"order"]


class NoSeek(io.RawIOBase):
    """As a pipe: it tells, and cannot go back."""

    def __init__(self) -> None:
        self._left = b"order"

    def readable(self) -> bool:
        return True

    def read(self, _: int = -1) -> bytes:
        piece, self._left = self._left, b""
        return piece


def pieces() -> Iterator[bytes]:
    yield b"or"
    yield b"der"


async def pieces_later() -> Any:
    for piece in pieces():
        yield piece


@pytest.mark.parametrize("status", [401, 429])
@pytest.mark.parametrize(
    "fetch, body",
    [
        (by_requests, pieces),
        (by_requests, NoSeek),
        (by_httpx, pieces),
        (by_httpx, lambda: io.BytesIO(b"order")),
        (by_asyncio, pieces_later),
    ],
)
def test_a_body_that_cannot_be_read_again_is_sent_once(
    fetch: Fetch, body: Callable[[], Any], start: Any, profile: str, agent: Agent, status: int
) -> None:
    api = start((status, {"Retry-After": "1"}), OK)
    assert fetch(api.url(), profile, data=body()) == status
    assert [heard.body for heard in api.heard] == [b"order"]
    assert agent.reports(profile) == [status]


@every_way
def test_a_key_goes_where_its_profile_says(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    api = start(OK)
    keyed, asked = f"{profile}-header", f"{profile}-query"
    agent.add_key(keyed, "k1", "--header", "X-Api-Key: {token}", "--allow-http-loopback")
    agent.add_key(asked, "k 2&", "--query", "key", "--allow-http-loopback")
    assert fetch(api.url("/v1?a=1"), keyed) == 200
    assert fetch(api.url("/v1?a=1"), asked) == 200
    first, second = api.heard
    assert first.headers["x-api-key"] == "k1" and "authorization" not in first.headers
    assert first.path == "/v1?a=1"
    assert second.path == "/v1?a=1&key=k%202%26"
    assert "authorization" not in second.headers


@every_way
def test_a_key_goes_through_a_proxy(
    fetch: Fetch, start: Any, profile: str, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = start(OK)
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.url(""))
    keyed = f"{profile}-header"
    agent.add_key(keyed, "k1", "--header", "X-Api-Key: {token}", "--allow-http-loopback")
    agent.tokctl("set", keyed, "api_urls=http://127.0.0.1:9/v1")
    assert fetch("http://127.0.0.1:9/v1/orders", keyed) == 200
    [heard] = proxy.heard
    assert heard.path == "http://127.0.0.1:9/v1/orders" and heard.headers["x-api-key"] == "k1"


@every_way
def test_a_token_stays_with_its_api(fetch: Fetch, start: Any, profile: str, agent: Agent) -> None:
    api, other = start(OK), start(OK)
    agent.tokctl("set", profile, f"api_urls={api.url('/v1')}")
    assert fetch(api.url("/v1/orders"), profile) == 200
    for url in (other.url("/v1/orders"), api.url("/v2"), api.url("/v1", host="localhost")):
        with pytest.raises(tokctl.UrlRefused):
            fetch(url, profile)
    assert len(api.heard) == 1 and other.heard == []


@every_way
@pytest.mark.parametrize("header", ["Authorization: Bearer {token}", "X-Api-Key: {token}"])
def test_a_redirect_takes_no_token_elsewhere(
    fetch: Fetch, start: Any, profile: str, agent: Agent, header: str
) -> None:
    name = header.partition(":")[0].lower()
    agent.tokctl("set", profile, f"header={header}")
    other = start(OK)
    leads = {
        "/away": other.url("/there", host="localhost"),
        "/near": "/v1/near",
        "/first": "/away",
    }

    def answer(heard: Heard) -> Reply:
        target = leads.get(heard.path)
        return OK if target is None else (302, {"Location": target})

    api = start(answer=answer)
    for path in ("/away", "/near", "/first"):
        assert fetch(api.url(path), profile) == 200
    assert [heard.path for heard in other.heard] == ["/there", "/there"]
    assert all(name not in heard.headers for heard in other.heard)
    assert all(name in heard.headers for heard in api.heard)
    assert len(api.heard) == 5


@every_way
def test_a_redirect_out_of_the_apis_path_takes_no_token_along(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    leads = {"/v1/in": "/v1/there", "/v1/out": "/v2/there"}
    api = start(
        answer=lambda heard: (302, {"Location": leads[heard.path]}) if heard.path in leads else OK
    )
    agent.tokctl("set", profile, f"api_urls={api.url('/v1')}")
    for path in leads:
        assert fetch(api.url(path), profile) == 200
    has_token = {heard.path: heard.token() is not None for heard in api.heard}
    assert has_token == {"/v1/in": True, "/v1/there": True, "/v1/out": True, "/v2/there": False}


@every_way
def test_what_the_other_end_of_a_redirect_refuses_is_not_the_tokens_fault(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    other = start((401, {}))
    api = start((302, {"Location": other.url(host="localhost")}))
    token = tokctl.get(profile)
    assert fetch(api.url(), profile) == 401
    assert tokctl.get(profile) == token and agent.reports(profile) == []


@every_way
def test_a_token_that_is_refused_behind_a_redirect_is_renewed(
    fetch: Fetch, start: Any, profile: str, agent: Agent
) -> None:
    refused = tokctl.get(profile)

    def answer(heard: Heard) -> Reply:
        if heard.path == "/v1/old":
            return (307, {"Location": "/v1/new"})
        return (401, {}) if heard.token() == refused else OK

    api = start(answer=answer)
    assert fetch(api.url("/v1/old"), profile, data=b"order") == 200
    assert api.heard[-1].path == "/v1/new" and api.heard[-1].body == b"order"
    assert agent.reports(profile) == [401]


@every_way
def test_best_effort_does_not_hammer_an_api_that_said_to_slow_down(
    fetch: Fetch, start: Any, profile: str
) -> None:
    api = start((429, {"Retry-After": "600"}))
    for count in (1, 2):
        assert fetch(api.url(), profile, max_wait=20, auth={"best_effort": True}) == 429
        assert len(api.heard) == count


def test_a_session_is_shared_by_threads(start: Any, profile: str, agent: Agent) -> None:
    refused = tokctl.get(profile)
    api: Api = start(answer=lambda heard: (401, {}) if heard.token() == refused else OK)
    auth = tokctl.RequestsAuth(profile)
    statuses: Dict[int, Optional[int]] = {}

    def call(index: int) -> None:
        statuses[index] = requests.get(api.url(), auth=auth, timeout=60).status_code

    threads = [threading.Thread(target=call, args=(index,)) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(statuses.values()) == [200] * 20
    # However many were refused, there is one successor.
    assert set(api.tokens()) == {refused, tokctl.get(profile)}


def test_a_login_that_is_needed_is_told_with_its_hint(
    start: Any, agent: Agent, profile: str
) -> None:
    api = start(OK)
    with pytest.raises(tokctl.NoSuchProfile):
        by_requests(api.url(), "nobody")
    with pytest.raises(tokctl.NoSuchProfile):
        by_httpx(api.url(), "nobody")
    assert api.heard == []
