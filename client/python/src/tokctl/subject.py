"""Tokens of this process's environment that the agent exchanges for others, answered to `ask_subject`."""

from __future__ import annotations

import os
from typing import Mapping, Optional

from .errors import SubjectRequired, Version

#: Where GitHub says how a job asks for its token.
GITHUB_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
GITHUB_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
#: What a job of GitLab calls its token, the first that is there: GitLab leaves the name to the job.
GITLAB_TOKENS = ("TOKCTL_ID_TOKEN", "ID_TOKEN")


def from_environment(source: str, variables: Optional[Mapping[str, str]] = None) -> str:
    """What this environment has for a `subject`: `env:NAME`, `gitlab` or `github-actions`."""
    environment = os.environ if variables is None else variables

    def text(name: str) -> str:
        return environment.get(name, "").strip()

    if source == "github-actions":
        return _github(text(GITHUB_URL), text(GITHUB_TOKEN), bool(text("GITHUB_ACTIONS")))
    if source == "gitlab":
        for name in GITLAB_TOKENS:
            if text(name):
                return text(name)
        raise SubjectRequired(
            "GitLab has put no token of the job into $TOKCTL_ID_TOKEN",
            hint="give the job `id_tokens: { TOKCTL_ID_TOKEN: { aud: … } }`",
        )
    if source.startswith("env:"):
        name = source[len("env:") :]
        if text(name):
            return text(name)
        raise SubjectRequired(f"${name} is empty or not set", hint="export it")
    raise Version(
        "the answer is not one to this request", hint="restart the agent: `tokctl agent stop`"
    )


def _github(url: str, token: str, is_job: bool) -> str:
    if url and token:
        return f"{url}\n{token}"
    if is_job:
        raise SubjectRequired(
            "this job may not ask GitHub for its token",
            hint="give the job `permissions: id-token: write`",
        )
    raise SubjectRequired(
        "this is no job of GitHub Actions",
        hint='`subject = "github-actions"` works in one alone, with `permissions: id-token: write`',
    )
