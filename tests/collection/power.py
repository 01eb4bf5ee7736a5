"""A file layer that loses power: writes since the last sync are dropped, kept, torn or applied in another order."""

from __future__ import annotations

import random

import apsw

from imi.store import database


class PowerCut(Exception):
    """The power went."""


class Supply:
    """Counts what is written and goes out at one point."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.operations = 0
        self.out = False
        self.files: list[LossyFile] = []

    def use(self) -> None:
        """One write or sync: the one after the last does not happen."""
        if self.operations >= self.last:
            self.out = True
        if self.out:
            raise PowerCut
        self.operations += 1

    def settle(self, chance: random.Random) -> None:
        """Leave on disk what a disk may: some of each file's writes since the last sync, in any order, also torn."""
        for file in self.files:
            writes = [one for one in file.pending if chance.random() < 0.5]
            chance.shuffle(writes)
            for kind, offset, data in writes:
                if kind == "truncate":
                    file.base_truncate(offset)
                    continue
                # A disk writes sectors of 512 bytes whole; SQLite's pages are many of them.
                end = len(data) if chance.random() < 0.7 else 512 * chance.randint(0, len(data) // 512)
                if end:
                    file.base_write(data[:end], offset)
            file.pending.clear()


SUPPLY: list[Supply] = []


class LossyFile(apsw.VFSFile):
    """Keeps writes in memory until they are synced."""

    def __init__(self, filename: object, flags: list[int]) -> None:
        super().__init__(database.VFS, filename, flags)
        self.pending: list[tuple[str, int, bytes]] = []
        self.supply = SUPPLY[-1]
        self.supply.files.append(self)

    def base_write(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)

    def base_truncate(self, size: int) -> None:
        super().xTruncate(size)

    def xWrite(self, data: bytes, offset: int) -> None:
        self.supply.use()
        self.pending.append(("write", offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        self.supply.use()
        self.pending.append(("truncate", size, b""))

    def xSync(self, flags: int) -> None:
        self.supply.use()
        for kind, offset, data in self.pending:
            if kind == "write":
                self.base_write(data, offset)
            else:
                self.base_truncate(offset)
        self.pending.clear()
        super().xSync(flags)

    def xFileSize(self) -> int:
        size = super().xFileSize()
        for kind, offset, data in self.pending:
            size = max(size, offset + len(data)) if kind == "write" else min(size, offset)
        return size

    def xRead(self, amount: int, offset: int) -> bytes:
        size = self.xFileSize()
        have = min(amount, max(0, super().xFileSize() - offset))
        content = bytearray(super().xRead(amount, offset)[:have] if have else b"").ljust(amount, b"\0")
        for kind, at, data in self.pending:
            if kind == "truncate":
                content[max(0, min(amount, at - offset)) :] = bytes(amount - max(0, min(amount, at - offset)))
                continue
            begin, end = max(at, offset), min(at + len(data), offset + amount)
            if begin < end:
                content[begin - offset : end - offset] = data[begin - at : end - at]
        return bytes(content[: max(0, min(amount, size - offset))])

    def xClose(self) -> None:
        self.pending.clear()
        super().xClose()


class LossyVFS(apsw.VFS):
    """Registers the layer as `lossy` above the one with the page checksums."""

    def __init__(self) -> None:
        super().__init__("lossy", database.VFS)

    def xOpen(self, name: object, flags: list[int]) -> LossyFile:
        return LossyFile(name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        SUPPLY[-1].use()
        super().xDelete(filename, syncdir)
