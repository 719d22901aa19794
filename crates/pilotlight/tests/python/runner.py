"""Drives the real runner of `runpack`, unchanged: registers it, then lets it poll and execute on command.

Each line on stdin is a command (`poll` or `stop`). Each line on stdout is an event as JSON: the registration, or the
result of a poll.
"""

import json
import logging
import sys

from runpack.runner import JobRunner


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def main(api_key):
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    runner = JobRunner(api_key)
    runner.register()
    emit("registered", runner_id=runner.client.runner_id)
    for command in sys.stdin:
        if command.strip() == "stop":
            return
        emit("polled", executed=runner.poll_and_execute())


main(sys.argv[1])
