"""`python -P -m pointsman.worker.llama PARENT_PID`: llama.cpp's own server on a Unix socket, in a process of its own.

The first line on stdin says what to serve; end of file on stdin ends it. Only this user's processes can reach the
socket, in a folder 0700, and only the parent knows the key. Nothing is logged: llama.cpp's log quotes prompts.
"""

from __future__ import annotations

import os
import queue
import sys

from pointsman.errors import EngineError, PointsmanError
from pointsman.worker import messages as m
from pointsman.worker.lifeline import WRITING, die_with_parent, read_lines, refuse_network, take_pipes
from pointsman_indexer.niceness import give_way

BATCH = 128
"""Prompt tokens that llama.cpp computes at once; the parent sends fewer at a time where that is slow."""


def main() -> None:
    source, sink = take_pipes()
    die_with_parent(int(sys.argv[1]))
    refuse_network()
    os.umask(0o077)
    give_way(WRITING)
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    read_lines(source, inbox.put)
    reply: m.Ready | m.Failed
    server = None
    try:
        message = m.decode_to_child(inbox.get())
        if not isinstance(message, m.Serve):
            raise EngineError("the first message must say what to serve")
        server = _serve(message)
        reply = m.Ready(device="cpu", device_bytes=0)
    except ImportError:
        reply = m.Failed(
            id=0,
            code=EngineError.code,
            message="llama.cpp cannot be loaded on this machine",
            remedy='install the OpenMP runtime (libgomp), or set engine = "torch"',
        )
    except PointsmanError as error:
        reply = m.Failed(id=0, code=error.code, message=error.message, remedy=error.remedy)
    except Exception as error:
        reply = m.Failed(
            id=0, code=EngineError.code, message=f"llama.cpp could not load the model: {type(error).__name__}"
        )
    sink.write(m.encode(reply))
    sink.flush()
    if server is None:
        os._exit(3)
    while True:
        # The reading thread ends the process; messages after the first have no meaning here.
        inbox.get()


def _serve(message: m.Serve) -> object:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = message.model
    params.model_alias = {message.name}
    params.hostnames = [message.socket]
    params.port = 0
    params.api_keys = [message.key]
    params.n_parallel = message.slots
    params.n_ctx = message.context * message.slots
    params.n_batch = params.n_ubatch = BATCH
    params.cache_ram_mib = 0  # the default keeps up to 8 GiB of old prompts
    if message.threads:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = message.threads
    params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
    params.cors_origins = params.cors_methods = params.cors_headers = ""
    params.cors_origins_explicit, params.cors_credentials = True, False
    params.offline = True
    params.verbosity = -1
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
