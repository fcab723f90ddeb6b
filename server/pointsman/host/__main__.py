"""The host's process: takes the single-host lock, serves, and leaves when nobody has needed it for a while."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time

from pointsman.build import build_host
from pointsman.errors import PointsmanError
from pointsman.host.server import HostServer
from pointsman.host.usersocket import SingleHost
from pointsman.observe.logs import log_to_file
from pointsman.settings import Paths, Settings
from pointsman_indexer.niceness import give_way

_NICENESS = 5
"""The editor's own processes go first."""


async def _serve(paths: Paths, settings: Settings) -> None:
    server: HostServer | None = None

    def stop() -> None:
        if server is not None:
            server.stop()

    service = build_host(paths, on_shutdown=stop)
    server = HostServer(service, paths, idle_seconds=settings.idle_minutes * 60, activity=service.activity)
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop)
    try:
        await server.run()
    finally:
        await service.close()


def _become_host(lock: SingleHost) -> bool:
    """A client that probes the lock holds it for a moment, so one refusal is not yet another host."""
    for _ in range(10):
        if lock.acquire():
            return True
        time.sleep(0.05)
    return False


def main() -> int:
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # nor may a model's process, which inherits it, be dumped
    give_way(_NICENESS)
    try:
        paths = Paths.resolve().ensure()
        # What Python itself says of a crash goes to the same file, by the standard error that the client gave us.
        log_to_file(paths.logs / "host.log")
        lock = SingleHost(paths)
        if not _become_host(lock):
            return 0
        asyncio.run(_serve(paths, Settings.load(paths)))
    except PointsmanError as error:
        sys.stderr.write(f"pointsman host: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
