"""A token, and where in a request it is put."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

from .errors import Usage


@dataclass(frozen=True)
class Token:
    """An access token, good when the agent answered. Neither repr nor str show what is secret in it."""

    access_token: str = field(repr=False)
    token_type: str
    #: Unix seconds; None when it never expires or the provider does not say.
    expires_at: Optional[int]
    #: Seconds that were left when the agent answered.
    expires_in: Optional[int]
    #: The granted scopes where the provider named them, else those asked for, separated by spaces.
    scope: str
    profile: str
    #: The member of a pool whose token it is.
    member: Optional[str] = None
    #: False when the provider gives no token that lives as long as was wanted.
    min_valid_met: bool = True
    #: For a person, such as why `min_valid_met` is false.
    warning: Optional[str] = None
    #: The provider's further fields. Some providers put secrets there.
    extra: Dict[str, Any] = field(default_factory=dict, repr=False, hash=False)
    #: A header line with `{token}` or `{basic}` in it; empty where the token goes into the query of the URL.
    template: str = field(default="Authorization: Bearer {token}", repr=False)
    #: The proof for the request that was named, where the token is bound to a key (RFC 9449).
    dpop: Optional[str] = field(default=None, repr=False)

    def header(self) -> Tuple[str, str]:
        """Name and value of the header that carries the token."""
        if not self.template:
            raise Usage(
                "the token goes into the query of a URL, not into a header",
                profile=self.profile,
                hint=f"`tokctl show {self.profile}` has `query`",
            )
        return render(self.template, self.access_token)

    def headers(self) -> Dict[str, str]:
        """All headers that a request with the token needs; none where it goes into the query."""
        headers = dict([self.header()] if self.template else [])
        if self.dpop is not None:
            headers["DPoP"] = self.dpop
        return headers

    def sha256(self) -> str:
        """Names the token to the agent without showing it."""
        return hashlib.sha256(self.access_token.encode()).hexdigest()


@dataclass(frozen=True)
class Placement:
    """Where a profile's token is put, and where it may be used."""

    profile: str
    #: A header line with `{token}` or `{basic}` in it; empty where `query` is set.
    header: str
    #: The parameter of the URL that carries the token in place of the header.
    query: Optional[str]
    #: Empty: anywhere.
    api_urls: Tuple[str, ...]


def render(template: str, token: str) -> Tuple[str, str]:
    """Gone through once, so a token that looks like a placeholder stays what it is."""
    values = {"{token}": token, "{basic}": base64.b64encode(token.encode()).decode()}
    line = re.sub(r"\{(token|basic)\}", lambda found: values[found.group()], template)
    name, _, value = line.partition(":")
    return name.strip(), value.strip()
