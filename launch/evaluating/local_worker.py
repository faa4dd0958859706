"""A worker that is a process of its own: a JSON line in, a JSON line out, until nobody listens any more.

Its standard input is its lifeline: when the process that started it is gone, for whatever reason, that ends, and so
does the worker at once, in the middle of an episode, too.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TextIO

from evaluating.worker import Order, Worker


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    requests: SimpleQueue[dict[str, Any]] = SimpleQueue()
    Thread(target=_listen, args=(requests,), daemon=True).start()
    first = requests.get()
    worker = Worker(Order.from_dict(first["order"]), Path(first["folder"]))
    while True:
        _tell(answers, worker.answer(requests.get()))


def _listen(requests: SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)  # the parent is gone


def _tell(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer, allow_nan=False) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
