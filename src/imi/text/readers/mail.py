"""Mail (.eml): the text of a message, its plain part or else its HTML, below its subject, with the people and date."""

from __future__ import annotations

import contextlib
import email
import email.policy
import email.utils
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

from imi.errors import Failure
from imi.text.plain import plain_blocks
from imi.text.readers.encodings import guess_encoding
from imi.text.readers.lines import open_bytes
from imi.text.readers.pieces import passage_rows
from imi.text.readers.prose import placed
from imi.text.readers.rows import ReadOptions, Row, refuse_columns
from imi.text.readers.web import html_passages, main_text, page_tree, unplaced

Items = Iterator[Row | Failure]


def read_mail(source: str, options: ReadOptions) -> Items:
    """Yield the passages of a message; what is attached to it is named, and not read."""
    refuse_columns(source, options, "a mail")
    with open_bytes(source) as file:
        message: Any = email.message_from_binary_file(file, policy=email.policy.default)
    known = _headers(message)
    for part in message.walk():
        if part.is_attachment() or (part.get_content_maintype() not in ("text", "multipart", "message")):
            name = part.get_filename() or part.get_content_type()
            options.say(source, None, f"what is attached is not read: {name}")
    subject = known.get("subject")
    body = message.get_body(preferencelist=("plain", "html"))
    text = "" if body is None else _text(body)
    if body is not None and body.get_content_subtype() == "html":
        tree = page_tree(text)
        found, title = (None, None) if tree is None else main_text(tree, whole=False)
        if found:
            yield from html_passages(found, subject or title, source, options, metadata=known)
            return
        text = ""
    if not text.strip():
        yield Failure(source, None, "the mail holds no text")
        return
    lines = enumerate(text.splitlines(), 1)
    blocks = (one for one in plain_blocks(placed(lines)) if not isinstance(one, Failure))
    yield from passage_rows(unplaced(blocks), source, options, metadata=known, title=subject)


def _headers(message: EmailMessage) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("subject", "from", "to", "date"):
        try:
            value = str(message[name] or "").strip()
        except Exception:  # noqa: S112
            # A damaged header does things to its parser that cannot be listed.
            continue
        if name == "date" and value:
            with contextlib.suppress(ValueError):
                value = email.utils.parsedate_to_datetime(value).isoformat()
        if value:
            found[name] = value.encode("utf-8", "replace").decode()
    return found


def _text(part: Any) -> str:
    """Return the text of a part; in an encoding that is unknown or not true, by a guess from its bytes."""
    raw = part.get_payload(decode=True) or b""
    charset = part.get_content_charset() or "utf-8"
    for name in (charset, "utf-8", guess_encoding(raw)[0]):
        try:
            return str(raw.decode(name))
        except (LookupError, UnicodeDecodeError):
            continue
    return str(raw.decode("utf-8", "replace"))
