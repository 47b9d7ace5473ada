"""The golden files of the protocol are read, and what Python says is what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from tokctl import wire
from tokctl.options import Dpop

GOLDEN = Path(__file__).parents[3] / "proto/tests/golden"
RESPONSES = sorted(each.stem for each in GOLDEN.glob("response-*.txt"))


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_text()


def spoken(line: str) -> Dict[str, Any]:
    parsed: Dict[str, Any] = json.loads(line)
    return parsed


ACME = "https://api.acme.example/"
FULL: Dict[str, Any] = {
    "scope": "read:data write:data",
    "audience": ACME,
    "resource": [ACME + "v1"],
    "min_valid": 300,
    "best_effort": True,
    "refresh": True,
    "timeout": 30,
}
SHA = "fcacabd5033a9927bbd89bd4729b490ff77d225b845099fb822f9998bf994fe5"
REQUESTS = {
    "request-get": wire.get_request("acme"),
    "request-get-full": wire.get_request("acme", **FULL),
    "request-get2": wire.get_request("acme", name_member=True),
    "request-get2-full": wire.get_request(
        "acme", **{**FULL, "scope": ["read:data"]}, uses=5, wait=120
    ),
    "request-get3": wire.get_request(
        "acme",
        scope="read:data",
        min_valid=300,
        timeout=30,
        dpop=Dpop("GET", "https://api.acme.example/v1", "n-1"),
    ),
    "request-report-401": wire.report_request("acme", 401, token="eyJhbGciOiJub25lIn0"),
    "request-report-429": wire.report_request(
        "search", 429, member="acct2", retry_after=60, token_sha256=SHA
    ),
    "request-usage": wire.usage_request(None, "https://api.acme.example/v1"),
    "request-answer": wire.answer_request("correct horse"),
    "request-cancel": wire.cancel_request(),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_sent_is_what_the_protocol_says(name: str) -> None:
    expected = spoken(golden(name))
    for fields in expected.values():
        # A library asks nobody.
        if "interactive" in fields:
            fields["interactive"] = False
    line = wire.encode(REQUESTS[name])
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert json.loads(line) == expected
    # Also in order, and without spaces: byte for byte.
    if json.loads(golden(name)) == expected:
        assert line.decode().strip() == golden(name).strip()


def test_no_request_is_without_its_golden_file() -> None:
    made = {name for name in vars(wire) if name.endswith("_request")}
    tested = {f"{kind}_request" for request in REQUESTS.values() for kind in request}
    assert made <= tested


@pytest.mark.parametrize("name", RESPONSES)
def test_every_response_is_understood(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ID_TOKEN", "eyJ0")
    exchange = wire.Exchange()
    answer = exchange.hear(golden(name).encode())
    kind = name.split("-")[1]
    assert exchange.is_over == (kind in ("done", "error")), name
    assert (answer is not None) == (kind == "ask"), name


def test_each_end_is_read() -> None:
    def done(name: str) -> Dict[str, Any]:
        exchange = wire.Exchange()
        exchange.hear(golden(name).encode())
        return exchange.end()

    for name, member, dpop in [
        ("token", None, False),
        ("token2", "acct2", False),
        ("token3", None, True),
    ]:
        token = wire.read_token(done(f"response-done-{name}"))
        assert token.access_token == "eyJhbGciOiJub25lIn0"
        assert (token.expires_at, token.expires_in) == (1800003600, 3600)
        assert (token.member, token.dpop is not None) == (member, dpop)
    plain = wire.read_token(done("response-done-token"))
    assert plain.extra == {"instance_url": "https://eu.acme.example"}
    assert plain.headers() == {"Authorization": "Bearer eyJhbGciOiJub25lIn0"}
    placement = wire.read_placement(done("response-done-usage"))
    assert (placement.query, placement.api_urls) == ("key", (ACME,))
    assert isinstance(wire.read_said(done("response-done-said")), str)
