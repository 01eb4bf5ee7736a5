"""`imi.ask` and `Collection.ask`: the shortest way to an answer."""

from __future__ import annotations

from collections.abc import Sequence

from imi.collection import Collection
from imi.llm import LanguageModel, load_llm
from imi.rag.answer import answer
from imi.rag.retrieve import Retrieval
from imi.records import Answer


def ask(
    collections: Collection | Sequence[Collection],
    question: str,
    llm: LanguageModel | str | None = None,
    k: int = 5,
    always: bool = False,
) -> Answer:
    """Answer a question from a collection, or from several, with citations.

    Args:
        collections: what may be read; of several, each passage says in `collection` where it was found.
        question: in any language.
        llm: a language model, or its name as `--llm` takes it; None quotes the best sentences instead.
        k: how many passages are read.
        always: answer also where nothing that was found is likely to.

    Returns:
        The answer: `.text`, None where there is none, `.citations`, `.reason`.

    Raises:
        UsageError: the question is empty, or no collection is given.
        EndpointError: the language model failed.
    """
    model = load_llm(llm) if isinstance(llm, str) else llm
    return answer(collections, question, llm=model, finding=Retrieval(k), always=always)
