"""Drives the real runner of `runpack`, unchanged: registers, then polls and executes until it is told to stop.

Each line on standard input is an order (`poll`, or `stop`), each line on standard output what came of it, as JSON.
"""

import json
import logging
import sys

from runpack.runner import JobRunner


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def main(api_key):
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    runner = JobRunner(api_key)
    runner.register()
    say("registered", runner_id=runner.client.runner_id)
    for order in sys.stdin:
        if order.strip() == "stop":
            return
        say("polled", executed=runner.poll_and_execute())


main(sys.argv[1])
