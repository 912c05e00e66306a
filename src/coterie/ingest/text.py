"""Text files as UTF-8 pieces that end at line ends, whatever their encoding and compression.

A byte that is no UTF-8 becomes `MARK`, so that the row that holds it can be told from the others.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO, cast

from coterie.core.errors import Invalid

BLOCK = 8 << 20
LONGEST_LINE = 256 << 20
MARK = "\ufdd0"
"""Stands for bytes that are not UTF-8: a code point that Unicode keeps out of texts."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

Report = Callable[[int], None]


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return MARK, error.end


codecs.register_error("coterie.mark", _mark)


def unreadable(name: str, why: str) -> Invalid:
    """Build the error for a file that cannot be read."""
    return Invalid(
        "ingest.unreadable-file",
        f"{name} cannot be read: {why}.",
        hint="Check that the file is whole and is what its name says.",
        where={"file": name},
    )


def head(path: str, name: str) -> bytes:
    """Return the first bytes of a file, decompressed."""
    return next(_blocks(path, name, None, 4096), b"")


def marked(first: bytes) -> str | None:
    """Return the encoding that a byte order mark at the beginning of a text names."""
    return next((codec for mark, codec in _BOMS if first.startswith(mark)), None)


def pieces(path: str, name: str, encoding: str | None = None, report: Report | None = None) -> Iterator[bytes]:
    """Yield the text of a file as UTF-8, in pieces that end at a line end.

    Parameters
    ----------
    path, name : str
        Where the file lies and what errors call it.
    encoding : str, optional
        Its encoding; default what its byte order mark says, else UTF-8.
    report : callable, optional
        Told the number of bytes of the file read so far.

    Raises
    ------
    Invalid
        ``ingest.unreadable-file``; ``ingest.encoding`` when another encoding than UTF-8 does not fit.
    """
    rest = b""
    for block in _decoded(path, name, encoding, report):
        cut = block.rfind(b"\n") + 1
        if cut:
            yield _valid(rest + block[:cut])
            rest = block[cut:]
        elif len(rest) + len(block) > LONGEST_LINE:
            raise unreadable(name, f"it has a line of more than {LONGEST_LINE >> 20} MB")
        else:
            rest += block
    if rest:
        yield _valid(rest + b"\n")


def _valid(piece: bytes) -> bytes:
    if piece.isascii():
        return piece
    try:
        piece.decode()
    except UnicodeDecodeError:
        return piece.decode(errors="coterie.mark").encode()
    return piece


def _decoded(path: str, name: str, encoding: str | None, report: Report | None) -> Iterator[bytes]:
    blocks = _blocks(path, name, report, BLOCK)
    first = next(blocks, b"")
    bom = next(((mark, codec) for mark, codec in _BOMS if first.startswith(mark)), None)
    try:
        codec = codecs.lookup(encoding or (bom[1] if bom else "utf-8"))
    except LookupError as error:
        raise Invalid(
            "ingest.encoding",
            f"there is no encoding {encoding!r}.",
            hint="Use a name such as utf-8, latin-1, cp1252 or utf-16.",
        ) from error
    if codec.name in ("utf-8", "utf-8-sig"):
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from blocks
        return
    decoder = codec.incrementaldecoder()
    lines = 1
    try:
        for block in chain((first,), blocks):
            text = decoder.decode(block)
            yield text.encode()
            lines += text.count("\n")
        yield decoder.decode(b"", True).encode()
    except UnicodeError as error:
        if isinstance(error, UnicodeDecodeError):
            lines += error.object[: error.start].count(b"\n")
        raise Invalid(
            "ingest.encoding",
            f"{name}, line {lines}: not {codec.name}.",
            hint="Name the file's real encoding.",
            where={"file": name, "line": lines},
        ) from error


def _blocks(path: str, name: str, report: Report | None, size: int) -> Iterator[bytes]:
    try:
        with open(path, "rb") as raw:  # noqa: PTH123 (a plain path of a source)
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw
            while block := stream.read(size):
                if report is not None:
                    report(raw.tell())
                yield block
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or str(error).split("\n")[0].rstrip(".")
        raise unreadable(name, why) from error
