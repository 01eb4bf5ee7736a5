"""Mail (.eml, .mbox): a message's text, plain or else of its HTML, below its subject, with the people and the date."""

from __future__ import annotations

import contextlib
import email
import email.utils
import html
import re
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import IO, Any

from imi.errors import Failure
from imi.records import with_facts
from imi.text.plain import plain_blocks
from imi.text.readers.encodings import guess_encoding
from imi.text.readers.limits import WHOLE, read_whole
from imi.text.readers.lines import open_bytes
from imi.text.readers.pieces import passage_rows
from imi.text.readers.prose import placed
from imi.text.readers.reasons import reason_of
from imi.text.readers.rows import ReadOptions, Row, refuse_columns
from imi.text.readers.web import html_passages, main_text, page_tree, unplaced

_LINE = 2**20
_QUOTED = re.compile(rb">{1,20}From ")
_SHIFTED = re.compile(rb"\x1b\$[@B]")
_HEADER = 10_000
"""Characters of a header; Python's parser takes gigabytes for one of a million encoded words."""
Items = Iterator[Row | Failure]


class _Policy(EmailPolicy):
    """Headers as Python reads them, and such as programs write that declare no encoding.

    One that is longer than any person writes ends in an ellipsis.
    """

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        if not value.isascii() or "\x1b$" in value:
            value = _decoded(value.encode("ascii", "surrogateescape"), "utf-8")
        return name, value if len(value) <= _HEADER else f"{value[:_HEADER]}…"


_POLICY = _Policy()


def read_mail(source: str, options: ReadOptions) -> Items:
    """Yield the passages of a message; what is attached to it is named, and not read."""
    refuse_columns(source, options, "a mail")
    with open_bytes(source) as file:
        message: Any = email.message_from_bytes(read_whole(file, source), policy=_POLICY)
    for name in _attached(message):
        options.say(source, None, f"what is attached is not read: {name}")
    yield from _message_rows(message, source, options)


def read_mailbox(source: str, options: ReadOptions) -> Items:
    """Yield the passages of all messages of a mailbox; their ids have the number of the message."""
    refuse_columns(source, options, "a mailbox")
    number = attached = 0
    with open_bytes(source) as file:
        for number, raw in enumerate(_messages(file), 1):
            if len(raw) > WHOLE:
                yield Failure(source, None, f"message {number} is larger than {WHOLE:,} bytes and is left out")
                continue
            try:
                message: Any = email.message_from_bytes(raw, policy=_POLICY)
                attached += len(_attached(message))
                for item in _message_rows(message, f"{source}#{number}", options):
                    yield _of_box(item, source, number)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as broken:
                # What a damaged message does to its parser cannot be listed; it must not stop the others.
                yield Failure(source, None, f"message {number} cannot be read: {reason_of(broken)}")
    if attached:
        options.say(source, None, f"what is attached to its messages is not read: {attached:,} files")
    if not number:
        yield Failure(source, None, "the file holds no messages")


def _of_box(item: Row | Failure, source: str, number: int) -> Row | Failure:
    if isinstance(item, Failure):
        return Failure(source, None, f"message {number}: {item.reason}")
    metadata = with_facts(item.document.metadata, {"source": source})
    return replace(item, document=replace(item.document, metadata=metadata))


def _messages(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the messages of a mailbox: each begins with a line From and an address, after an empty line."""
    held: list[bytes] | None = None
    size, empty = 0, True
    while line := file.readline(_LINE):
        if empty and line.startswith(b"From "):
            if held is not None:
                yield b"".join(held)
            held, size = [], 0
        elif held is not None and size <= WHOLE:
            held.append(line[1:] if _QUOTED.match(line) else line)
            size += len(line)
        empty = not line.strip()
    if held is not None:
        yield b"".join(held)


def _attached(message: Any) -> list[str]:
    """Return the names of what is attached to a message."""
    return [
        part.get_filename() or part.get_content_type()
        for part in message.walk()
        if part.is_attachment()
        or part.get_content_maintype() not in ("text", "multipart", "message")
        or (part is not message and part.get_content_type() == "message/rfc822")
    ]


def _message_rows(message: Any, source: str, options: ReadOptions) -> Items:
    known = _headers(message)
    subject = known.get("subject")
    bodies = [(_text(body), body.get_content_subtype() == "html") for body in _bodies(message)]
    text = "\n\n".join(body for body, _ in bodies)
    if any(is_page for _, is_page in bodies):
        text = "<hr>".join(body if is_page else _as_page(body) for body, is_page in bodies)
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


def _bodies(message: Any) -> list[Any]:
    """Return the parts that are a message's text, in order; of what is said in several ways the plain one."""
    if message.get_content_type() == "multipart/mixed" and message.is_multipart():
        # Programs put pictures between texts, and lists their notice below a page.
        return [body for part in message.iter_parts() if not part.is_attachment() for body in _bodies(part)]
    body = message.get_body(preferencelist=("plain", "html"))
    return [] if body is None else [body]


def _as_page(text: str) -> str:
    return f"<p>{html.escape(text)}</p>".replace("\n\n", "</p><p>").replace("\n", "<br>")


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
    """Return the text of a part."""
    return _decoded(part.get_payload(decode=True) or b"", part.get_content_charset() or "utf-8")


def _decoded(raw: bytes, charset: str) -> str:
    """Return bytes as text; where the encoding is unknown or not true, by a guess from them."""
    if (charset == "iso-2022-jp" or _SHIFTED.search(raw)) and (text := _with_signs(raw)) is not None:
        return text
    for name in (charset, "utf-8", guess_encoding(raw)[0]):
        try:
            return str(raw.decode(name))
        except (LookupError, ValueError):
            continue
    return raw.decode("utf-8", "replace")


def _with_signs(raw: bytes) -> str | None:
    """Return ISO-2022-JP with the signs that mail programs add to it, such as ① and ㈱; None where it is broken."""
    try:
        return raw.decode("iso-2022-jp")
    except UnicodeDecodeError:
        # What stands where these signs do in the set that contains the one named.
        added = _SHIFTED.sub(b"\x1b$(Q", raw)
    with contextlib.suppress(UnicodeDecodeError):
        return added.decode("iso2022_jp_2004")
    return None
