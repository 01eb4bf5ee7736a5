"""PostgresTable: what a collection is on PostgreSQL, and its rows: written by COPY, a batch a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from imi.backends.address import Address
from imi.backends.engine import EngineRow, Size, StoredRow
from imi.backends.filter_tree import Filter
from imi.backends.postgres.connection import Connections
from imi.backends.postgres.filters import Condition, compile_filter, with_texts
from imi.backends.postgres.ladder import Column
from imi.backends.postgres.rows import check_storable, decode_vector, encode_rows
from imi.backends.postgres.schema import COPIED, FORMAT, check_format, check_name, make_shared, make_table
from imi.collection.description import Bound
from imi.errors import CollectionError
from imi.records import Document
from imi.types import Floats

_PLACED = 'text, metadata, parent, start, "end"'


@dataclass(frozen=True, slots=True)
class _About:
    """What the server has recorded of the collection."""

    bound: Bound
    column: Column
    ladder: str | None


class PostgresTable:
    """One collection's rows on a PostgreSQL server."""

    name = "postgresql"

    def __init__(self, address: Address) -> None:
        """Connect.

        Raises:
            EndpointError: the server cannot be reached. UsageError: an option or the name cannot be.
            TooNew: a newer imi made the collection.
        """
        check_name(address.name)
        self.label = address.shown
        self._name = address.name
        self._dtype = {"float16": "halfvec", "float32": "vector"}[address.choice("dtype", ("float16", "float32"))]
        self._partitions = address.number("partitions", 0)
        self._server = Connections(address)
        self._table = sql.Identifier(f"imi_{address.name}")
        self._about: _About | None = None
        self._read_about()

    def close(self) -> None:
        """Close all connections."""
        self._server.close()

    # --- what the collection is ---

    def _read_about(self) -> _About | None:
        def work(connection: Any) -> Any:
            if connection.execute("SELECT to_regclass('imi_collections')").fetchone()[0] is None:
                return None
            query = "SELECT format, model, width, dtype, ladder FROM imi_collections WHERE name = %s"
            return connection.execute(query, (self._name,)).fetchone()

        found = self._server.run(work)
        if found is not None:
            check_format(found[0], self.label)
            self._about = _About(Bound.from_json(found[1]), Column(found[2], found[3]), found[4])
        return self._about

    def _known(self) -> _About:
        about = self._about or self._read_about()
        if about is None:
            raise CollectionError(f"{self.label} has no rows yet", hint=f"imi add {self.label} FILE")
        return about

    def bound(self) -> Bound | None:
        """Return the model that the vectors here are of, None before the first row."""
        about = self._about or self._read_about()
        return None if about is None else about.bound

    def prepare(self, bound: Bound) -> Bound:
        """Make the tables that are missing; return the model that holds, which another writer may have set."""
        if self._about is None:

            def work(connection: Any) -> None:
                make_shared(connection)
                query = "SELECT 1 FROM imi_collections WHERE name = %s"
                if connection.execute(query, (self._name,)).fetchone() is None:
                    column = Column(bound.width, self._dtype)
                    make_table(connection, self._table, self._name, column, self._partitions)
                    connection.execute(
                        "INSERT INTO imi_collections (name, format, model, width, dtype) VALUES (%s, %s, %s, %s, %s)",
                        (self._name, FORMAT, bound.to_json(), bound.width, self._dtype),
                    )

            self._server.run(work, write=True)
            self._read_about()
        return self._known().bound

    def fields(self) -> list[str]:
        """Return every metadata key that any row ever had, sorted."""
        if self.bound() is None:
            return []
        query = 'SELECT name FROM imi_fields WHERE collection = %s ORDER BY name COLLATE "C"'
        return self._server.run(lambda c: [name for (name,) in c.execute(query, (self._name,))])

    def size(self) -> Size:
        """Return the bytes of the table with its texts, and of its indexes."""
        if self.bound() is None:
            return Size(0, 0, {"engine": self.name})
        query = (
            "SELECT coalesce(sum(pg_table_size(relid)), 0)::bigint, coalesce(sum(pg_indexes_size(relid)), 0)::bigint "
            "FROM pg_partition_tree(%s::regclass)"
        )
        one = "SELECT pg_table_size(%s::regclass), pg_indexes_size(%s::regclass)"
        quoted = self._table.as_string(None)

        def work(connection: Any) -> Any:
            found = connection.execute(query, (quoted,)).fetchone()
            return found if found[0] else connection.execute(one, (quoted, quoted)).fetchone()

        rows, index = self._server.run(work)
        about = self._known()
        dtype = "float16" if about.column.dtype == "halfvec" else "float32"
        return Size(rows, index, {"engine": self.name, "ladder": about.ladder or "exact", "dtype": dtype})

    # --- rows ---

    def kept(self, ids: Sequence[str]) -> dict[str, StoredRow]:
        """Return the rows with these ids; absent ids are left out."""
        found = self._select(f"id, {_PLACED}, digest", ids)
        return {values[0]: StoredRow(_document(values), values[6]) for values in found}

    def fetch(self, ids: Sequence[str]) -> dict[str, tuple[Document, Floats | None]]:
        """Return the rows with these ids and their vectors."""
        found = self._select(f"id, {_PLACED}, {self._sent()}", ids)
        return {values[0]: (_document(values), self._vector(values[6])) for values in found}

    def _select(self, columns: str, ids: Sequence[str]) -> list[Any]:
        asked = [one for one in ids if _possible(one)]
        if not asked or self.bound() is None:
            return []
        query = sql.SQL("SELECT {columns} FROM {table} WHERE id = ANY(%s)").format(
            columns=sql.SQL(columns), table=self._table
        )
        return self._server.run(lambda c: c.execute(query, (asked,)).fetchall())

    def _sent(self) -> str:
        return "NULL" if self.bound() is None else f"{self._known().column.dtype}_send(vector)"

    def _vector(self, sent: bytes | None) -> Floats | None:
        return None if sent is None else decode_vector(sent, self._known().column.dtype)

    def write(self, new: Sequence[EngineRow], changed: Sequence[EngineRow]) -> None:
        """Write rows in one transaction: those of these ids are deleted, the new ones come by COPY."""
        for row in (*new, *changed):
            check_storable(row)
        copied = encode_rows(new, self._known().column.dtype)
        update = sql.SQL('UPDATE {table} SET metadata = %s, parent = %s, start = %s, "end" = %s WHERE id = %s').format(
            table=self._table
        )
        names = sorted({name for row in (*new, *changed) for name in row.document.metadata})

        def work(connection: Any) -> None:
            # In the order of ids, so that two writers never wait for each other crosswise.
            gone = self._delete(connection, sorted(row.document.id for row in new))
            with connection.cursor() as cursor, cursor.copy(COPIED.format(table=self._table)) as copy:
                copy.write(copied)
            connection.cursor().executemany(
                update,
                [(one.metadata, one.document.parent, one.document.start, one.document.end, one.document.id) for one in
                 sorted(changed, key=lambda one: one.document.id)],
            )  # fmt: skip
            fields = "INSERT INTO imi_fields SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING"
            connection.execute(fields, (self._name, names))
            lengths = "SELECT count(*), count(length), coalesce(sum(length), 0) FROM {table} WHERE id = ANY(%s)"
            ids = [row.document.id for row in new]
            came = connection.execute(sql.SQL(lengths).format(table=self._table), (ids,)).fetchone()
            self._tally(connection, [after - before for after, before in zip(came, gone, strict=True)])

        self._server.run(work, write=True)

    def _delete(self, connection: Any, ids: Sequence[str], where: Condition | None = None) -> tuple[int, int, int]:
        """Delete rows; return how many there were, how many had a text, and the tokens of these."""
        passes, values = ("id = ANY(%s)", [list(ids)]) if where is None else where
        query = sql.SQL(
            "WITH held AS (SELECT id FROM {table} WHERE {passes} ORDER BY id FOR UPDATE), "
            "gone AS (DELETE FROM {table} WHERE id IN (SELECT id FROM held) RETURNING length) "
            "SELECT count(*), count(length), coalesce(sum(length), 0) FROM gone"
        ).format(table=self._table, passes=sql.SQL(passes))
        found: tuple[int, int, int] = connection.execute(query, values).fetchone()
        return found

    def _tally(self, connection: Any, differences: Sequence[int]) -> None:
        # Last in its transaction: whoever else writes waits for this one row only while this one commits.
        connection.execute(
            "UPDATE imi_collections SET rows = rows + %s, texts = texts + %s, tokens = tokens + %s WHERE name = %s",
            (*differences, self._name),
        )

    def remove(self, ids: Sequence[str] | None, where: Filter | None) -> int:
        """Delete rows by id or by filter; return how many were there."""
        if self.bound() is None:
            return 0
        condition = None if where is None else self._compiled(where)
        wanted = sorted(filter(_possible, ids or ()))

        def work(connection: Any) -> int:
            gone = self._delete(connection, wanted, condition)
            self._tally(connection, [-number for number in gone])
            return gone[0]

        return self._server.run(work, write=True)

    def _compiled(self, where: Filter) -> Condition:
        return compile_filter(with_texts(where, self._texts_of))

    def _texts_of(self, field: str) -> list[str]:
        query = sql.SQL(
            "SELECT DISTINCT fields ->> %s FROM {table} WHERE jsonb_typeof(fields -> %s) = 'string'"
        ).format(table=self._table)
        return [text for (text,) in self._server.run(lambda c: c.execute(query, (field, field)).fetchall())]

    def count(self, where: Filter | None) -> int:
        """Return how many rows there are, or pass."""
        if self.bound() is None:
            return 0
        if where is None:
            return self._server.run(lambda c: int(c.execute(_ROWS, (self._name,)).fetchone()[0]))
        passes, values = self._compiled(where)
        query = sql.SQL("SELECT count(*) FROM {table} WHERE {passes}").format(table=self._table, passes=sql.SQL(passes))
        return self._server.run(lambda c: int(c.execute(query, values).fetchone()[0]))

    def scroll(
        self, where: Filter | None, *, vectors: bool, size: int = 1000
    ) -> Iterator[list[tuple[Document, Floats | None]]]:
        """Iterate over rows in the order in which they were written."""
        if self.bound() is None:
            return
        passes, values = ("true", []) if where is None else self._compiled(where)
        query = sql.SQL(
            "SELECT id, {placed}, {vector}, row FROM {table} WHERE row > %s AND {passes} ORDER BY row LIMIT %s"
        ).format(
            placed=sql.SQL(_PLACED),
            vector=sql.SQL(self._sent() if vectors else "NULL"),
            table=self._table,
            passes=sql.SQL(passes),
        )
        after = 0
        while True:
            given = (after, *values, size)
            part: list[Any] = self._server.run(lambda c, given=given: c.execute(query, given).fetchall())  # type: ignore[misc]
            if part:
                yield [(_document(values), self._vector(values[6])) for values in part]
            if len(part) < size:
                return
            after = part[-1][7]


_ROWS = "SELECT rows FROM imi_collections WHERE name = %s"


def _document(values: Sequence[Any]) -> Document:
    return Document(values[0], values[1], json.loads(values[2]), values[3], values[4], values[5])


def _possible(id_: str) -> bool:
    """Say whether a row can have this id at all: PostgreSQL holds neither U+0000 nor half a character."""
    return "\0" not in id_ and not any("\ud800" <= letter <= "\udfff" for letter in id_)
