"""What is said around a request to an API, without an agent and without an API."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any, Dict, List, Optional

import pytest

import tokctl
from tokctl import wire
from tokctl.conversation import (
    Answer,
    Policy,
    Send,
    bare,
    converse,
    proceed,
    seconds,
    stays,
    with_parameter,
)
from tokctl.errors import from_wire
from tokctl.token import Placement

URL = "https://api.acme.example/v1"


class Script:
    """Answers for an agent whose tokens are t0, t1, ...; errors stand in their place."""

    def __init__(self, *gets: object, bound: bool = False) -> None:
        self.gets = list(gets)
        self.said: List[str] = []
        self.asked: List[Dict[str, Any]] = []
        self.bound = bound

    def __call__(self, request: wire.Request) -> Dict[str, Any]:
        [(name, fields)] = request.items()
        self.said.append(name)
        self.asked.append(fields)
        if name == "usage":
            return {
                "usage": {
                    "profile": fields["profile"],
                    "header": "A: {token}",
                    "query": None,
                    "api_urls": [],
                }
            }
        if name == "report":
            return {"said": {"text": ""}}
        if name == "get2" and self.bound:
            raise tokctl.SenderConstrained("bound")
        next = self.gets.pop(0)
        if isinstance(next, Exception):
            raise next
        token = {
            "access_token": next,
            "token_type": "Bearer",
            "expires_at": None,
            "expires_in": None,
            "scope": "",
            "profile": "acme",
            "header": "A: {token}",
            "min_valid_met": True,
            "warning": None,
            "extra": "",
            "member": None,
            "dpop": "proof" if name == "get3" else None,
        }
        return {"token3": token}


def sent(
    script: Script, *answers: Answer, can_repeat: bool = True, max_wait: float = 60
) -> List[str]:
    """The tokens that the request was sent with."""
    conversation = converse(Policy("acme", {}, max_wait), "GET", URL, can_repeat)
    tokens: List[str] = []
    left = list(answers)
    step = proceed(conversation, None, script)
    while step is not None:
        assert isinstance(step, Send)
        tokens.append(step.token.access_token)
        step = proceed(conversation, left.pop(0), script)
    assert not left
    return tokens


def limited(after: Optional[float]) -> tokctl.RateLimited:
    retry_at = None if after is None else int(time.time() + after)
    return tokctl.RateLimited("slow down", retry_at=retry_at)


@pytest.mark.parametrize(
    "gets, statuses, tokens, said",
    [
        (["t0"], [200], ["t0"], ["usage", "get2"]),
        (["t0"], [500], ["t0"], ["usage", "get2"]),
        (["t0"], [403], ["t0"], ["usage", "get2", "report"]),
        (["t0", "t1"], [401, 200], ["t0", "t1"], ["usage", "get2", "report", "get2"]),
        # Twice is reported twice, and not tried a third time.
        (
            ["t0", "t1"],
            [401, 401],
            ["t0", "t1"],
            ["usage", "get2", "report", "get2", "report"],
        ),
        # A stored key: there is no other.
        (["k", "k"], [401], ["k"], ["usage", "get2", "report", "get2"]),
        (["t0", "t1"], [429, 200], ["t0", "t1"], ["usage", "get2", "report", "get2"]),
        (["t0", "t0"], [429, 200], ["t0", "t0"], ["usage", "get2", "report", "get2"]),
        # Also after each other.
        (
            ["t0", "t1", "t2"],
            [401, 429, 200],
            ["t0", "t1", "t2"],
            ["usage", "get2", "report", "get2", "report", "get2"],
        ),
    ],
)
def test_a_request_is_sent_as_often_as_it_helps(
    gets: List[str], statuses: List[int], tokens: List[str], said: List[str]
) -> None:
    script = Script(*gets)
    assert sent(script, *map(Answer, statuses)) == tokens
    assert script.said == said


def test_a_body_that_cannot_be_sent_again_is_not_and_the_agent_is_told() -> None:
    for status in (401, 429):
        script = Script("t0")
        assert sent(script, Answer(status), can_repeat=False) == ["t0"]
        assert script.said == ["usage", "get2", "report"]


def test_the_wait_is_the_agents_and_as_long_as_it_says() -> None:
    script = Script("t0", limited(5), "t1")
    assert sent(script, Answer(429, "5"), Answer(200)) == ["t0", "t1"]
    report, first, second = script.asked[2:]
    assert report["retry_after_s"] == 5 and report["status"] == 429
    assert first["wait_ms"] == 0
    assert 4000 <= second["wait_ms"] <= 6000
    assert second["wait_ms"] + second["timeout_ms"] <= 60_000


@pytest.mark.parametrize("after, max_wait", [(3600, 60), (5, 3), (None, 60)])
def test_what_takes_longer_than_the_wait_is_not_waited_for(
    after: Optional[float], max_wait: float
) -> None:
    script = Script("t0", limited(after))
    assert sent(script, Answer(429, "3600"), max_wait=max_wait) == ["t0"]
    # Before anything is sent there is no answer of the API's to give.
    with pytest.raises(tokctl.RateLimited):
        sent(Script(limited(after)), max_wait=max_wait)


def test_an_api_that_never_lets_anybody_in_is_not_asked_for_ever() -> None:
    script = Script(*(f"t{each}" for each in range(100)))
    assert len(sent(script, *[Answer(429, "0")] * 8)) == 8
    # The last answer is kept, and no further use of a pool is booked.
    assert script.said.count("get2") == 8 and script.said[-1] == "report"


def test_what_a_person_has_to_do_is_raised_and_what_passes_is_not() -> None:
    for kind, exit, raised in [
        ("login_required", 5, True),
        ("provider_unreachable", 7, False),
        ("timeout", 7, False),
    ]:
        error = from_wire({"kind": kind, "exit": exit, "message": "no"})
        script = Script("t0", error)
        if raised:
            with pytest.raises(tokctl.LoginRequired):
                sent(script, Answer(401))
        else:
            assert sent(script, Answer(401)) == ["t0"]


def test_a_token_that_is_bound_to_a_key_comes_with_a_proof_for_the_request() -> None:
    script = Script("t0", "t0", "t1", bound=True)
    answers = [Answer(401, None, "nonce-1"), Answer(401, None, "nonce-1"), Answer(200)]
    assert sent(script, *answers) == ["t0", "t0", "t1"]
    # The first 401 asks for a nonce and says nothing of the token.
    assert script.said == ["usage", "get2", "get3", "get3", "report", "get3"]
    assert [each["dpop"]["nonce"] for each in script.asked if "dpop" in each] == [
        None,
        "nonce-1",
        "nonce-1",
    ]


@pytest.mark.parametrize(
    "text, expected",
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("30", 30),
        (" 7 ", 7),
        ("9" * 400, float("9" * 12)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 99 Jan 1970 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read(text: Optional[str], expected: Optional[float]) -> None:
    assert seconds(text) == expected


def test_retry_after_can_be_a_date() -> None:
    found = seconds(formatdate(time.time() + 100, usegmt=True))
    assert found is not None and 95 < found <= 100


def test_what_is_nobodys_business_stays_out_of_the_url() -> None:
    assert bare("https://ada:pw@api.example:8443/v1?key=s#f") == "https://api.example:8443/v1"
    assert bare("https://api.example") == "https://api.example/"


@pytest.mark.parametrize(
    "url, expected",
    [
        ("https://api.example/v1", "https://api.example/v1?key=k%2B%26"),
        (
            "https://api.example/v1?a=1&flag&b=%2f+",
            "https://api.example/v1?a=1&flag&b=%2f+&key=k%2B%26",
        ),
        (
            "https://api.example/v1?key=old&k%65y=old&a=1#f",
            "https://api.example/v1?a=1&key=k%2B%26#f",
        ),
    ],
)
def test_a_parameter_is_added_and_the_others_are_left_alone(url: str, expected: str) -> None:
    assert with_parameter(url, "key", "k+&") == expected


@pytest.mark.parametrize(
    "target, anywhere, below",
    [
        ("https://api.example/v1/b", True, True),
        ("https://API.example:443/v1", True, True),
        ("https://api.example/v12", True, False),
        ("https://api.example/v1/../v2", True, False),
        ("https://api.example/v1/%2e%2e/v2", True, False),
        ("https://api.example:8443/v1", False, False),
        ("http://api.example/v1", False, False),
        ("https://other.example/v1", False, False),
    ],
)
def test_a_redirect_keeps_the_token_where_it_may_go(
    target: str, anywhere: bool, below: bool
) -> None:
    home = "https://api.example/v1/a"
    for api_urls, expected in [((), anywhere), (("https://api.example/v1/",), below)]:
        placement = Placement("acme", "A: {token}", None, api_urls)
        assert stays(placement, home, target) == expected
