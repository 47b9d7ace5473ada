"""The exceptions are the kinds of the protocol."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

import tokctl
from tokctl import errors

PROTOCOL = Path(__file__).parents[3] / "proto/PROTOCOL.md"


def kinds() -> dict[str, int]:
    text = PROTOCOL.read_text().split("### Kinds of errors")[1].split("\n## ")[0]
    pairs = re.findall(r"\| `(\w+)` \| (\d+) (?=\|)", text)
    assert len(pairs) > 30
    return {kind: int(exit) for kind, exit in pairs}


def test_there_is_an_exception_for_each_kind_and_no_other() -> None:
    assert {kind: each.exit for kind, each in errors.KINDS.items()} == kinds()


def test_an_exception_is_called_what_its_kind_is() -> None:
    for kind, each in errors.KINDS.items():
        assert each.__name__ == kind.title().replace("_", "")
        assert getattr(tokctl, each.__name__) is each
        assert each.__name__ in tokctl.__all__ and each.__name__ in errors.__all__


def wire(kind: str) -> dict[str, object]:
    return {
        "exit": 5,
        "kind": kind,
        "profile": "acme",
        "message": "it was revoked",
        "hint": "run `tokctl login acme`",
        "retry_at": 1800000060,
    }


@pytest.mark.parametrize(
    "kind, expected",
    [("login_required", tokctl.LoginRequired), ("of_tomorrow", tokctl.TokctlError)],
)
def test_the_agents_words_are_kept(kind: str, expected: type) -> None:
    error = errors.from_wire(wire(kind))
    assert type(error) is expected
    assert (error.kind, error.exit, error.profile) == (kind, 5, "acme")
    assert (error.message, error.retry_at) == ("it was revoked", 1800000060)
    assert str(error) == "acme: it was revoked\nhint: run `tokctl login acme`"


@pytest.mark.parametrize("kind", ["login_required", "of_tomorrow"])
def test_an_exception_gets_out_of_a_worker_process_whole(kind: str) -> None:
    error = errors.from_wire(wire(kind))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and again.__dict__ == error.__dict__
    assert str(again) == str(error) and again.kind == kind
