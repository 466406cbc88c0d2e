"""Lines of JSON, each with a check: the CRC-32 of the line without it, as its last field."""

import re
import zlib

FIELD = "check"
"""Name of the field."""

_CHECK = re.compile(rb',"check":"([0-9a-f]{8})"\}\n?\Z')


def checked(text: bytes) -> bytes:
    """A line that ends with its check.

    Args:
        text: A JSON object with at least one field, without a line break.
    """
    return text[:-1] + b',"check":"%08x"}\n' % zlib.crc32(text)


def unchecked(line: bytes) -> bytes:
    """The line without its check, if it has one that fits; else the line as it is."""
    if found := _CHECK.search(line):
        text = line[: found.start()] + b"}"
        if b"%08x" % zlib.crc32(text) == found[1]:
            return text
    return line


def whole(content: bytes) -> bytes:
    """Whole lines of a file; the last is one, too, if only its line break is lost or damaged."""
    end = content.rfind(b"\n") + 1
    tail = content[end:]
    for line in (tail + b"\n", tail[:-1] + b"\n"):
        if unchecked(line) != line:
            return content[:end] + line
    return content[:end]
