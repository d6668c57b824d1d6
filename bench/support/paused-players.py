"""Thousands of players that ask for a file, read its beginning, and then nothing until they are told to.

See paused-players.ts.

    python3 paused-players.py PORT PATH

Reads commands, a line each, and answers each with a line of JSON; ends when there are no more.

    start N     connects N more players           {"started": N}
    read BYTES  each player reads so many more    {"whole": N, "dropped": N, "stuck": N}

In Python, because Node.js can't bound what the kernel buffers for a socket: with the loopback's packets of 64 KiB, ten
thousand players would have more memory of the kernel (net.ipv4.tcp_mem) than there is for all connections of the
machine.
"""

import json
import resource
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

# Bytes of a player's buffer in the kernel, and of the packets that it takes, as over Ethernet.
BUFFER = 8 * 1024
PACKET = 1460
# Players that read on at once.
AT_ONCE = 32
# Seconds that one player waits for bytes, and that all of them together may take to read on.
PATIENCE = 10
PATIENCE_OF_ALL = 180


def start(port, path):
    player = socket.socket()
    player.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    player.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, PACKET)
    player.settimeout(PATIENCE)
    player.connect(("127.0.0.1", port))
    player.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = player.recv(1024)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"expected an answer with status 200, found {head[:60]}")
    return player


def read(player, wanted, deadline):
    """How it went: 'whole', 'dropped' by the server, or 'stuck'."""
    try:
        while wanted > 0 and time.monotonic() < deadline:
            got = len(player.recv(min(wanted, 256 * 1024)))
            if got == 0:
                return "dropped"
            wanted -= got
        return "stuck" if wanted > 0 else "whole"
    except TimeoutError:
        return "stuck"
    except OSError:
        return "dropped"


def main(port, path):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    players = []
    for line in sys.stdin:
        verb, number = line.split()
        if verb == "start":
            players += [start(port, path) for _ in range(int(number))]
            answer = {"started": int(number)}
        else:
            deadline = time.monotonic() + PATIENCE_OF_ALL
            with ThreadPoolExecutor(AT_ONCE) as pool:
                found = Counter(pool.map(lambda player: read(player, int(number), deadline), players))
            answer = {how: found[how] for how in ("whole", "dropped", "stuck")}
        print(json.dumps(answer), flush=True)


main(int(sys.argv[1]), sys.argv[2])
