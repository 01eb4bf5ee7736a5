"""What a refusing endpoint said, in whichever of the shapes that compatible servers use."""

from __future__ import annotations

import json
import re
from typing import Any

from imi.errors import EndpointError

# A request that was too large as a whole, said by status 413 or in one of these ways: smaller ones will pass.
_TOO_MANY = re.compile(
    r"max_tokens_per_request|max(imum)?[^.]{0,40}per request|batch size|too many inputs|maximum allowed batch|"
    r"array too long|too_long|at most \d+ (items|inputs)|payload too large",
    re.IGNORECASE,
)
# One text that is longer than the model reads.
_TOO_LONG = re.compile(
    r"context[ _]length|maximum context|too long|longer than|exceeds? the (model|context|maximum)|token limit|"
    r"must have less than \d+ tokens|input length",
    re.IGNORECASE,
)
_AGAIN = {408, 409, 429}
_EXHAUSTED = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}


class Refusal(EndpointError):
    """A failed try: besides status and message, the reply's code and whether trying again may help."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        code: str | None = None,
        again: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, status=status, retry_after=retry_after)
        self.code = code
        self.again = again

    @property
    def exhausted(self) -> bool:
        """Whether the account has no credit left: the reply is a 429 too, but waiting does not help."""
        return self.code in _EXHAUSTED

    @property
    def too_many(self) -> bool:
        """Whether the request as a whole was too large."""
        return self.status == 413 or bool(_TOO_MANY.search(f"{self.code} {self.message}"))

    @property
    def too_long(self) -> bool:
        """Whether a text was longer than the model reads."""
        return self.status in (400, 413, 422) and bool(_TOO_LONG.search(self.message)) and not self.too_many

    @property
    def about_input(self) -> bool:
        """Whether the texts were the reason, so that other texts, or fewer of them, may pass."""
        return self.status in (400, 413, 422) and self.code not in ("model_not_found", "invalid_api_key")


def refusal(
    url: str, status: int, body: bytes, retry_after: float | None = None, should_retry: str | None = None
) -> Refusal:
    """Return the error for a reply that is none of 2xx; `should_retry` is the reply's own word, "true" or "false".

    Understands `{"error": {...}}` (OpenAI), flat `{"message", "code"}` (TEI, older vLLM), `{"error": "text"}` (Ollama),
    `{"detail": ...}` (FastAPI) and bodies that are not JSON.
    """
    message, code = _said(body)
    hint = {
        401: "set OPENAI_API_KEY to a key of this endpoint",
        403: "set OPENAI_API_KEY to a key that may use this model",
        404: "check the model's name and the URL, which usually ends in /v1",
    }.get(status)
    if code in _EXHAUSTED:
        hint = "the account has no credit left; what was done so far is kept, run the same command again later"
    elif status == 429:
        hint = "wait, then run the same command again; what was done so far is kept"
    again = (status in _AGAIN or status >= 500) and code not in _EXHAUSTED
    if should_retry in ("true", "false"):
        again = should_retry == "true"
    said = f"{url} answered {status}: {message}"[:600]
    return Refusal(said, hint=hint, status=status, retry_after=retry_after, code=code, again=again)


def _said(body: bytes) -> tuple[str, str | None]:
    try:
        value: Any = json.loads(body)
    except ValueError:
        text = re.sub(r"<[^<>]*+>|\s+", " ", body[:2000].decode("utf-8", "replace")).strip()
        return text[:300] or "nothing", None
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        value = value["error"]
    if not isinstance(value, dict):
        return str(value)[:300], None
    said = value.get("message") or value.get("detail") or value.get("error") or value
    code = value.get("code") if isinstance(value.get("code"), str) else None
    kind = value.get("type") or value.get("error_type")
    return (said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))[:400], code or (
        kind if isinstance(kind, str) else None
    )
