"""Names of models and URLs as they are kept and shown: without what nobody else should see."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_HIDDEN = "key|token|secret|password|passwd|credential|signature|^sig$|^auth|^code$"


def public_name(name: str) -> str:
    """Return a model's name as it is kept and shown: the URL in it without user, password and keys."""
    model, at, url = name.partition("@http")
    return f"{model}@{public_url(f'http{url}')}" if at else name


def public_url(url: str) -> str:
    """Return a URL without user, password, and the values of what sounds like a secret in its query."""
    parts = urlsplit(url)
    kept = "&".join(
        one for one in parts.query.split("&") if not re.search(_HIDDEN, one.partition("=")[0], re.IGNORECASE)
    )
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), kept, ""))
