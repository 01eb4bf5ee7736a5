"""What an embeddings request asks for, read from its JSON body and refused in OpenAI's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imi.records import Kind
from imi.server.http.request_body import kind_of
from imi.server.http.responses import ApiError
from imi.server.settings import Limits

_KEYS = frozenset({"model", "input", "encoding_format", "dimensions", "user", "input_type"})
KINDS: dict[str, Kind] = {
    "document": "document",
    "query": "query",
    "search_document": "document",
    "search_query": "query",
    "passage": "document",
}
"""What other embedding services call the two kinds of text, and what they are here."""
_ALLOWED_INPUT = "a string, an array of strings, an array of token ids, or an array of arrays of token ids"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that makes sense: either texts or token ids, one list an input."""

    model: str
    texts: list[str] | None
    tokens: list[list[int]] | None
    base64: bool
    dims: int | None
    kind: Kind


def read_wanted(body: Mapping[str, Any], limits: Limits, engine: str | None = None) -> Wanted:
    """Return what a body asks for.

    Args:
        body: the JSON object.
        limits: how many inputs are allowed.
        engine: the model where the path says it, as in the old engines route.

    Raises:
        ApiError: 400, naming the parameter, the value and what is allowed.
    """
    unknown = next((name for name in body if name not in _KEYS), None)
    if unknown is not None:
        raise ApiError(400, f"Unrecognized request argument supplied: {unknown[:200]}", code="unknown_parameter")
    model = body.get("model") if engine is None else engine
    if model is None:
        raise _missing("model")
    if not isinstance(model, str):
        raise _wrong_type("model", "a string", model)
    user = body.get("user")
    if user is not None and not isinstance(user, str):
        raise _wrong_type("user", "a string", user)
    if body.get("input") is None:
        raise _missing("input")
    texts, tokens = _read_input(body["input"], limits)
    coded, dims = _read_format(body.get("encoding_format")), _read_dims(body.get("dimensions"))
    return Wanted(model, texts, tokens, coded, dims, _read_kind(body.get("input_type")))


def _read_input(value: Any, limits: Limits) -> tuple[list[str] | None, list[list[int]] | None]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise _wrong_type("input", _ALLOWED_INPUT, value)
    if not value:
        raise ApiError(
            400,
            "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param="input",
            code="empty_array",
        )
    if len(value) > limits.inputs:
        raise ApiError(
            400,
            f"Invalid 'input': array too long. Expected an array with maximum length {limits.inputs}, but got an array "
            f"with length {len(value)} instead.",
            param="input",
            code="array_above_max_length",
        )
    first = type(value[0])
    if first is str and all(type(one) is str for one in value):
        if not all(value):
            raise _empty("string", value.index(""), len(value))
        return value, None
    if first is int and all(type(one) is int for one in value):
        return None, [value]
    if first is list and all(type(one) is list and all(type(id_) is int for id_ in one) for one in value):
        if not all(value):
            raise _empty("array", value.index([]), len(value))
        return None, value
    odd = next((one for one in value if type(one) is not first or first not in (str, int)), value[0])
    raise ApiError(
        400,
        f"Invalid type for 'input': expected {_ALLOWED_INPUT}, but got an array with {kind_of(odd)} in it.",
        param="input",
        code="invalid_type",
    )


def _read_format(value: Any) -> bool:
    if value is None or value == "float":
        return False
    if value == "base64":
        return True
    if not isinstance(value, str):
        raise _wrong_type("encoding_format", "'float' or 'base64'", value)
    raise ApiError(
        400,
        f"Invalid value: '{value[:100]}'. Supported values are: 'float' and 'base64'.",
        param="encoding_format",
        code="invalid_value",
    )


def _read_kind(value: Any) -> Kind:
    if value is None:
        return "document"
    if not isinstance(value, str):
        raise _wrong_type("input_type", "a string", value)
    if value not in KINDS:
        raise ApiError(
            400,
            f"Invalid value: '{value[:100]}'. Supported values are: {', '.join(map(repr, KINDS))}.",
            param="input_type",
            code="invalid_value",
        )
    return KINDS[value]


def _read_dims(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int:
        raise _wrong_type("dimensions", "an integer", value)
    if value < 1:
        raise ApiError(
            400,
            f"Invalid 'dimensions': integer below minimum value. Expected a value >= 1, but got {value} instead.",
            param="dimensions",
            code="integer_below_min_value",
        )
    return value


def _missing(name: str) -> ApiError:
    return ApiError(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def _wrong_type(name: str, allowed: str, value: Any) -> ApiError:
    return ApiError(
        400,
        f"Invalid type for '{name}': expected {allowed}, but got {kind_of(value)} instead.",
        param=name,
        code="invalid_type",
    )


def _empty(what: str, at: int, count: int) -> ApiError:
    where = f"input[{at}]" if count > 1 else "input"
    return ApiError(400, f"Invalid 'input': {where} cannot be an empty {what}.", param="input", code=f"empty_{what}")
