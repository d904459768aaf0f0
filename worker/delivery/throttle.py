"""Ask Redis for permits: `worker.policy.gcra` for all processes at once, on Redis's clock.

One script call decides about all limits of an account, and the slots for submissions in flight.
Each permit is a receipt: asking with one that is known grants it again and costs nothing. A slot
is given back by `release`, or ends with its lease. A server that was restarted, emptied or replaced
does not know what was granted: it starts the account anew, without a burst. Keys hold the names of
accounts, and nothing of a message.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.policy.gcra import Bucket, Cost

#: How long Redis may take, in seconds: a transaction of the database is open meanwhile.
REDIS_TIMEOUT = 0.25
#: For how many seconds Redis is not asked after a failure.
FAILURE_PAUSE = 2.0

#: A server that was restarted is known by its run id; where that may not be asked, by its keys.
_SCRIPT = """
local account, of_class, of_others = KEYS[1], KEYS[2], KEYS[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local info = redis.pcall('INFO', 'server')
local server = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local lease, concurrency, class_slots = ARGV[2] * 1, ARGV[3] * 1, ARGV[4] * 1
local under_way = ARGV[5] * 1
local count = ARGV[6] * 1
local known, stored = {}, redis.call('HGETALL', account)
for i = 1, #stored, 2 do known[stored[i]] = stored[i + 1] end
local started = 0
if ARGV[1] == '1' or known.server ~= server then
    known = {server = server, at = now, since = now}
    redis.call('DEL', account, of_class, of_others)
    for i = 1, under_way do
        redis.call('ZADD', of_class, now + lease, 'before/' .. i)
    end
    started = 1
end
for _, calls in ipairs({of_class, of_others}) do
    redis.call('ZREMRANGEBYSCORE', calls, '-inf', now)
end
local elapsed = math.max(0, now - known.at) * 1000
local levels = {}
for name, level in pairs(known) do
    if name ~= 'server' and name ~= 'at' and name ~= 'since' then
        levels[name] = math.max(0, level - elapsed)
    end
end
local names, bursts = {}, {}
for i = 1, count do
    local name, burst = ARGV[5 + 2 * i], ARGV[6 + 2 * i] * 1
    names[i], bursts[i] = name, burst
    if not levels[name] then
        local counted_for = math.max(0, now - known.since) * 1000
        levels[name] = math.max(0, burst + 1000000000 - counted_for)
    end
end
local class_count = redis.call('ZCARD', of_class)
local others_count = redis.call('ZCARD', of_others)
local granted, wait, full = 0, 0, 0
for i = 7 + 2 * count, #ARGV, count + 1 do
    if not redis.call('ZSCORE', of_class, ARGV[i]) then
        if class_count >= class_slots or class_count + others_count >= concurrency then
            full = 1
            break
        end
        for k = 1, count do
            local level, fill = levels[names[k]], ARGV[i + k] * 1
            wait = math.max(wait, level + math.min(fill, bursts[k]) - bursts[k])
        end
        if wait > 0 then break end
        for k = 1, count do
            levels[names[k]] = levels[names[k]] + ARGV[i + k]
        end
        redis.call('ZADD', of_class, now + lease, ARGV[i])
        class_count = class_count + 1
    end
    granted = granted + 1
end
local written = {'server', server, 'at', string.format('%.0f', now)}
written[5], written[6] = 'since', string.format('%.0f', known.since)
for name, level in pairs(levels) do
    written[#written + 1] = name
    written[#written + 1] = string.format('%.0f', level)
end
redis.call('HSET', account, unpack(written))
return {granted, string.format('%.0f', wait), full, started, string.format('%.0f', now)}
"""


class RedisSlot(NamedTuple):
    """A submission that Redis counts as in flight at an account."""

    account: str
    otp: bool
    receipt: str


@dataclass(frozen=True, slots=True)
class PermitRequest:
    """What is asked of the throttle: permits for some submissions at one account."""

    account: str
    otp: bool
    #: The limits that the submissions have to keep.
    buckets: Sequence[Bucket]
    #: One receipt for each submission, and what it costs.
    receipts: Sequence[str]
    costs: Sequence[Cost]
    #: How many submissions may be in flight: in all, and of codes or of the other classes.
    concurrency: int
    class_slots: int
    #: How many the database says are, for a server that does not know.
    under_way: int
    #: How long a slot is held unless it is given back, in seconds.
    lease_seconds: float
    #: Whether to start anew, whatever the server knows.
    start_anew: bool = False


@dataclass(frozen=True, slots=True)
class PermitAnswer:
    """What the throttle answers: the first `granted` may begin."""

    granted: int
    #: Nanoseconds until the next one may; 0 when it waits for a slot.
    wait: int
    #: Whether the next one waits for a slot.
    slots_full: bool
    #: Whether the server knew nothing of the account.
    started_anew: bool
    #: Redis's clock, in microseconds since 1970.
    at: int


class Throttle:
    """One lane's connection to Redis; it repeats no call, and waits `REDIS_TIMEOUT` at the most."""

    def __init__(self, url: str | None) -> None:
        #: On the monotonic clock: until when Redis is not asked, and slots are not given back.
        self._closed_until = 0.0
        self._no_release_until = 0.0
        self._client: redis.Redis | None = None
        if url is None:
            return
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=REDIS_TIMEOUT,
            socket_connect_timeout=REDIS_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        self._script = self._client.register_script(_SCRIPT)

    @property
    def configured(self) -> bool:
        """Whether there is a Redis to be asked at all."""
        return self._client is not None

    @property
    def pause(self) -> float:
        """For how many seconds more Redis is not asked, because it failed; 0 when it may be."""
        if self._client is None:
            return FAILURE_PAUSE
        return max(0.0, self._closed_until - time.monotonic())

    def ask(self, request: PermitRequest) -> PermitAnswer | None:
        """Take permits; None when Redis is gone, which `pause` then remembers."""
        if self._client is None:
            return None
        base = f"xinshi:pace:{request.account}"
        kinds = ("otp", "others") if request.otp else ("others", "otp")
        keys = [base, *(f"{base}:{kind}" for kind in kinds)]
        try:
            reply = self._script(keys, _script_arguments(request))
        except redis.RedisError:
            self._closed_until = time.monotonic() + FAILURE_PAUSE
            return None
        granted, wait, slots_full, started_anew, at = reply
        return PermitAnswer(granted, int(wait), bool(slots_full), bool(started_anew), int(at))

    def rehearse(self) -> None:
        """Run the script for an account that cannot be, and forget it.

        Raises `redis.RedisError` where it cannot be run.
        """
        if self._client is None:
            return
        base = "xinshi:pace:?"
        keys = [base, f"{base}:otp", f"{base}:others"]
        self._script(keys, [0, 1, 1, 1, 0, 0])
        self._client.delete(*keys)

    def release(self, slots: Sequence[RedisSlot]) -> None:
        """Give slots back. Those of which Redis does not hear end with their leases."""
        if not slots or self._client is None or time.monotonic() < self._no_release_until:
            return
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for account, otp, receipt in slots:
                    kind = "otp" if otp else "others"
                    pipeline.zrem(f"xinshi:pace:{account}:{kind}", receipt)
                pipeline.execute()
        except redis.RedisError:
            # Whether Redis is gone is found out by the next claim that needs a permit.
            self._no_release_until = time.monotonic() + FAILURE_PAUSE

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()


def _script_arguments(request: PermitRequest) -> list[str | int]:
    """Return the script's arguments: settings, then the buckets, then receipts and their fills."""
    arguments: list[str | int] = [
        int(request.start_anew),
        round(request.lease_seconds * 1_000_000),
        request.concurrency,
        request.class_slots,
        request.under_way,
        len(request.buckets),
    ]
    for bucket in request.buckets:
        arguments += [bucket.name, bucket.burst]
    for receipt, cost in zip(request.receipts, request.costs, strict=True):
        arguments += [receipt, *(bucket.fill(cost) for bucket in request.buckets)]
    return arguments
