"""The campaign as a command: `python -m tests.load.campaign --seed 1 --kills 300 --minutes 10 --database postgres`.

Needs the test extra. Ends with 0 when everything was as it must be, else with the first thing that was not, and the
seed that shows it again.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from deployments.sandbox.sandbox import ADMIN_PASSWORD, CLIENT_SECRET
from tests.databases import empty_database, running_postgres
from tests.load.campaign.campaign import KILLS_A_MONTH, Child, Tally, campaigning

MONTHS_A_SEED: Final = 4
SECRETS: Final = {"REPLICON_PASSWORD": ADMIN_PASSWORD, "GRAPH_CLIENT_SECRET": CLIENT_SECRET}


def main() -> int:
    """Run the campaign as the command line says; give the exit code."""
    asked = _arguments()
    # Connections of killed processes end in the middle of requests; the sandbox would tell each of them.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    began, whole, seed = time.monotonic(), Tally(), asked.seed
    child = Child(SECRETS)
    try:
        with _databases(asked.database) as database:
            while whole.killed < asked.kills and time.monotonic() - began < 60 * asked.minutes:
                with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as url:
                    _one_seed(child, seed, url, Path(folder), whole, asked.kills)
                said = f"seed {seed}: {whole.killed} killed, {whole.months} months, {whole.writes} changes"
                print(f"{said}, {time.monotonic() - began:.0f} s", flush=True)
                seed += 1
    finally:
        child.close()
    _tell(whole, asked.database, asked.seed, seed - 1, time.monotonic() - began)
    return 0 if whole.killed >= asked.kills else 1


def _one_seed(child: Child, seed: int, url: str, folder: Path, whole: Tally, kills: int) -> None:
    with campaigning(child, seed, url, folder) as campaign:
        try:
            for _ in range(MONTHS_A_SEED):
                left = kills - whole.killed - campaign.tally.killed
                if left > 0:
                    campaign.month(min(left, KILLS_A_MONTH))
        except AssertionError as error:
            sys.exit(f"seed {seed}, month {campaign.tally.months + 1}: {error}")
        whole.add(campaign.tally)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load.campaign", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed; each company has the next one")
    parser.add_argument("--kills", type=int, default=300, help="how many cycles are killed in all")
    parser.add_argument("--minutes", type=float, default=30.0, help="after how long no further company is taken up")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    return parser.parse_args()


@contextlib.contextmanager
def _databases(kind: str) -> Iterator[Callable[[Path], contextlib.AbstractContextManager[str]]]:
    """Give what makes an empty ledger database for a company, given the company's folder."""
    if kind == "sqlite":
        yield lambda folder: contextlib.nullcontext(f"sqlite:///{folder / 'ledger.db'}")
        return
    with running_postgres() as maintenance:
        yield lambda _folder: empty_database(maintenance)


def _tell(whole: Tally, database: str, first: int, last: int, seconds: float) -> None:
    survived = ", ".join(f"{count} with {code}" for code, count in sorted(whole.survived.items()))
    struck = ", ".join(f"{kind} {count}" for kind, count in sorted(whole.struck.items()))
    print(f"\n{database}, seeds {first}-{last}, {seconds:.0f} s on {os.cpu_count()} cores")
    print(f"{whole.killed} cycles killed by SIGKILL, {whole.survived.total()} ended before the kill ({survived})")
    print(f"{whole.months} months converged and were checked, {whole.writes} changes in Replicon")
    print(f"faults that struck: {struck}")


if __name__ == "__main__":
    sys.exit(main())
