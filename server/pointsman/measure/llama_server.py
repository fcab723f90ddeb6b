"""`python -P -m pointsman.measure.llama_server GGUF`: llama.cpp's own server as it comes, the peer that typing is
measured beside.

Its address and key stand on the first line of stdout; end of file on stdin ends it. Everything is llama.cpp's default
but for the context, one slot, and no log, which would quote prompts.
"""

from __future__ import annotations

import json
import os
import secrets
import sys

_CONTEXT = 4096


def main() -> None:
    import xllamacpp

    key = secrets.token_hex(16)
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.port = 0
    params.api_keys = [key]
    params.n_parallel = 1
    params.n_ctx = _CONTEXT
    params.offline = True
    params.verbosity = -1
    server = xllamacpp.Server(params)
    sys.stdout.write(json.dumps({"url": server.listening_address, "key": key}) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
