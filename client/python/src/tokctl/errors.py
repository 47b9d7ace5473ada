"""What can go wrong: an exception for each kind of error of proto/PROTOCOL.md.

A kind that this version has not heard of is a `TokctlError` itself, with its `kind` and `exit`. No message holds a
secret.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple, Type

__all__ = [
    "Cancelled",
    "ConfigInvalid",
    "Denied",
    "EntryDamaged",
    "Internal",
    "LoginDenied",
    "LoginExpired",
    "LoginRequired",
    "Machine",
    "MinValid",
    "NoAgent",
    "NoSuchProfile",
    "NoVault",
    "OriginChanged",
    "OtherHome",
    "ProfileExists",
    "ProviderFailed",
    "ProviderRefused",
    "ProviderUnreachable",
    "RateLimited",
    "ScopeMissing",
    "SecretRequired",
    "SenderConstrained",
    "SocketScoped",
    "SubjectRequired",
    "Timeout",
    "TokctlError",
    "UrlRefused",
    "Usage",
    "VaultExists",
    "VaultSealed",
    "Version",
    "WrongPassphrase",
    "WrongUser",
]


class TokctlError(Exception):
    """A request was not done: `message` says why, `hint` what to do about it, `kind` in one word.

    `exit` is the status that `tokctl` would exit with, `retry_at` the earliest time (Unix seconds) at which trying
    again can help.
    """

    kind: str = "internal"
    exit: int = 1

    def __init__(
        self,
        message: str,
        *,
        hint: Optional[str] = None,
        profile: Optional[str] = None,
        retry_at: Optional[int] = None,
        kind: Optional[str] = None,
        exit: Optional[int] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.profile = profile
        self.retry_at = retry_at
        if kind is not None:
            self.kind = kind
        if exit is not None:
            self.exit = exit

    def __str__(self) -> str:
        """The two lines that `tokctl` prints."""
        first = self.message if self.profile is None else f"{self.profile}: {self.message}"
        return first if self.hint is None else f"{first}\nhint: {self.hint}"

    def __reduce__(self) -> Tuple[Any, ...]:
        # With its attributes, so that it gets out of a worker process whole.
        return type(self), (self.message,), self.__dict__


class Internal(TokctlError):
    """A bug in tokctl."""

    kind = "internal"
    exit = 1


class Usage(TokctlError):
    """The request makes no sense."""

    kind = "usage"
    exit = 2


class ProfileExists(TokctlError):
    """There is a profile of that name."""

    kind = "profile_exists"
    exit = 2


class VaultExists(TokctlError):
    """There is a vault already."""

    kind = "vault_exists"
    exit = 2


class OtherHome(TokctlError):
    """The agent at the socket has another TOKCTL_HOME."""

    kind = "other_home"
    exit = 2


class SenderConstrained(TokctlError):
    """The token is bound to a key, and is no use without a proof for each request."""

    kind = "sender_constrained"
    exit = 2


class NoSuchProfile(TokctlError):
    """No profile has that name, or none is for that URL."""

    kind = "no_such_profile"
    exit = 3


class VaultSealed(TokctlError):
    """The vault is locked."""

    kind = "vault_sealed"
    exit = 4


class NoVault(TokctlError):
    """There is no vault yet."""

    kind = "no_vault"
    exit = 4


class WrongPassphrase(TokctlError):
    """The passphrase does not open the vault."""

    kind = "wrong_passphrase"
    exit = 4


class LoginRequired(TokctlError):
    """A person has to log in."""

    kind = "login_required"
    exit = 5


class SecretRequired(TokctlError):
    """The profile's secret was not stored."""

    kind = "secret_required"
    exit = 5


class SubjectRequired(TokctlError):
    """The token that is to be exchanged is not there."""

    kind = "subject_required"
    exit = 5


class LoginExpired(TokctlError):
    """Nobody logged in in time."""

    kind = "login_expired"
    exit = 5


class ProviderRefused(TokctlError):
    """The provider refused."""

    kind = "provider_refused"
    exit = 6


class LoginDenied(TokctlError):
    """The person, or the provider, said no."""

    kind = "login_denied"
    exit = 6


class ScopeMissing(TokctlError):
    """A scope that was asked for was not granted."""

    kind = "scope_missing"
    exit = 6


class ProviderUnreachable(TokctlError):
    """The provider cannot be reached."""

    kind = "provider_unreachable"
    exit = 7


class ProviderFailed(TokctlError):
    """The provider failed."""

    kind = "provider_failed"
    exit = 7


class RateLimited(TokctlError):
    """The provider, or the API, said to slow down; `retry_at` says until when."""

    kind = "rate_limited"
    exit = 7


class MinValid(TokctlError):
    """No token lives as long as was asked for."""

    kind = "min_valid"
    exit = 7


class Timeout(TokctlError):
    """It took too long."""

    kind = "timeout"
    exit = 7


class Denied(TokctlError):
    """Refused by a policy or a person here."""

    kind = "denied"
    exit = 8


class WrongUser(TokctlError):
    """A socket, or an agent, is another user's."""

    kind = "wrong_user"
    exit = 8


class UrlRefused(TokctlError):
    """The profile's `api_urls` do not name that URL."""

    kind = "url_refused"
    exit = 8


class SocketScoped(TokctlError):
    """This socket is not for that."""

    kind = "socket_scoped"
    exit = 8


class NoAgent(TokctlError):
    """No agent runs, and none could be started."""

    kind = "no_agent"
    exit = 9


class Version(TokctlError):
    """The agent does not speak this package's protocol."""

    kind = "version"
    exit = 9


class ConfigInvalid(TokctlError):
    """config.toml is invalid."""

    kind = "config_invalid"
    exit = 10


class OriginChanged(TokctlError):
    """The profile was pointed at another place than its secret was stored for."""

    kind = "origin_changed"
    exit = 10


class Machine(TokctlError):
    """This machine: disk, permissions, limits."""

    kind = "machine"
    exit = 11


class EntryDamaged(TokctlError):
    """An entry of the vault cannot be read."""

    kind = "entry_damaged"
    exit = 11


class Cancelled(TokctlError):
    """Somebody cancelled it."""

    kind = "cancelled"
    exit = 130


#: The class of each kind.
KINDS: Dict[str, Type[TokctlError]] = {each.kind: each for each in TokctlError.__subclasses__()}


def from_wire(failure: Dict[str, Any]) -> TokctlError:
    """The agent's own words as an exception."""
    known = KINDS.get(failure["kind"], TokctlError)
    return known(
        failure["message"],
        hint=failure.get("hint"),
        profile=failure.get("profile"),
        retry_at=failure.get("retry_at"),
        kind=failure["kind"],
        exit=failure["exit"],
    )
