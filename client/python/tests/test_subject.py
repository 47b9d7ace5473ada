"""Tokens of jobs, from their environment."""

from __future__ import annotations

from typing import Dict

import pytest

from tokctl import SubjectRequired
from tokctl.subject import GITHUB_TOKEN, GITHUB_URL, from_environment

URL = "https://run.example/?a=1"


@pytest.mark.parametrize(
    "source, variables, expected",
    [
        ("env:MY_TOKEN", {"MY_TOKEN": "eyJ0\n"}, "eyJ0"),
        ("gitlab", {"TOKCTL_ID_TOKEN": "eyJ1", "ID_TOKEN": "other"}, "eyJ1"),
        ("gitlab", {"ID_TOKEN": "eyJ2"}, "eyJ2"),
        ("github-actions", {GITHUB_URL: URL, GITHUB_TOKEN: "eyJ3"}, URL + "\neyJ3"),
    ],
)
def test_each_source_is_found(source: str, variables: Dict[str, str], expected: str) -> None:
    assert from_environment(source, variables) == expected


@pytest.mark.parametrize(
    "source, variables, message, hint",
    [
        ("env:MY_TOKEN", {"MY_TOKEN": " "}, "$MY_TOKEN is empty", "export it"),
        ("gitlab", {}, "$TOKCTL_ID_TOKEN", "id_tokens:"),
        ("github-actions", {}, "no job of GitHub Actions", "id-token: write"),
        (
            "github-actions",
            {"GITHUB_ACTIONS": "true", GITHUB_URL: URL},
            "may not ask GitHub",
            "permissions: id-token: write",
        ),
    ],
)
def test_what_is_missing_is_named(
    source: str, variables: Dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(SubjectRequired) as caught:
        from_environment(source, variables)
    assert message in caught.value.message and hint in str(caught.value.hint)
