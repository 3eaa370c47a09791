"""`python -m deployments.sandbox`: runs a sandbox in the foreground until it is interrupted."""

from __future__ import annotations

import argparse
import gc
import json
import signal
import sys
import threading

from deployments.sandbox.sandbox import Sandbox

_HELP = """\
Switch faults while it runs, for example (kinds and parameters are in the README):
  curl -X POST {graph}/_sandbox/faults -d '{{"kind": "latency", "endpoint": "replicon:*", "seconds": 0.2}}'
  curl -X DELETE {graph}/_sandbox/faults
Let a month pass in the directory, and look at what happened:
  curl -X POST '{graph}/_sandbox/month?share=0.05'
  curl {graph}/_sandbox/state
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the sandbox that the command line asks for; give the exit code."""
    options = _parser().parse_args(arguments)
    sandbox = Sandbox(
        options.users,
        options.seed,
        existing=options.existing,
        orphans=options.orphans,
        missing_departments=options.missing_departments,
        graph_port=options.graph_port,
        login_port=options.login_port,
        replicon_port=options.replicon_port,
        discovery_port=options.discovery_port,
    )
    # The directory stays for good: looking through a million people for garbage would stop requests for seconds.
    gc.freeze()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        sandbox.start()
    except OSError as error:
        print(f"The sandbox cannot listen: {error}. Give another port, or none to take any free one.", file=sys.stderr)
        return 5
    try:
        _tell(sandbox, as_json=options.json)
        while not stop.wait(0.5):
            continue
    finally:
        sandbox.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.sandbox", description="A Microsoft Graph and a Replicon on loopback."
    )
    parser.add_argument("--users", type=int, default=200, help="people in the directory (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="makes the same directory again (default: 1)")
    parser.add_argument(
        "--existing", type=float, default=0.0, help="share of people who have an account already, 0 to 1"
    )
    parser.add_argument("--orphans", type=int, default=0, help="accounts in Replicon that are nobody's")
    parser.add_argument("--missing-departments", type=int, default=0, help="departments that Replicon lacks")
    for name in ("graph", "login", "replicon", "discovery"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="port to listen on (default: any free one)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON once it is ready, and nothing else")
    return parser


def _tell(sandbox: Sandbox, *, as_json: bool) -> None:
    description = sandbox.describe()
    if as_json:
        print(json.dumps(description), flush=True)
        return
    print("The sandbox is ready; Ctrl-C stops it.\n")
    for name, value in description.items():
        if name != "environment":
            print(f"  {name:<16}{value}")
    print("\nSecrets, for the shell that runs the job:")
    for name, value in description["environment"].items():
        print(f"  export {name}={value}")
    print(f"\n{_HELP.format(graph=sandbox.graph_url)}", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
