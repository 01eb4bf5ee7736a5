"""The tables of a collection's SQLite file, as an append-only list of numbered migrations.

Frozen in the first format, because they cannot be changed later without pain:

- pages of 16 KiB: a vector of 512 float32 dimensions is 2 KiB and would fill pages of 4 KiB only to half;
- eight bytes at the end of every page hold its checksum (SQLite's `cksumvfs`), and every row carries another
  one, bound to its row number: a page checksum finds flipped bits anywhere, also in the full-text index; a row's
  finds a row in the wrong place;
- a row number is never used twice (AUTOINCREMENT): an index may keep the number of a deleted row: it can miss a
  row, but never take one for another;
- an update of a text or vector is a delete and an insert, so that vectors never change under an index, but for a
  migration to another model, which counts up `epoch`;
- texts without vectors and vectors without texts are both rows; a chunk points to its parent with offsets in
  characters.
"""

from __future__ import annotations

APPLICATION_ID = 0x696D6931  # "imi1"
PAGE_SIZE = 16384

MIGRATIONS: tuple[str, ...] = (
    # 1: the first format
    """
    CREATE TABLE meta (
        key   TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE documents (
        row      INTEGER PRIMARY KEY AUTOINCREMENT,
        id       TEXT NOT NULL UNIQUE,
        text     TEXT,
        metadata TEXT NOT NULL,
        parent   TEXT,
        start    INTEGER,
        "end"    INTEGER,
        checksum INTEGER NOT NULL,
        source   TEXT GENERATED ALWAYS AS (json_extract(metadata, '$.source')) VIRTUAL
    );
    CREATE INDEX documents_parent ON documents (parent) WHERE parent IS NOT NULL;
    CREATE INDEX documents_source ON documents (source) WHERE source IS NOT NULL;

    CREATE TABLE vectors (
        row      INTEGER PRIMARY KEY,
        vector   BLOB NOT NULL,
        checksum INTEGER NOT NULL
    );

    -- Vectors of the model that the collection is migrating to; the switch renames this table.
    CREATE TABLE next_vectors (
        row      INTEGER PRIMARY KEY,
        vector   BLOB NOT NULL,
        checksum INTEGER NOT NULL
    );

    CREATE TABLE parents (
        id       TEXT NOT NULL UNIQUE,
        text     TEXT NOT NULL,
        metadata TEXT NOT NULL,
        checksum INTEGER NOT NULL
    );

    CREATE TABLE sources (
        source TEXT PRIMARY KEY,
        digest TEXT NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE deletions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        row INTEGER NOT NULL
    );

    CREATE TABLE fields (
        name TEXT PRIMARY KEY
    ) WITHOUT ROWID;

    CREATE VIRTUAL TABLE fulltext USING fts5(
        tokens, content='', contentless_delete=1, tokenize="ascii tokenchars '+#'"
    );

    INSERT INTO meta (key, value)
    VALUES ('changes', '0'), ('count', '0'), ('vectors', '0'), ('dtype', 'float32'), ('epoch', '0'),
           ('identity', lower(hex(randomblob(16))));
    """,
    # 2: pictures beside rows; the trigger keeps whoever deletes rows from having to know of them
    """
    CREATE TABLE pictures (
        row       INTEGER PRIMARY KEY,
        digest    TEXT NOT NULL,
        thumbnail BLOB NOT NULL,
        checksum  INTEGER NOT NULL
    );

    CREATE TRIGGER documents_pictures AFTER DELETE ON documents BEGIN
        DELETE FROM pictures WHERE row = old.row;
    END;
    """,
    # 3: the file that a row came from is imi's own fact, whatever the user's column `source` says
    """
    CREATE INDEX documents_origin ON documents (json_extract(metadata, '$.imi.source'))
    WHERE json_extract(metadata, '$.imi.source') IS NOT NULL;
    """,
    # 4: second vectors, by a finer model, of the rows that it has read; `deep_count` in meta counts them
    """
    CREATE TABLE deep_vectors (
        row      INTEGER PRIMARY KEY,
        vector   BLOB NOT NULL,
        checksum INTEGER NOT NULL
    );

    CREATE TRIGGER documents_deep AFTER DELETE ON documents
    WHEN EXISTS (SELECT 1 FROM deep_vectors WHERE row = old.row) BEGIN
        DELETE FROM deep_vectors WHERE row = old.row;
        UPDATE meta SET value = CAST(value AS INTEGER) - 1 WHERE key = 'deep_count';
    END;
    """,
)

FORMAT = len(MIGRATIONS)
