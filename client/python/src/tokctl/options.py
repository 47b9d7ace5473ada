"""How a token should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Optional, TypedDict, Union

#: One or several of what a provider calls scopes, audiences or resources.
Names = Union[str, Iterable[str], None]


@dataclass(frozen=True)
class Dpop:
    """The HTTP request that a proof is good for (RFC 9449)."""

    method: str
    #: Absolute; its query and fragment are left out of the proof.
    url: str
    #: The newest `DPoP-Nonce` of that server, where it sent one.
    nonce: Optional[str] = None


class Options(TypedDict, total=False):
    """What `get`, `get_token` and `token_provider` can be told besides the profile. Times are in seconds."""

    #: In place of the profile's; a string is split at its spaces.
    scope: Names
    #: In place of the profile's.
    audience: Names
    #: RFC 8707; in place of the profile's.
    resource: Names
    #: Least validity; without it 60 s or a tenth of the lifetime, whichever is less.
    min_valid: Optional[float]
    #: Takes what there is even below `min_valid`, or while the API said to slow down.
    best_effort: bool
    #: Has the agent ask the provider for a new token.
    refresh: bool
    #: The whole wait; without it 30 s.
    timeout: Optional[float]
    #: Uses that are booked against the rate limit of a pool; without it one.
    uses: Optional[int]
    #: How long to wait where the API said to slow down or no member of a pool is free, on top of `timeout`.
    wait: Optional[float]
    #: For a token that is bound to a key: the request that it comes with a proof for.
    dpop: Optional[Dpop]
