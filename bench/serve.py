"""How fast `pointsman serve` answers `initialize`, and how much memory a window takes. Run: python bench/serve.py"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

import psutil

ROUNDS = 15


def frame(message: dict[str, object]) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def one() -> tuple[float, float]:
    """Milliseconds from starting the process to the answer, and its resident megabytes then."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "pointsman", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(
            frame({"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}})
        )
        process.stdin.flush()
        process.stdout.readline()
        taken = (time.perf_counter() - begun) * 1000
        resident = psutil.Process(process.pid).memory_info().rss / 2**20
        process.kill()
    return taken, resident


def main() -> None:
    one()
    taken, resident = zip(*(one() for _ in range(ROUNDS)), strict=True)
    quantiles = statistics.quantiles(taken, n=20)
    print(
        f"initialize: median {statistics.median(taken):.0f} ms, p95 {quantiles[-1]:.0f} ms, worst {max(taken):.0f} ms"
    )
    print(f"resident:   median {statistics.median(resident):.0f} MB")
    print(
        f"load average {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores, {ROUNDS} rounds after one to warm up"
    )


if __name__ == "__main__":
    main()
