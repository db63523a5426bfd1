"""A host that misbehaves as its first argument says; talks the out-of-process protocol.

Run as a program. It is written without psexport and psrpcore, from MS-PSRP, so that
it does not share their mistakes.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import struct
import subprocess
import sys
import time
import uuid

PACKET = re.compile(rb"<(\w+) .*?PSGuid='([^']*)'.*?>(?:(.*)</Data>)?")
POOL = uuid.UUID(int=0)
CAPABILITY, PRIVATE_DATA, POOL_STATE = 0x00010002, 0x00021009, 0x00021005
OUTPUT, STATE, HOST_CALL = 0x00041004, 0x00041006, 0x00041100
CAPABLE = (
    '<Obj RefId="0"><MS><Version N="protocolversion">2.3</Version>'
    '<Version N="PSVersion">2.0</Version>'
    '<Version N="SerializationVersion">1.1.0.1</Version></MS></Obj>'
)
PRIVATE = '<Obj RefId="0"><MS><S N="ApplicationPrivateData">fake</S></MS></Obj>'
ASK = (
    '<Obj RefId="0"><MS><I64 N="ci">1</I64><Obj N="mi" RefId="1"><ToString>ReadLine'
    '</ToString><I32>11</I32></Obj><Obj N="mp" RefId="2"><LST /></Obj></MS></Obj>'
)

objects = 0


def out(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def ack(kind: bytes, target: bytes) -> None:
    out(b"<%s PSGuid='%s' />\n" % (kind, target))


def fragments(type: int, target: uuid.UUID, text: str, size: int = 30000) -> bytes:
    global objects
    objects += 1
    message = (
        struct.pack("<iI", 1, type) + POOL.bytes_le + target.bytes_le + text.encode()
    )
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(
        struct.pack(
            ">QQBI", objects, n, (n == 0) | (n == len(pieces) - 1) << 1, len(piece)
        )
        + piece
        for n, piece in enumerate(pieces)
    )


def say(type: int, target: uuid.UUID, text: str, size: int = 30000) -> None:
    data = base64.b64encode(fragments(type, target, text, size))
    out(
        b"<Data Stream='Default' PSGuid='%s'>%s</Data>\n" % (str(target).encode(), data)
    )


def number(name: str, value: int) -> str:
    return f'<Obj RefId="0"><MS><I32 N="{name}">{value}</I32></MS></Obj>'


def open_pool() -> None:
    say(CAPABILITY, POOL, CAPABLE)
    say(PRIVATE_DATA, POOL, PRIVATE)
    say(POOL_STATE, POOL, number("RunspaceState", 2))


def end(target: uuid.UUID, state: int = 4) -> None:
    say(STATE, target, number("PipelineState", state))


def answer(mode: str, target: uuid.UUID, asked: bytes) -> None:
    """React to the first data of a pipeline."""
    if mode == "die":
        print("out of luck", file=sys.stderr, flush=True)
        os._exit(3)
    if mode == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "silent":
        return
    if mode == "fatal":
        print(
            "Remote transport error: it broke\n  at line 2", file=sys.stderr, flush=True
        )
        return
    if mode == "rubbish":
        out(b"Hello, I am a program.\n")
        return
    if mode == "cut":
        out(b"<Data Stream='Default' PSGuid='%s'>AAAA" % str(target).encode())
        os._exit(0)
    if mode == "huge":
        piece = struct.pack(">QQBI", 1, 0, 1, 0x7FFFFFFF)
        data = base64.b64encode(piece)
        out(b"<Data PSGuid='%s'>%s</Data>\n" % (str(target).encode(), data))
        return
    if mode == "close":
        os.close(1)
        time.sleep(60)
    if mode == "prompt":
        say(HOST_CALL, target, ASK)
        return
    if mode == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        say(OUTPUT, target, f"<I32>{child.pid}</I32>")
    if mode == "flood" and b"flood" in asked:
        text = "<S>" + "x" * 1_000_000 + "</S>"
        for _ in range(int(sys.argv[2])):
            say(OUTPUT, target, text)
    say(OUTPUT, target, "<S>hello</S>")
    if mode == "slow":
        for n in range(6):
            time.sleep(0.1)
            say(OUTPUT, target, f"<I32>{n}</I32>")
    end(target)


def main() -> None:
    mode = sys.argv[1]
    if mode == "immediate":
        print("cannot go on", file=sys.stderr)
        sys.exit(7)
    if mode == "mute":
        time.sleep(60)
    if mode == "noise":
        while True:
            out(b"noise " * 1000 + b"\n")
    if mode == "refuse":
        print("Remote transport error: no such file", file=sys.stderr, flush=True)
        time.sleep(60)
    if mode == "banner":
        out(b"Welcome <b>to</b> the machine\nLast login: today\nno newline:")
    stubborn = mode == "stubborn"
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    known: set[bytes] = set()
    for line in sys.stdin.buffer:
        match = PACKET.match(line)
        assert match is not None, line
        kind, guid, data = match.groups()
        target = uuid.UUID(guid.decode())
        if kind == b"Data":
            ack(b"DataAck", guid)
            if target == POOL:
                open_pool()
            elif guid not in known:
                known.add(guid)
                answer(mode, target, base64.b64decode(data))
            elif mode == "prompt":
                refused = b"cannot be asked" in base64.b64decode(data)
                say(OUTPUT, target, f"<B>{str(refused).lower()}</B>")
                end(target)
        else:
            if not (kind == b"Signal" and mode == "silent"):
                ack(kind + b"Ack", guid)
            if kind == b"Signal" and mode not in ("silent", "stubborn"):
                end(target, 3)
            if kind == b"Close" and target == POOL and not stubborn:
                return
    while stubborn:
        time.sleep(60)


if __name__ == "__main__":
    main()
