"""The socket is where the protocol says: the table of tokctl itself."""

from __future__ import annotations

from typing import Dict, Tuple

import pytest

from tokctl import Usage
from tokctl.endpoint import Places, look_up

LONG = "/" + "x" * 120
ADA = {"HOME": "/home/ada"}


def places(variables: Dict[str, str], owned: Tuple[str, ...] = ()) -> Places:
    return look_up(variables, 1000, lambda path: 1000 if path in owned else None)


@pytest.fixture(autouse=True)
def stand_in_a_known_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getcwd", lambda: "/home/ada/work")


@pytest.mark.parametrize(
    "variables, owned, socket",
    [
        ({"TOKCTL_SOCK": "/s"}, (), "/s"),
        ({"TOKCTL_SOCK": "s"}, (), "/home/ada/work/s"),
        ({"TOKCTL_HOME": "/t/", "XDG_RUNTIME_DIR": "/run/x"}, ("/run/x",), "/t/run/agent.sock"),
        (
            {"XDG_RUNTIME_DIR": "/run/x"},
            ("/run/x", "/run/user/1000"),
            "/run/x/tokctl/agent.sock",
        ),
        # Root's, as after `su`.
        (
            {"XDG_RUNTIME_DIR": "/run/user/0"},
            ("/run/user/1000",),
            "/run/user/1000/tokctl/agent.sock",
        ),
        ({}, ("/run/user/1000",), "/run/user/1000/tokctl/agent.sock"),
        ({}, (), "/home/ada/.local/state/tokctl/run/agent.sock"),
        ({"XDG_STATE_HOME": "/st"}, (), "/st/tokctl/run/agent.sock"),
        ({"XDG_STATE_HOME": "no"}, (), "/home/ada/.local/state/tokctl/run/agent.sock"),
        (
            {"TOKCTL_HOME": LONG},
            ("/run/user/1000",),
            "/run/user/1000/tokctl/084877de7682251c.sock",
        ),
    ],
)
def test_the_socket_is_where_the_first_of_the_list_says(
    variables: Dict[str, str], owned: Tuple[str, ...], socket: str
) -> None:
    assert places({**ADA, **variables}, owned).socket == socket


def test_a_home_holds_everything() -> None:
    found = places({"TOKCTL_HOME": "ci//home/."})
    assert found.home == "/home/ada/work/ci/home"
    assert found.vault == "/home/ada/work/ci/home/vault"


@pytest.mark.parametrize("length, hashed", [(107, False), (108, True)])
def test_a_path_at_the_kernels_limit_is_taken_as_it_is(length: int, hashed: bool) -> None:
    home = "/" + "h" * (length - len("//run/agent.sock"))
    found = places({"TOKCTL_HOME": home}, ("/run/user/1000",)).socket
    assert found.startswith("/run/user/1000") == hashed


@pytest.mark.parametrize(
    "variables, uid",
    [
        ({"TOKCTL_SOCK": "/s", "TOKCTL_SOCK_UID": "7"}, 7),
        ({"TOKCTL_SOCK": "/s", "TOKCTL_SOCK_UID": "any"}, None),
        ({"TOKCTL_SOCK_UID": "7"}, 1000),
    ],
)
def test_another_uid_is_for_named_sockets_alone(variables: Dict[str, str], uid: object) -> None:
    assert places({**ADA, **variables}).agent_uid == uid


@pytest.mark.parametrize(
    "variables, words",
    [
        ({}, "HOME is not set"),
        ({**ADA, "TOKCTL_SOCK": LONG}, "short enough"),
        ({**ADA, "TOKCTL_SOCK": "/a\nb"}, "control character"),
        ({**ADA, "TOKCTL_SOCK": "/s", "TOKCTL_SOCK_UID": "ada"}, "not a user id"),
    ],
)
def test_what_is_no_place_is_said(variables: Dict[str, str], words: str) -> None:
    with pytest.raises(Usage, match=words):
        places(variables)


def test_the_holder_of_the_vault_says_where_it_listens(tmp_path: object) -> None:
    found = Places(None, str(tmp_path), "/s", False, 0)
    assert found.holder_socket() is None
    for text, socket in [
        ("42\n/run/x.sock\n", "/run/x.sock"),
        ("42\nrelative\n", None),
        ("x\n/y\n", None),
    ]:
        with open(f"{tmp_path}/lock", "w") as lock:
            lock.write(text)
        assert found.holder_socket() == socket
