"""Access tokens from tokctl-agent, which renews them ahead of their expiry.

    tokctl.get("acme")                                       the token, a str
    tokctl.get_token("acme")                                 a Token: also when it expires, its scope, ...
    requests.get(url, auth=tokctl.RequestsAuth("acme"))      renewed once on 401, later again on 429
    httpx.get(url, auth=tokctl.HTTPXAuth("acme"))            the same, also in an httpx.AsyncClient
    tokctl.token_provider("acme")                            a callable, for SDKs

Nothing is cached here: the agent answers in the time that connecting to it takes. What goes wrong is raised as a
`TokctlError`, of a class for each kind of error, with a hint that says what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import errors
from .aio import AsyncClient
from .client import Client, get, get_token, report, token_provider
from .errors import *  # noqa: F403
from .options import Dpop
from .token import Placement, Token

if TYPE_CHECKING:
    from .httpx import HTTPXAuth as HTTPXAuth
    from .requests import RequestsAuth as RequestsAuth

__version__ = "0.1.0"

# Not the two that need another library: `from tokctl import *` works without.
__all__ = [
    *errors.__all__,
    "AsyncClient",
    "Client",
    "Dpop",
    "Placement",
    "Token",
    "errors",
    "get",
    "get_token",
    "report",
    "token_provider",
]


def __getattr__(name: str) -> Any:
    # httpx is imported by those who ask for it, and needed by nobody else.
    if name == "HTTPXAuth":
        from .httpx import HTTPXAuth

        return HTTPXAuth
    if name == "RequestsAuth":
        from .requests import RequestsAuth

        return RequestsAuth
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
