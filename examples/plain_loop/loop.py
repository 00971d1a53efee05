"""loop.py COMMAND...

A coverage-guided fuzzer: sends messages to the standard input of COMMAND, keeps those that reach
what none before did, and changes these further, until COMMAND replies that it failed.
"""

import fcntl
import itertools
import mmap
import os
import random
import subprocess
import sys

KCOV_INIT_TRACE = 0x80086301
KCOV_ENABLE = 0x6364
KCOV_TRACE_PC = 0
COVER_SIZE = 64 << 10
LENGTH = 8
FAILED = 255


def open_kcov():
    fd = os.open(os.environ.get("KCOV", "/sys/kernel/debug/kcov"), os.O_RDWR)
    fcntl.ioctl(fd, KCOV_INIT_TRACE, COVER_SIZE)
    cover = memoryview(mmap.mmap(fd, COVER_SIZE * 8)).cast("Q")
    fcntl.ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC)
    return cover


def main():
    random.seed(1)
    pipe = subprocess.PIPE
    target = subprocess.Popen(sys.argv[1:], stdin=pipe, stdout=pipe, bufsize=0)

    def request(message):
        target.stdin.write(message)
        return target.stdout.read(1)[0]

    corpus = [bytes(LENGTH)]
    request(corpus[0])
    seen = set()
    cover = open_kcov()
    for executions in itertools.count(1):
        message = bytearray(random.choice(corpus))
        message[random.randrange(LENGTH)] = random.randrange(256)
        cover[0] = 0
        if request(message) == FAILED:
            print(f"It fails on message {executions}: {message.hex(' ')}")
            target.kill()
            return
        pcs = set(cover[1 : 1 + cover[0]])
        if not pcs <= seen:
            seen |= pcs
            corpus.append(message)


main()
