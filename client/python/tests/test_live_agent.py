"""The client and the real agent: threads, forks, restarts, homes."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from pathlib import Path
from typing import Any, Callable, List

import pytest
from conftest import Agent

import tokctl
from tokctl.client import default


def in_threads(count: int, call: Callable[[], Any]) -> List[Any]:
    """What so many threads got that began at once."""
    results: List[Any] = []
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait()
        try:
            results.append(call())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def in_fork(call: Callable[[], str]) -> str:
    """What a forked child got."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, call().encode())
        except BaseException as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(pid, 0)
    return said


def requests_sent(agent: Agent, profile: str) -> int:
    attempts = agent.json("why", profile)["attempts"]
    return sum(each["what"].startswith("client_credentials") for each in attempts)


def test_a_token_is_what_tokctl_says(agent: Agent, profile: str) -> None:
    told = agent.json("get", profile)
    token = tokctl.get_token(profile)
    assert tokctl.get(profile) == token.access_token == told["access_token"]
    assert (token.expires_at, token.scope) == (told["expires_at"], told["scope"])
    assert token.headers() == {"Authorization": f"Bearer {token.access_token}"}
    assert tokctl.token_provider(profile)() == token.access_token
    assert token.access_token not in repr(token)


def test_options_are_heard(agent: Agent, profile: str) -> None:
    assert tokctl.get(profile, scope="api") == tokctl.get(profile, scope=["api"])
    with pytest.raises(tokctl.MinValid) as caught:
        tokctl.get(profile, min_valid=10**6)
    assert caught.value.exit == 7
    assert tokctl.get_token(profile, min_valid=10**6, best_effort=True).min_valid_met is False
    with pytest.raises(TypeError):
        tokctl.get(profile, min_ttl=3)  # type: ignore[call-arg]


def test_a_reported_token_is_not_served_again(profile: str) -> None:
    token = tokctl.get(profile)
    tokctl.report(profile, 401, token=token)
    assert tokctl.get(profile) != token


def test_an_error_has_the_words_of_tokctl(agent: Agent) -> None:
    with pytest.raises(tokctl.NoSuchProfile) as caught:
        tokctl.get("nobody")
    assert (caught.value.exit, caught.value.kind) == (3, "no_such_profile")
    assert caught.value.profile == "nobody" and "tokctl list" in str(caught.value.hint)


def test_a_hundred_threads_make_one_request(agent: Agent, profile: str) -> None:
    tokens = in_threads(100, lambda: tokctl.get(profile))
    assert len(tokens) == 100 and len(set(map(str, tokens))) == 1, tokens
    assert tokens[0] == tokctl.get(profile)
    assert requests_sent(agent, profile) == 1


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_asks_by_itself(profile: str) -> None:
    token = tokctl.get(profile)
    # The child has the parent's connections, and must not use them.
    for _ in range(3):
        assert in_fork(lambda: tokctl.get(profile)) == token
        assert tokctl.get(profile) == token


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_in_the_middle_of_other_threads_hangs_nobody(profile: str) -> None:
    token = tokctl.get(profile)
    ended = threading.Event()
    seen: List[str] = []

    def ask() -> None:
        while not ended.is_set():
            seen.append(tokctl.get(profile))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    forked = [in_fork(lambda: tokctl.get(profile)) for _ in range(20)]
    ended.set()
    for thread in threads:
        thread.join()
    assert set(forked) == {token} == set(seen)


def test_a_client_outlives_the_agent(agent: Agent, profile: str) -> None:
    token = tokctl.get(profile)
    agent.stop()
    assert tokctl.get(profile) == token
    agent.stop()
    assert set(in_threads(30, lambda: tokctl.get(profile))) == {token}


def test_the_agent_goes_away_while_many_ask(agent: Agent, profile: str) -> None:
    token = tokctl.get(profile)
    ended = threading.Event()
    seen: List[Any] = []

    def ask() -> None:
        while not ended.is_set():
            try:
                seen.append(tokctl.get(profile))
            except Exception as error:
                seen.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        agent.stop()
        assert tokctl.get(profile) == token
    ended.set()
    for thread in threads:
        thread.join()
    assert {str(each) for each in seen} == {token}


def test_asyncio_in_one_loop_after_the_other(agent: Agent, profile: str) -> None:
    token = tokctl.get(profile)
    client = tokctl.AsyncClient()

    async def ask(count: int) -> List[str]:
        async with client:
            return list(await asyncio.gather(*(client.get(profile) for _ in range(count))))

    assert set(asyncio.run(ask(50))) == {token}
    agent.stop()
    assert set(asyncio.run(ask(50))) == {token}


def test_asyncio_outlives_the_agent_too(agent: Agent, profile: str) -> None:
    async def ask() -> None:
        async with tokctl.AsyncClient() as client:
            token = (await client.get_token(profile)).access_token
            agent.stop()
            assert await client.get(profile) == token
            assert await client.token_provider(profile)() == token
            await client.report(profile, 401, token=token)
            assert await client.get(profile) != token

    asyncio.run(ask())


def test_a_task_that_is_cancelled_leaves_no_answer_for_the_next(agent: Agent, profile: str) -> None:
    other = agent.add(f"{profile}-other")

    async def ask() -> None:
        async with tokctl.AsyncClient() as client:
            await client.get(profile)
            task = asyncio.ensure_future(client.get(other))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.get(profile) == tokctl.get(profile)

    asyncio.run(ask())


def test_an_agent_of_another_home_does_nothing(
    agent: Agent, profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKCTL_SOCK", os.environ["TOKCTL_HOME"] + "/run/agent.sock")
    assert tokctl.get(profile)
    monkeypatch.setenv("TOKCTL_HOME", str(tmp_path))
    with pytest.raises(tokctl.OtherHome, match="TOKCTL_HOME"):
        tokctl.get(profile)


def test_without_a_vault_that_is_said(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKCTL_HOME", str(tmp_path / "none"))
    with pytest.raises(tokctl.NoVault) as caught:
        tokctl.get("acme")
    assert "tokctl init" in str(caught.value.hint)
    agent.stop()


def test_without_tokctl_nothing_is_started(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKCTL_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(tokctl.NoAgent, match="cannot start an agent"):
        tokctl.get("acme")


def test_a_client_gets_into_a_worker_process(profile: str) -> None:
    client = pickle.loads(pickle.dumps(default()))
    assert client.get(profile) == tokctl.get(profile)
