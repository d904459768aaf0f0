"""The throttle in Redis: `worker.policy.gcra` for all processes at once, on Redis's clock.

One script call decides about all limits of an account, and the places for submissions under way.
Each permit is a receipt: asking with one that is known grants it again and costs nothing. A place
is given back by `release`, or ends with its lease. A server that was restarted, emptied or replaced
does not know what was granted: it starts the account anew, without a burst. Keys hold the names of
accounts, and nothing of a message.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.policy.gcra import Bucket, Cost

#: How long Redis may take: whoever asks holds a transaction of the database meanwhile.
PATIENCE = 0.25
#: After a failure it is not asked for so many seconds.
PAUSE = 2.0

#: A server that was restarted is known by its run id; where that may not be asked, by its keys.
_SCRIPT = """
local account, mine, others = KEYS[1], KEYS[2], KEYS[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local info = redis.pcall('INFO', 'server')
local server = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local lease, most, mine_most, under_way = ARGV[2] * 1, ARGV[3] * 1, ARGV[4] * 1, ARGV[5] * 1
local count = ARGV[6] * 1
local known, kept = {}, redis.call('HGETALL', account)
for i = 1, #kept, 2 do known[kept[i]] = kept[i + 1] end
local started = 0
if ARGV[1] == '1' or known.server ~= server then
    known = {server = server, at = now, since = now}
    redis.call('DEL', account, mine, others)
    for i = 1, under_way do
        redis.call('ZADD', mine, now + lease, 'before/' .. i)
    end
    started = 1
end
for _, calls in ipairs({mine, others}) do
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
        local past = math.max(0, now - known.since) * 1000
        levels[name] = math.max(0, burst + 1000000000 - past)
    end
end
local ours = redis.call('ZCARD', mine)
local theirs = redis.call('ZCARD', others)
local granted, wait, full = 0, 0, 0
for i = 7 + 2 * count, #ARGV, count + 1 do
    if not redis.call('ZSCORE', mine, ARGV[i]) then
        if ours >= mine_most or ours + theirs >= most then full = 1 break end
        for k = 1, count do
            local level, fill = levels[names[k]], ARGV[i + k] * 1
            wait = math.max(wait, level + math.min(fill, bursts[k]) - bursts[k])
        end
        if wait > 0 then break end
        for k = 1, count do
            levels[names[k]] = levels[names[k]] + ARGV[i + k]
        end
        redis.call('ZADD', mine, now + lease, ARGV[i])
        ours = ours + 1
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


@dataclass(frozen=True, slots=True)
class PermitRequest:
    """What is asked of the throttle: permits for some submissions at one account."""

    account: str
    otp: bool
    through: Sequence[Bucket]
    #: One receipt for each submission, and what it costs.
    receipts: Sequence[str]
    costs: Sequence[Cost]
    #: How many submissions may be under way, in all and of this kind.
    concurrency: int
    places: int
    #: How many the database says are, for a server that does not know.
    under_way: int
    #: How long a place is held unless it is given back, in seconds.
    lease: float
    #: Whether to start anew, whatever the server knows.
    anew: bool = False


@dataclass(frozen=True, slots=True)
class PermitAnswer:
    """What the throttle answers: the first `granted` may begin."""

    granted: int
    #: Nanoseconds until the next one may; 0 when it waits for a place.
    wait: int
    #: Whether the next one waits for a place.
    full: bool
    #: Whether the server knew nothing of the account.
    started: bool
    #: Redis's clock, in microseconds since 1970.
    at: int


class Throttle:
    """One lane's way to Redis; it repeats nothing and waits for nothing long."""

    def __init__(self, address: str | None) -> None:
        self._closed_until = 0.0
        self._keeps_until = 0.0
        self._client: redis.Redis | None = None
        if address is None:
            return
        self._client = redis.Redis.from_url(
            address,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
        )
        self._script = self._client.register_script(_SCRIPT)

    @property
    def there(self) -> bool:
        """Whether there is a Redis to be asked at all."""
        return self._client is not None

    @property
    def pause(self) -> float:
        """For how many seconds more it is not asked, because it failed; 0 when it may be."""
        if self._client is None:
            return PAUSE
        return max(0.0, self._closed_until - time.monotonic())

    def ask(self, wanted: PermitRequest) -> PermitAnswer | None:
        """Take permits; None when Redis is gone, which `pause` then remembers."""
        if self._client is None:
            return None
        base = f"xinshi:pace:{wanted.account}"
        kinds = ("otp", "others") if wanted.otp else ("others", "otp")
        arguments: list[str | int] = [
            int(wanted.anew),
            round(wanted.lease * 1_000_000),
            *(wanted.concurrency, wanted.places, wanted.under_way, len(wanted.through)),
        ]
        for one in wanted.through:
            arguments += [one.name, one.burst]
        for receipt, cost in zip(wanted.receipts, wanted.costs, strict=True):
            arguments += [receipt, *(one.fill(cost) for one in wanted.through)]
        try:
            said = self._script([base, *(f"{base}:{kind}" for kind in kinds)], arguments)
        except redis.RedisError:
            self._closed_until = time.monotonic() + PAUSE
            return None
        return PermitAnswer(said[0], int(said[1]), bool(said[2]), bool(said[3]), int(said[4]))

    def release(self, places: Sequence[tuple[str, bool, str]]) -> None:
        """Give places back: account, whether it was otp, receipt.

        What is not heard of ends with its lease.
        """
        if not places or self._client is None or time.monotonic() < self._keeps_until:
            return
        try:
            with self._client.pipeline(transaction=False) as all_at_once:
                for account, otp, receipt in places:
                    kind = "otp" if otp else "others"
                    all_at_once.zrem(f"xinshi:pace:{account}:{kind}", receipt)
                all_at_once.execute()
        except redis.RedisError:
            # Whether Redis is gone is found out by whoever needs a permit.
            self._keeps_until = time.monotonic() + PAUSE

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()
