"""The client against an agent that says what it is told to, on a real socket."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Union

import pytest

import tokctl
from tokctl import wire
from tokctl.endpoint import Places

TOKEN = {
    "access_token": "s3cret-token",
    "token_type": "Bearer",
    "expires_at": 1800003600,
    "expires_in": 3600,
    "scope": "read",
    "profile": "acme",
    "header": "Authorization: Bearer {token}",
    "min_valid_met": True,
    "warning": None,
    "extra": '{"id_token":"s3cret-extra"}',
    "of_tomorrow": 1,
}
DONE = json.dumps({"done": {"token": TOKEN}}) + "\n"


def failed(kind: str) -> str:
    error = {
        "exit": 99,
        "kind": kind,
        "profile": "acme",
        "message": "no",
        "hint": "h",
        "retry_at": None,
    }
    return json.dumps({"error": error}) + "\n"


class FakeAgent:
    """Each connection is said these lines in turn, one for each that comes; None hangs up."""

    def __init__(self, path: Path, script: List[List[Optional[str]]]) -> None:
        self.heard: List[Any] = []
        self._script = script
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for answers in self._script:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            try:
                self._talk(stream, answers)
            except (BrokenPipeError, ConnectionResetError):
                # The client has hung up.
                pass

    def _talk(self, stream: socket.socket, answers: List[Optional[str]]) -> None:
        with stream, stream.makefile("rb") as lines:
            for answer in answers:
                line = lines.readline()
                if b'{"home"' in line:
                    self.heard.append(json.loads(line))
                    line = lines.readline()
                if line:
                    self.heard.append(json.loads(line))
                if answer is None:
                    return
                stream.sendall(answer.encode())
            # Until the client hangs up.
            lines.readline()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


Ask = Callable[..., tokctl.Token]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places("/home/ada/ci", str(tmp_path), str(tmp_path / "s"), True, os.geteuid())


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Callable[..., FakeAgent]]:
    started: List[FakeAgent] = []

    def fake(*script: List[Optional[str]]) -> FakeAgent:
        started.append(FakeAgent(tmp_path / "s", list(script)))
        return started[-1]

    yield fake
    for agent in started:
        agent.close()


def blocking(places: Places, count: int = 1, **options: Any) -> List[tokctl.Token]:
    with tokctl.Client(places) as client:
        return [client.get_token("acme", **options) for _ in range(count)]


def awaited(places: Places, count: int = 1, **options: Any) -> List[tokctl.Token]:
    async def ask() -> List[tokctl.Token]:
        async with tokctl.AsyncClient(places) as client:
            return [await client.get_token("acme", **options) for _ in range(count)]

    return asyncio.run(ask())


both = pytest.mark.parametrize("ask", [blocking, awaited])


@both
def test_the_home_is_said_once_and_the_connection_kept(ask: Any, fake: Any, places: Places) -> None:
    agent = fake([DONE, DONE, DONE])
    tokens = ask(places, 3)
    assert [token.access_token for token in tokens] == ["s3cret-token"] * 3
    assert agent.heard[0] == {"home": "/home/ada/ci"}
    assert [list(each) for each in agent.heard[1:]] == [["get2"]] * 3


@both
@pytest.mark.parametrize(
    "kind, expected", [("login_required", tokctl.LoginRequired), ("odd", tokctl.TokctlError)]
)
def test_an_error_leaves_the_connection_good(
    ask: Any, fake: Any, places: Places, kind: str, expected: type
) -> None:
    fake([failed(kind)])
    with pytest.raises(tokctl.TokctlError) as caught:
        ask(places)
    assert type(caught.value) is expected and caught.value.exit == 99


@both
def test_an_agent_that_was_restarted_is_asked_again(ask: Any, fake: Any, places: Places) -> None:
    # It goes away in the middle of the second request.
    fake([DONE, None], [DONE])
    assert len(ask(places, 2)) == 2


@both
def test_an_agent_that_says_it_is_stopping_is_waited_for(
    ask: Any, fake: Any, places: Places
) -> None:
    agent = fake([DONE, failed("no_agent")], [failed("no_agent")], [DONE])
    assert len(ask(places, 2, refresh=True)) == 2
    assert [list(each) for each in agent.heard] == [
        ["home"],
        ["get2"],
        ["get2"],
        ["home"],
        ["get2"],
        ["home"],
        ["get2"],
    ]


@both
def test_it_is_not_waited_for_longer_than_the_token_would_be(
    ask: Any, fake: Any, places: Places
) -> None:
    fake([failed("no_agent")], [DONE])
    with pytest.raises(tokctl.NoAgent):
        ask(places, timeout=0)


@both
def test_a_token_that_has_to_be_new_is_not_asked_for_twice(
    ask: Any, fake: Any, places: Places
) -> None:
    agent = fake([None], [DONE])
    with pytest.raises(tokctl.NoAgent, match="closed the connection"):
        ask(places, refresh=True)
    assert len(agent.heard) == 2


@both
def test_a_subject_is_brought(
    ask: Any, fake: Any, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", " s3cret-subject\n")
    subject = json.dumps({"ask_subject": {"source": "env:MY_TOKEN", "profile": "acme"}}) + "\n"
    agent = fake([subject, DONE])
    ask(places)
    assert agent.heard[2] == {"answer": {"text": "s3cret-subject"}}


@both
def test_without_a_subject_the_connection_ends(
    ask: Any, fake: Any, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    fake([json.dumps({"ask_subject": {"source": "env:MY_TOKEN", "profile": "acme"}}) + "\n"])
    with pytest.raises(tokctl.SubjectRequired, match=r"\$MY_TOKEN"):
        ask(places)


@both
def test_talk_is_heard_and_questions_are_not_answered(
    ask: Any, fake: Any, places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    talk = json.dumps({"progress": {"text": "trying again", "warning": True}}) + "\n"
    question = json.dumps({"ask": {"prompt": "Passphrase: ", "hidden": True}}) + "\n"
    agent = fake([talk + '{"of_tomorrow":{}}\n' + question, failed("cancelled")])
    with pytest.raises(tokctl.Cancelled):
        ask(places)
    assert agent.heard[-1] == {"cancel": {}}
    assert "trying again" in caplog.text


@both
@pytest.mark.parametrize(
    "answer",
    [
        '{"done":{"token":{"access_token":"s3cret-token"\n',
        '["s3cret-token"]\n',
        '{"done":{"token":{"access_token":"s3cret-token"}}}\n',
        '{"error":{"message":"s3cret-token"}}\n',
        '{"done":{"said":{"text":"s3cret-token"}}}\n',
        '{"done":{"token":"s3cret-token"}}\n',
        "s3cret-token" * 20_000,
    ],
)
def test_what_is_no_answer_is_not_repeated(
    ask: Any, fake: Any, places: Places, answer: str
) -> None:
    fake([answer])
    with pytest.raises(tokctl.Version) as caught:
        ask(places)
    error: Union[BaseException, None] = caught.value
    while error is not None:
        assert "s3cret" not in f"{error!r} {error} {vars(error)}"
        error = error.__context__


@both
def test_an_agent_of_another_user_is_told_nothing(ask: Any, fake: Any, tmp_path: Path) -> None:
    agent = fake([DONE])
    with pytest.raises(tokctl.WrongUser, match="nothing was sent"):
        ask(Places(None, str(tmp_path), str(tmp_path / "s"), True, os.geteuid() + 1))
    assert agent.heard == []


@both
def test_any_user_is_taken_where_that_is_asked_for(ask: Any, fake: Any, tmp_path: Path) -> None:
    fake([DONE])
    assert ask(Places(None, str(tmp_path), str(tmp_path / "s"), True, None))


@both
def test_a_directory_of_another_user_is_not_looked_into(
    ask: Any, fake: Any, tmp_path: Path
) -> None:
    agent = fake([DONE])
    own = os.geteuid()
    # Whoever may give a directory away does; else what is ours is taken for another's.
    expected = own
    if own == 0:
        os.chown(tmp_path, 65534, 65534)
    else:
        expected = own + 1
    with pytest.raises(tokctl.WrongUser, match="the directory"):
        ask(Places(None, str(tmp_path), str(tmp_path / "s"), False, expected))
    assert agent.heard == []


@both
def test_at_a_socket_that_was_named_none_is_started(ask: Any, places: Places) -> None:
    with pytest.raises(tokctl.NoAgent) as caught:
        ask(places)
    assert places.socket in caught.value.message
    assert "TOKCTL_SOCK" in str(caught.value.hint)


@both
def test_an_agent_that_hangs_is_given_up(
    ask: Any, fake: Any, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokctl.client.GRACE", 0.05)
    fake([""])
    with pytest.raises(tokctl.Timeout, match="did not answer"):
        ask(places, timeout=0)


def test_nothing_shows_a_secret() -> None:
    token = wire.read_token(json.loads(DONE)["done"])
    assert token.access_token == "s3cret-token" and token.extra["id_token"] == "s3cret-extra"
    assert (
        "s3cret"
        not in f"{token!r} {token} {tokctl.RequestsAuth('acme')!r} {tokctl.HTTPXAuth('acme')!r}"
    )


@pytest.mark.parametrize(
    "template, token, header",
    [
        ("Authorization: Bearer {token}", "abc", ("Authorization", "Bearer abc")),
        ("X-Api-Key: {token}", "abc", ("X-Api-Key", "abc")),
        ("Authorization: Basic {basic}", "key:", ("Authorization", "Basic a2V5Og==")),
        ("X: {token} {basic}", "{basic}", ("X", "{basic} e2Jhc2ljfQ==")),
        ("X: {other} {token", "abc", ("X", "{other} {token")),
    ],
)
def test_a_header_is_what_the_template_says(template: str, token: str, header: object) -> None:
    assert (
        tokctl.Token(token, "Bearer", None, None, "", "acme", template=template).header() == header
    )
