"""The exactly-once executor: moves operations through made ready, sent, answered, read back and recorded.

One thread decides and writes the journal; worker threads do the calls. `apply.py` runs plans with it, `settle.py` what
an earlier run left open. What a failure leads to is in `policy.py`, how an operation ended in `outcome.py`.
"""

from __future__ import annotations

import contextvars
import dataclasses
import datetime as dt
import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, Final

from tasks.connectors.replicon.errors import Failure, RepliconError, TryLaterError
from tasks.connectors.replicon.users import RepliconUsers
from tasks.connectors.replicon.writing import Written
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Ending, Moves, State
from tasks.load import outcome, policy
from tasks.load.concurrency import Lanes
from tasks.load.pace import Pace
from tasks.load.patience import Patience, Stop
from tasks.load.prepare import Ready, SecondLook, make_ready
from tasks.load.schedule import Schedule
from tasks.load.send import Sender, Sent
from tasks.load.speed import Speed
from tasks.load.verify import Finding, read_back
from tasks.load.work import SUPERVISOR, Item
from tasks.model import Operation, Progress, QuarantineReason, silent

READY_TOGETHER: Final = 20
"""How many operations are made ready in one go: few, so that the second look is fresh, and what Graph reads at once."""
GATHERING: Final = 0.02
"""Seconds for which news are gathered before they are recorded together."""
READ_BACK_TOGETHER: Final = 200
"""How many accounts are read back in one go; one bulk read holds them."""
LISTENS_AFTER: Final = 0.2
"""Seconds after which the waiting caller can be struck by an exception that another thread raises in it."""
READ_BACK_AFTER: Final = 2.0
"""Seconds after which answers are read back although they are few."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """What an execution works with."""

    target: RepliconUsers
    ledger: Ledger
    job: str
    cycle_id: str
    workers: int
    pace: Pace
    second_look: SecondLook | None = None
    patience: Patience = dataclasses.field(default_factory=Patience)
    progress: Progress = silent


class Execution:
    """Carries out the operations of a schedule, and those handed over by `resume`. Used once.

    `accounts` gives the target URIs of people who may be referred to, by source id; accounts that come about are
    added. `endings` holds how each operation ended.
    """

    def __init__(self, setting: Setting, schedule: Schedule, accounts: dict[str, str], stop: Stop) -> None:
        self.endings: list[Ending] = []
        self._setting = setting
        self._schedule = schedule
        self._accounts = accounts
        self._stop = stop
        self._sender = Sender(setting.target, setting.pace, Lanes(setting.workers), stop, setting.patience)
        self._news: queue.SimpleQueue[tuple[Callable[[Any], None], Any]] = queue.SimpleQueue()
        self._moves = Moves()
        self._prepared: deque[Item] = deque()
        self._answered: list[Item] = []
        self._oldest_answer = 0.0
        self._preparing = self._sending = self._reading = 0
        self._holders: dict[str, str] = {}
        self._claimed: dict[str, str] = {}
        self._silent_in_a_row = 0
        self._total = schedule.total
        self._speed = Speed(time.monotonic())

    def resume(self, items: Sequence[Item]) -> None:
        """Take over operations whose journal rows an earlier run left: sent ones are sent again, others read back."""
        for item in items:
            item.begin(self._now())
            assert item.request is not None
            if item.request.state is State.ANSWERED or item.assumed:
                self._await_reading(item)
            else:
                self._prepared.append(item)
        self._total += len(items)

    def run(self) -> None:
        """Carry everything out. An exception that strikes the waiting caller, such as a cancellation, stops the work.

        What is under way is finished and recorded first; what is left is recorded as not attempted.
        """
        context = contextvars.copy_context()
        self._setting.pace.obey(self._stop)
        with ThreadPoolExecutor(1, thread_name_prefix="load") as decider:
            work = decider.submit(context.run, self._work)
            try:
                # A time-out may be raised from another thread, which reaches this one between two waits only.
                while not wait([work], timeout=LISTENS_AFTER).done:
                    continue
                work.result()
            except BaseException:
                self._stop.order("the run was cancelled")
                raise

    def _work(self) -> None:
        workers = self._setting.workers
        with (
            ThreadPoolExecutor(workers, thread_name_prefix="send") as senders,
            ThreadPoolExecutor(2, thread_name_prefix="read") as readers,
        ):
            try:
                while self._advance(senders, readers):
                    self._take_news()
                self._setting.pace.flush()
            except BaseException:
                self._stop.order("the run failed")
                raise

    def _advance(self, senders: ThreadPoolExecutor, readers: ThreadPoolExecutor) -> bool:
        """Record what is known, and start what can be started; tell whether anything is under way."""
        if self._stop.given:
            self._abandon()
        sending = self._next_to_send()
        self._record()
        for item in sending:
            self._start(senders, partial(self._sender.send, item), partial(self._after_sending, item))
        self._start_readings(readers)
        self._start_preparations(readers)
        return bool(self._preparing or self._sending or self._reading or self._moves)

    def _take_news(self) -> None:
        """Wait for one piece of news and take in all that have come."""
        news = []
        if self._preparing or self._sending or self._reading:
            news.append(self._news.get())
        if self._sending > self._setting.workers:
            # More waits to be sent than can be under way: nobody idles while news gather into one transaction.
            time.sleep(GATHERING)
        while not self._news.empty():
            news.append(self._news.get())
        self._look_up_holders(
            answer.target_uri
            for _, result in news
            if isinstance(result, Sent) and (answer := result.written or result.existing) is not None
        )
        for then, result in news:
            then(result)

    def _look_up_holders(self, uris: Iterable[str]) -> None:
        """Find out whom accounts are linked to that are new in this run; many at once, for each takes a query."""
        new = [uri for uri in uris if uri not in self._claimed]
        if new:
            self._holders.update(self._setting.ledger.link_holders(self._setting.job, new))

    def _next_to_send(self) -> list[Item]:
        """Choose what is sent next: enough that no worker waits for the journal, and all of it marked before."""
        chosen = []
        while self._prepared and self._sending < 2 * self._setting.workers and not self._stop.given:
            item = self._prepared.popleft()
            assert item.request is not None
            if not item.resumed:
                self._moves.sent.append(item.request.key)
            self._sending += 1
            chosen.append(item)
        return chosen

    def _start_preparations(self, readers: ThreadPoolExecutor) -> None:
        ahead = max(2 * READY_TOGETHER, 2 * self._setting.workers)
        while (
            self._schedule
            and not self._stop.given
            and self._preparing < 2
            and len(self._prepared) + self._preparing * READY_TOGETHER < ahead
        ):
            items = self._claimed_of(self._schedule.take(READY_TOGETHER))
            under_way = self._preparing or self._sending or self._reading or self._prepared or self._answered
            if not (items or self._schedule or under_way):
                self._schedule.release()
            if not items:
                continue
            for item in items:
                supervisor = item.waits_for()
                if supervisor is not None:
                    item.refer(self._accounts.get(supervisor))
            self._preparing += 1
            self._start(readers, partial(self._ready, items), partial(self._after_preparing, items))

    def _start_readings(self, readers: ThreadPoolExecutor) -> None:
        idle = not (self._sending or self._preparing or self._prepared or (self._schedule and not self._stop.given))
        late = time.monotonic() - self._oldest_answer > READ_BACK_AFTER
        while self._answered and (idle or late or len(self._answered) >= READ_BACK_TOGETHER):
            items, self._answered = self._answered[:READ_BACK_TOGETHER], self._answered[READ_BACK_TOGETHER:]
            self._reading += 1
            self._start(readers, partial(self._read, items), partial(self._after_reading, items))

    def _ready(self, items: Sequence[Item]) -> list[Ready]:
        return make_ready(items, self._setting.target, self._setting.second_look)

    def _read(self, items: Sequence[Item]) -> list[Finding]:
        """Read back, waiting for the rate limit as the pace says. The order to stop lets this finish, but not wait."""
        gives_up = time.monotonic() + self._setting.patience.throttled_for
        while True:
            try:
                return read_back(items, self._setting.target)
            except RepliconError as error:
                waits = error.kind is Failure.THROTTLED and time.monotonic() < gives_up and not self._stop.given
                if not waits:
                    return [Finding(True, unread=str(error)) for _ in items]

    def _start(self, pool: ThreadPoolExecutor, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do `work` in another thread, and `then` with its result, or its exception, in this one."""

        def tell(future: Future[Any]) -> None:
            error = future.exception()
            self._news.put((then, future.result() if error is None else error))

        pool.submit(work).add_done_callback(tell)

    def _claimed_of(self, items: Sequence[Item]) -> list[Item]:
        """Claim the items' accounts for their people; end the items whose account is somebody else's."""
        for item in items:
            item.begin(self._now())
        self._look_up_holders(item.target_uri for item in items if item.target_uri is not None)
        return [item for item in items if item.target_uri is None or self._claim(item)]

    def _claim(self, item: Item) -> bool:
        uri = item.target_uri
        assert uri is not None
        holder = self._claimed.setdefault(uri, self._holders.get(uri, item.source_id))
        if holder == item.source_id:
            return True
        said = f"The account {item.target_name or uri} is linked to another person ({holder})."
        remedy = "Correct what both are matched by, or end the other link."
        self._end(outcome.failed(item, policy.CONFLICT, said, self._now(), remedy))
        return False

    def _after_preparing(self, items: Sequence[Item], result: list[Ready] | BaseException) -> None:
        self._preparing -= 1
        if isinstance(result, BaseException):
            for item in items:
                self._give_up(item, result)
            return
        for ready in result:
            item = ready.item
            if ready.held is not None:
                self._end(outcome.held(item, ready.held, self._now()))
            elif isinstance(ready.error, RepliconError):
                self._not_prepared(item, ready.error)
            elif ready.error is not None:
                self._give_up(item, ready.error)
            else:
                assert ready.prepared is not None
                request = item.prepared_as(ready.prepared)
                if ready.prepared.empty or not (item.values or item.operation in _WITHOUT_VALUES):
                    self._nothing_to_send(item)
                else:
                    self._moves.intents.append(request)
                    self._prepared.append(item)

    def _not_prepared(self, item: Item, error: RepliconError) -> None:
        """Act on a failure of the reads that preparing needs; wait for the rate limit as long as a request would."""
        waited = item.took_ms() / 1000
        if error.kind is Failure.THROTTLED and waited < self._setting.patience.throttled_for:
            self._schedule.put(item)
        else:
            self._act_on(item, error)

    def _nothing_to_send(self, item: Item) -> None:
        """End an item of which nothing is left to write, because all of it was refused before sending."""
        if item.done is not None:
            self._await_reading(item)
            return
        reason = " ".join(item.refused.values()) or "Nothing is left to be written."
        code = policy.REFERENCE if set(item.refused) == {SUPERVISOR} else policy.REFUSED
        self._end(outcome.failed(item, code, reason, self._now()))

    def _after_sending(self, item: Item, result: Sent | BaseException) -> None:
        self._sending -= 1
        if isinstance(result, BaseException):
            item.open = True
            self._give_up(item, result)
            return
        if result.written is not None:
            self._silent_in_a_row = 0
            self._answer(item, result.written, result.attempts)
        elif result.existing is not None:
            self._adopt(item, result.existing, result.attempts)
        elif result.error is not None:
            item.attempts += result.attempts
            item.open = result.unknown
            self._act_on(item, result.error)
        else:
            self._not_sent(item)

    def _answer(self, item: Item, written: Written, attempts: int) -> None:
        """Take in that the target did it; go on to the item's next step, or to reading back."""
        self._moves.answers.append(item.answered(written, attempts))
        if item.done is Operation.CREATE and item.step == 1 and not self._came_about(item):
            return
        if item.done in _READY_AT_ONCE and item.step == 1:
            self._schedule.settled(item.source_id)
        if item.later:
            item.next_step(Operation.UPDATE, item.later)
            self._schedule.put(item)
        else:
            self._await_reading(item)

    def _came_about(self, item: Item) -> bool:
        """Let everybody who waited for this account go on. False when it turned out to be somebody else's."""
        assert item.target_uri is not None
        if not self._claim(item):
            return False
        self._accounts[item.source_id] = item.target_uri
        self._schedule.settled(item.source_id)
        return True

    def _adopt(self, item: Item, existing: Written, attempts: int) -> None:
        """Go on with the account that was there already and is this person's; reading back tells what it lacks."""
        item.adopted = True
        item.notes.append("The account was there already, with everything it can be matched by, and is linked.")
        self._answer(item, existing, attempts)

    def _act_on(self, item: Item, error: RepliconError) -> None:
        following = policy.after(error, item.operation)
        if isinstance(error, TryLaterError) and error.kind is not Failure.THROTTLED:
            self._silent_in_a_row += 1
            if self._silent_in_a_row >= max(self._setting.patience.dead_after, 2 * self._setting.workers):
                self._stop.order(f"{self._silent_in_a_row} requests in a row were not answered, the last one: {error}")
        if following is policy.Next.STOP:
            self._stop.order(f"no request can succeed: {error}")
            self._setting.ledger.quarantine(self._setting.job, QuarantineReason.EXCEPTION, str(error))
        if following is policy.Next.GONE and item.done is None:
            self._end(outcome.gone(item, error, self._now()))
        elif following is policy.Next.DISABLE:
            item.notes.append(f"{error.reason.rstrip('.')}: Replicon keeps the account, so it is disabled instead.")
            item.done = None
            item.next_step(Operation.DISABLE, {})
            self._schedule.put(item)
        else:
            self._give_up(item, error)

    def _give_up(self, item: Item, error: BaseException) -> None:
        """End an item with an error; one of which a part is done goes on to reading back with the rest refused."""
        failure = error if isinstance(error, Exception) else RuntimeError(str(error))
        if item.done is None:
            self._end(outcome.refused(item, failure, self._now()))
            return
        if isinstance(failure, RepliconError):
            item.code, item.remedy = failure.error_code, failure.remedy
        item.refused |= {name: f"{name}: {failure}" for name in item.values}
        self._await_reading(item)

    def _not_sent(self, item: Item) -> None:
        """Take back a request that never left because of the order to stop; one of an earlier run stays as it was."""
        if item.resumed:
            return
        assert item.request is not None
        self._moves.dropped.append(item.request.key)
        self._leave(item)

    def _leave(self, item: Item) -> None:
        """End an item whose turn does not come any more."""
        if item.done is not None:
            item.refused |= {name: f"{name}: not written, because {self._stop.reason}" for name in item.values}
            self._await_reading(item)
        elif item.notes:
            self._end(outcome.failed(item, policy.NOT_ATTEMPTED, f"{self._stop.reason}.", self._now()))
        else:
            self._end(outcome.not_attempted(item, self._stop.reason, self._now()))

    def _abandon(self) -> None:
        """Leave everything that has not been sent."""
        while self._prepared:
            self._not_sent(self._prepared.popleft())
        for item in self._schedule.unfinished():
            self._leave(item)

    def _await_reading(self, item: Item) -> None:
        if not self._answered:
            self._oldest_answer = time.monotonic()
        self._answered.append(item)

    def _after_reading(self, items: Sequence[Item], result: list[Finding] | BaseException) -> None:
        self._reading -= 1
        if isinstance(result, BaseException):
            result = [Finding(True, unread=f"{type(result).__name__}: {result}") for _ in items]
        for item, finding in zip(items, result, strict=True):
            self._conclude(item, finding)

    def _conclude(self, item: Item, finding: Finding) -> None:
        removal_done = not finding.there if item.done is Operation.DELETE else not finding.differing
        if item.assumed and (finding.unread is not None or not removal_done):
            # It cannot be told whether the earlier run's removal left; nothing was removed, so the next plan decides.
            if finding.unread is None:
                self._moves.dropped += [(item.change.change_id, step) for step in range(1, item.step + 1)]
            return
        if item.adopted and finding.differing and not self._stop.given:
            item.adopted, item.done = False, Operation.UPDATE
            item.next_step(Operation.UPDATE, {name: item.wrote[name] for name in finding.differing})
            self._schedule.put(item)
            return
        self._end(outcome.verified(item, finding, self._now()))

    def _end(self, ending: Ending) -> None:
        self._moves.endings.append(ending)
        self.endings.append(ending)
        self._schedule.settled(ending.change.source_id)
        done = len(self.endings)
        self._setting.progress("load", done, self._total, self._speed.told(done, self._total, time.monotonic()))

    def _record(self) -> None:
        """Write what has happened to the journal, in one transaction, before anything that follows from it leaves."""
        if self._moves:
            moves, self._moves = self._moves, Moves()
            self._setting.ledger.record(self._setting.job, self._setting.cycle_id, moves)

    def _now(self) -> dt.datetime:
        return self._setting.ledger.now()


_READY_AT_ONCE: Final = frozenset({Operation.UPDATE, Operation.ENABLE})
"""Operations after which an account can be referred to, as far as it could not before."""
_WITHOUT_VALUES: Final = frozenset({Operation.DISABLE, Operation.ENABLE, Operation.DELETE})
"""Operations that mean something by themselves."""
