"""A second reading of the signing document, in plain code, sharing nothing.

It computes the digest of a signed or unsigned PowerShell text as the document says:
the UTF-16LE form of everything before the CRLF and the block's first line.
"""

import hashlib


def characters(data):
    """Yield the UTF-16 code units of a file, its byte order mark included."""
    if data[:2] == b"\xff\xfe":
        for index in range(0, len(data), 2):
            yield data[index] | data[index + 1] << 8
    elif data[:2] == b"\xfe\xff":
        for index in range(0, len(data), 2):
            yield data[index] << 8 | data[index + 1]
    else:
        index = 0
        while index < len(data):
            first = data[index]
            if first < 0x80:
                length, code = 1, first
            elif first < 0xE0:
                length, code = 2, first & 0x1F
            elif first < 0xF0:
                length, code = 3, first & 0x0F
            else:
                length, code = 4, first & 0x07
            for byte in data[index + 1 : index + length]:
                code = code << 6 | byte & 0x3F
            index += length
            if code < 0x10000:
                yield code
            else:
                code -= 0x10000
                yield 0xD800 | code >> 10
                yield 0xDC00 | code & 0x3FF


def digest(data, algorithm="sha256", opening="# ", closing=""):
    units = list(characters(data))
    header = [
        ord(each) for each in f"\r\n{opening}SIG # Begin signature block{closing}"
    ]
    for index in range(len(units) - len(header) + 1):
        if units[index : index + len(header)] == header:
            units = units[:index]
            break
    state = hashlib.new(algorithm)
    for unit in units:
        state.update(bytes([unit & 0xFF, unit >> 8]))
    return state.digest()
