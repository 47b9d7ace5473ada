"""What the tests have in common: the real agent of the environment, and an HTTP API on loopback.

`cargo test -p tokctl-tests python` prepares both and sets TOKCTL_TEST_LIVE; without it the tests that need them are
skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import pytest

LIVE = "TOKCTL_TEST_LIVE"


class Heard(NamedTuple):
    """A request as it came to the API."""

    method: str
    path: str
    headers: Dict[str, str]
    body: bytes

    def token(self) -> Optional[str]:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else None


#: What the API answers: a status and headers.
Reply = Tuple[int, Dict[str, str]]


class Api:
    """An HTTP API whose answers are the test's own function."""

    def __init__(self, answer: Callable[[Heard], Reply]) -> None:
        self.heard: List[Heard] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                if self.headers.get("transfer-encoding") == "chunked":
                    body = self.chunks()
                headers = {name.lower(): value for name, value in self.headers.items()}
                heard = Heard(self.command, self.path, headers, body)
                status, more = answer(heard)
                api.heard.append(heard)
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def chunks(self) -> bytes:
                body = b""
                while True:
                    length = int(self.rfile.readline(), 16)
                    body += self.rfile.read(length)
                    self.rfile.readline()
                    if length == 0:
                        return body

            do_GET = do_POST = handle_any

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, path: str = "/v1/orders", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self._server.server_port}{path}"

    def tokens(self) -> List[Optional[str]]:
        return [heard.token() for heard in self.heard]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def answers(*replies: Reply) -> Callable[[Heard], Reply]:
    """One after the other, and the last from then on."""
    left = list(replies)

    def answer(_: Heard) -> Reply:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


class Agent:
    """The real agent and `tokctl` of the environment."""

    def tokctl(self, *arguments: str, stdin: str = "") -> str:
        ended = subprocess.run(
            ["tokctl", *arguments], input=stdin, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, (arguments, ended)
        return ended.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.tokctl(*arguments, "--json"))

    def add(self, profile: str, *settings: str) -> str:
        """A profile of the provider, whose secret and endpoint the environment names."""
        self.tokctl(
            *("add", profile, "--grant", "client_credentials", "--client-id", "cc"),
            *("--secret-stdin", "--token-endpoint", os.environ["TOKCTL_TEST_TOKEN_ENDPOINT"]),
            *("--scope", "api", *settings),
            stdin=os.environ["TOKCTL_TEST_SECRET"],
        )
        return profile

    def add_key(self, profile: str, key: str, *settings: str) -> str:
        self.tokctl("add", profile, "--grant", "api_key", "--key-stdin", *settings, stdin=key)
        return profile

    def stop(self) -> None:
        self.tokctl("agent", "stop")

    def reports(self, profile: str) -> List[int]:
        """The statuses that were reported, oldest first."""
        attempts = self.json("why", profile)["attempts"]
        return [each["status"] for each in attempts if each["what"] == "report"]


@pytest.fixture(scope="session")
def agent() -> Agent:
    if LIVE not in os.environ:
        pytest.skip("needs an agent: run by `cargo test -p tokctl-tests python`")
    return Agent()


@pytest.fixture
def start() -> Iterator[Callable[..., Api]]:
    """Starts APIs; they end with the test."""
    started: List[Api] = []

    def start(*replies: Reply, answer: Optional[Callable[[Heard], Reply]] = None) -> Api:
        started.append(Api(answer or answers(*replies)))
        return started[-1]

    yield start
    for api in started:
        api.close()


_COUNT = iter(range(1000))


@pytest.fixture
def profile(agent: Agent) -> str:
    """A profile of this test alone."""
    return agent.add(f"p{next(_COUNT)}")
