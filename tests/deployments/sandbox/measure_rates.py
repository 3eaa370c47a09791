"""Measures how fast the sandbox serves, from a process of its own: `python -m tests.deployments.sandbox.measure_rates`.

Not a test; its numbers stand in the sandbox's README.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from deployments.sandbox.replicon_wire import user_uri
from deployments.sandbox.sandbox import ADMIN_LOGIN, ADMIN_PASSWORD

CONNECTIONS = 8
SELECTED = (
    *("id", "userPrincipalName", "givenName", "surname", "displayName", "mail", "employeeId", "department"),
    *("officeLocation", "companyName", "employeeType", "employeeHireDate", "employeeLeaveDateTime"),
    *("accountEnabled", "onPremisesExtensionAttributes"),
)
COLUMNS = ("user", "login-name", "email-address", "employee-id", "enabled")


async def drive(method: str, url: str, headers: str, bodies: Iterator[bytes], seconds: float) -> tuple[int, float]:
    """Send bodies over keep-alive connections for a time; give the number of answers and the seconds it took.

    Raises `RuntimeError` unless all of them are 200.
    """
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}"
    head = f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{headers}Content-Length: "
    done = 0
    end = time.perf_counter() + seconds

    async def connection() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**26)
        while time.perf_counter() < end:
            body = next(bodies)
            writer.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next(line for line in answer.splitlines() if line.lower().startswith("content-length:"))
            content = await reader.readexactly(int(length.partition(":")[2]))
            if " 200 " not in answer[:20]:
                raise RuntimeError(content.decode())
            done += 1
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return done, time.perf_counter() - start


def create(number: int) -> dict[str, Any]:
    """Give the body of an upsert that creates a user with everything that the default mapping writes."""
    login = f"measured{number}@northwind.example"
    return {
        "target": None,
        "modifications": {
            "firstName": {"value": "Jane"},
            "lastName": {"value": "Doe"},
            "loginName": {"value": login},
            "emailAddress": {"value": login},
            "employeeId": {"value": f"M{number}"},
            "employmentDateRange": {"value": {"startDate": {"year": 2026, "month": 4, "day": 1}, "endDate": None}},
            "securitySettings": {"value": {"loginEnabled": {"value": True}, "ssoName": {"value": login}}},
            "timeZone": {"value": {"uri": None, "IANAName": "Europe/London"}},
            "departmentGroupSchedule": [{"dateRange": None, "item": {"uri": None, "name": "Payroll"}}],
            "locationSchedule": [{"dateRange": None, "item": {"uri": None, "name": "London"}}],
        },
        "unitOfWorkId": f"measured {number}",
    }


def bulk(number: int, size: int, users: int) -> dict[str, Any]:
    """Give the body of a bulk read of `size` users by URI."""
    first = number * size % max(1, users - size)
    return {"users": [{"uri": user_uri(first + each + 1)} for each in range(size)]}


def page(number: int, size: int, users: int) -> dict[str, Any]:
    """Give the body of a read of one page of the list."""
    columns = [f"urn:replicon:user-list-column:{name}" for name in COLUMNS]
    return {"page": number % max(1, users // size) + 1, "pagesize": size, "columnUris": columns, "sort": []}


def main() -> None:
    """Start a sandbox, drive its Replicon with one kind of call after the other, and print the rates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    command = [sys.executable, "-m", "deployments.sandbox", "--users", str(options.users), "--existing", "1", "--json"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            print(f"ready after {time.perf_counter() - started:.1f} s")
            print(f"memory {resident_gib(process.pid):.1f} GiB")
            meter = Meter(process.pid, options.seconds)
            measure(meter, ready, options.users)
            measure_graph(meter, ready, options.users)
        finally:
            process.terminate()


def resident_gib(process: int) -> float:
    """Give the memory that a process holds, where the system tells (Linux); else 0."""
    status = Path(f"/proc/{process}/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 2**20 for line in lines if line.startswith("VmRSS")), 0.0)


@dataclasses.dataclass(frozen=True)
class Meter:
    """Drives a server process for a time and prints how fast it was."""

    process: int
    seconds: float

    def run(self, name: str, size: int, method: str, url: str, headers: str, bodies: Iterator[bytes]) -> None:
        """Print calls a second as seen, and for each second that the server had a processor to itself.

        The second number does not suffer from what else the machine does, nor from the driver.
        """
        before = processor_seconds(self.process)
        calls, took = asyncio.run(drive(method, url, headers, bodies, self.seconds))
        used = processor_seconds(self.process) - before or took
        print(f"{name:<20}{calls / took:>9,.0f} calls/s {calls / used:>9,.0f} calls/s of server time", end="")
        print(f" {calls * size / used:>11,.0f} users/s of server time")


def processor_seconds(process: int) -> float:
    """Give the processor time that a process has used, where the system tells (Linux); else 0."""
    status = Path(f"/proc/{process}/stat")
    if not status.exists():
        return 0.0
    fields = status.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(meter: Meter, ready: dict[str, Any], users: int) -> None:
    """Print a line for each kind of call."""
    user = f"{ready['company_key']}\\{ADMIN_LOGIN}:{ADMIN_PASSWORD}"
    headers = f"Authorization: Basic {b64encode(user.encode()).decode()}\r\nContent-Type: application/json\r\n"
    kinds: list[tuple[str, str, int, Callable[[int], Any]]] = [
        ("identity", "UserAccessControlService1.svc/GetMyIdentity", 1, lambda _: {}),
        ("bulk read of 1", "ImportService1.svc/BulkGetUsers3", 1, lambda number: bulk(number, 1, users)),
        ("bulk read of 500", "ImportService1.svc/BulkGetUsers3", 500, lambda number: bulk(number, 500, users)),
        ("list page of 1000", "UserListService1.svc/GetData", 1000, lambda number: page(number, 1000, users)),
        ("create", "ImportService2.svc/CreateUserOrApplyModifications", 1, create),
    ]
    for name, path, size, make in kinds:
        bodies = (json.dumps(make(number)).encode() for number in itertools.count())
        meter.run(name, size, "POST", f"{ready['replicon_url']}services/{path}", headers, bodies)


def measure_graph(meter: Meter, ready: dict[str, Any], users: int) -> None:
    """Print a line for pages of users with what the default mapping reads."""
    answer = requests.post(
        f"{ready['login_url']}/{ready['tenant_id']}/oauth2/v2.0/token",
        data={
            "client_id": ready["client_id"],
            "client_secret": ready["environment"]["GRAPH_CLIENT_SECRET"],
            "grant_type": "client_credentials",
            "scope": "https://graph.microsoft.com/.default",
        },
        verify=ready["ca_file"],
        timeout=30,
    )
    headers = f"Authorization: Bearer {answer.json()['access_token']}\r\n"
    url = f"{ready['graph_url']}/v1.0/users?$select={','.join(SELECTED)}&$top=999"
    meter.run("Graph page of 999", min(999, users), "GET", url, headers, itertools.repeat(b""))


if __name__ == "__main__":
    main()
