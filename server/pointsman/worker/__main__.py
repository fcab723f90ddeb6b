"""`python -P -m pointsman.worker PARENT_PID`: the torch child. Started by its parent's `link`, never by a person."""

from __future__ import annotations

import os
import queue
import sys

from pointsman.worker.lifeline import die_with_parent, read_lines, refuse_network, take_pipes


def main() -> None:
    source, sink = take_pipes()
    die_with_parent(int(sys.argv[1]))
    refuse_network()
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # The reader comes before torch: a parent that goes away during the import must be noticed.
    read_lines(source, inbox.put)
    from pointsman.worker.child import Child

    # Past interpreter shutdown: CUDA's and OpenMP's own exit handlers can hang.
    os._exit(Child(inbox, sink).run())


if __name__ == "__main__":
    main()
