"""Text in any encoding becomes a stream of UTF-8 bytes."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import IO

from shoal.errors import SourceError, did_you_mean, nearest

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What exports of shops, tills and spreadsheets are written in where it isn't Unicode; more candidates guess worse.
_CANDIDATES = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp850", "mac_roman", "koi8_r",
    "cp932", "gb18030", "big5", "euc_kr", "euc_jp",
)  # fmt: skip
_KNOWN = ("utf-8", "utf-16", "latin-1", "iso-8859-15", "ascii", *_CANDIDATES)


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding and what is unclear about it. ``codec`` is Python's name."""

    codec: str
    warning: str | None = None


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Stand-in for bytes that can't be decoded: a lone surrogate, which later fails as UTF-8 in its own row."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error("shoal-mark", _mark)


class Utf8Stream:
    """The bytes of a text file as UTF-8, without a byte order mark.

    What can't be decoded comes as invalid UTF-8, so that it is found in its row.

    Args:
        raw: the bytes as they stand.
        codec: their encoding.
        carriage_returns: whether lines end in a bare CR, which becomes LF.
    """

    def __init__(self, raw: IO[bytes], codec: str, *, carriage_returns: bool = False) -> None:
        self._raw = raw
        self._begun = False
        self._carriage_returns = carriage_returns
        self._decoder = None if is_utf8(codec) else codecs.getincrementaldecoder(codec)(errors="shoal-mark")

    def read(self, size: int) -> bytes:
        """About ``size`` bytes; empty at the end only."""
        while True:
            chunk = self._raw.read(size)
            text = self._as_utf8(chunk)
            if text or not chunk:
                return text.replace(b"\r", b"\n") if self._carriage_returns else text

    def _as_utf8(self, chunk: bytes) -> bytes:
        if self._decoder is not None:
            chunk = self._decoder.decode(chunk, final=not chunk).encode("utf-8", "surrogatepass")
        if not self._begun and chunk:
            self._begun = True
            return chunk.removeprefix(codecs.BOM_UTF8)
        return chunk


def is_utf8(codec: str) -> bool:
    """Whether the bytes are UTF-8 already (ASCII is)."""
    return codecs.lookup(codec).name in ("utf-8", "utf-8-sig", "ascii")


def is_encoding(codec: str) -> bool:
    """Whether there is an encoding of this name."""
    try:
        codecs.lookup(codec)
    except (LookupError, ValueError):
        return False
    return True


def near_encoding(codec: str) -> str:
    """What may have been meant by the name of an encoding that there isn't."""
    return did_you_mean(nearest(codec, _KNOWN)) or "Use utf-8."


def declared(codec: str, sample: bytes, place: str) -> Encoding:
    """Check a declared encoding against a sample of the file.

    Raises:
        SourceError: there is no such encoding, or it can't be the one of this file.
    """
    if not is_encoding(codec):
        raise SourceError(f"There is no encoding {codec!r}.", place=place, fix=near_encoding(codec))
    bad = _bad_lines(sample, codec)
    if bad and len(bad) * 10 > sample.count(b"\n") + 1:
        found = detect(sample).codec
        raise SourceError(
            f"This is not {codec}: {len(bad)} of the first {sample.count(bytes([10])) + 1} lines can't be decoded.",
            place=f"{place}:{bad[0]}",
            fix=f"Write encoding: {found}" if found != codec else "Write the encoding that it was exported in.",
        )
    if not is_utf8(codec) and not sample.isascii() and _is_valid_utf8(sample) and b"\0" not in sample:
        return Encoding(
            codec, f"The format says {codec}, but the file looks like UTF-8; see that names with accents are right."
        )
    return Encoding(codec)


def detect(*samples: bytes) -> Encoding:
    """Tell the encoding from samples of the file, the first from its beginning."""
    head = samples[0]
    for bom, codec in _BOMS:
        if head.startswith(bom):
            return Encoding(codec)
    if head.count(b"\0") * 4 > len(head):
        return Encoding("utf-16-le" if head[1::2].count(b"\0") >= head[::2].count(b"\0") else "utf-16-be")
    if all(_is_valid_utf8(sample) for sample in samples) or _mostly_utf8(b"\n".join(samples)):
        return Encoding("utf-8")
    return _guessed(b"\n".join(samples))


def _guessed(sample: bytes) -> Encoding:
    from charset_normalizer import from_bytes

    # Only lines with something to tell by: the others make every guess look good.
    telling = b"\n".join(line for line in sample.split(b"\n") if not line.isascii())[:100_000]
    western = "latin-1" if _bad_lines(telling, "cp1252") else "cp1252"
    best = from_bytes(telling, cp_isolation=list(_CANDIDATES)).best()
    # A few accents among plain letters are Western unless the words of a language speak against it.
    accents = sum(byte >= 0x80 for byte in telling) / max(1, sum(chr(byte).isalpha() for byte in telling))
    unclear = best is None or (best.coherence == 0 and accents < 0.35) or "cp1252" in best.could_be_from_charset
    word = codecs.lookup(western if unclear or best is None else best.encoding).name
    return Encoding(
        word,
        f"The file is not UTF-8; it was read as {word}. If names with accents look wrong, say encoding: in its format.",
    )


def _is_valid_utf8(sample: bytes) -> bool:
    """Whether a piece of a file, cut anywhere, is UTF-8."""
    for begin in range(min(4, len(sample) + 1)):
        try:
            codecs.getincrementaldecoder("utf-8")().decode(sample[begin:], final=False)
        except UnicodeDecodeError:
            if begin == 0 and sample[:1] < b"\x80":
                return False
            continue
        return True
    return False


def _mostly_utf8(sample: bytes) -> bool:
    """Whether nine in ten of the lines that could tell are UTF-8; then the others are bad rows."""
    telling = [line for line in sample.split(b"\n") if not line.isascii()]
    return sum(_is_valid_utf8(line) for line in telling) >= max(0.9 * len(telling), 3)


def _bad_lines(sample: bytes, codec: str) -> list[int]:
    """The lines (from 1) that can't be decoded; the last one may be cut and isn't judged."""
    decoder = codecs.getincrementaldecoder(codec)(errors="shoal-mark")
    lines = decoder.decode(sample, final=False).split("\n")
    return [number for number, line in enumerate(lines, start=1) if "\udcff" in line]
