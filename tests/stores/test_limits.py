"""Limits, by the real Redis and without it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from redis.asyncio import Redis

from appliance.runtime import launch
from appliance.stores.buckets import Backoff, Bucket, InProcess
from appliance.stores.limits import Limiter, Verdict, origin
from tests.runtime.servers import answers, temporary_data, until

T = TypeVar("T")
GONE = Path("/nonexistent/redis.sock")


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    with temporary_data() as data:
        path = data.parent / "redis.sock"
        command = [launch.which("redis-server"), "--port", "0", "--unixsocket", str(path), "--save", ""]
        with subprocess.Popen([*command, "--dir", str(data.parent)], stdout=subprocess.DEVNULL) as child:
            until(lambda: answers(path), what="redis")
            yield path
            child.terminate()


def limiting(socket: Path, work: Callable[[Limiter], Awaitable[T]], *, enabled: bool = True) -> T:
    async def run() -> T:
        async with Redis(unix_socket_path=str(socket), single_connection_client=False) as redis:
            return await work(Limiter(redis, enabled=enabled))

    return asyncio.run(run())


@pytest.mark.parametrize("gone", [False, True], ids=["redis", "no redis"])
def test_of_many_at_once_no_more_than_the_limit_pass(socket: Path, gone: bool) -> None:
    async def work(limiter: Limiter) -> list[Verdict]:
        return await asyncio.gather(*(limiter.take(f"many-{gone}", 5, 60) for _ in range(60)))

    verdicts = limiting(GONE if gone else socket, work)
    passed = [verdict for verdict in verdicts if verdict.allowed]
    assert sorted(verdict.remaining for verdict in passed) == [0, 1, 2, 3, 4]
    refused = next(verdict for verdict in verdicts if not verdict.allowed)
    assert (refused.allowed, refused.limit, refused.remaining) == (False, 5, 0)
    assert 11 <= refused.reset_seconds <= 12, "one is back after 60 s / 5"


def test_two_processes_share_one_bucket(socket: Path) -> None:
    async def work(limiter: Limiter) -> bool:
        return (await limiter.take("shared", 2, 60)).allowed

    assert [limiting(socket, work) for _ in range(3)] == [True, True, False]


def test_tokens_come_back(socket: Path) -> None:
    async def work(limiter: Limiter) -> list[bool]:
        found = [(await limiter.take("back", 2, 0.4)).allowed for _ in range(3)]
        await asyncio.sleep(0.21)
        return [*found, (await limiter.take("back", 2, 0.4)).allowed]

    assert limiting(socket, work) == [True, True, False, True]


@pytest.mark.parametrize("gone", [False, True], ids=["redis", "no redis"])
def test_of_two_buckets_both_give_or_none(socket: Path, gone: bool) -> None:
    async def work(limiter: Limiter) -> tuple[list[Verdict], Verdict]:
        small, large = Bucket(f"small-{gone}", 1, 60), Bucket(f"large-{gone}", 10, 60)
        both = [await limiter.take_each([large, small]) for _ in range(3)]
        return both, await limiter.take(large.name, 10, 60)

    both, after = limiting(GONE if gone else socket, work)
    assert [verdict.allowed for verdict in both] == [True, False, False]
    assert {verdict.limit for verdict in both} == {1}, "the emptiest is told"
    assert after.remaining == 8, "what the small one refused cost the large one nothing"


@pytest.mark.parametrize("gone", [False, True], ids=["redis", "no redis"])
def test_waits_double_and_a_success_clears_them(socket: Path, gone: bool) -> None:
    async def work(limiter: Limiter) -> list[float]:
        waits = []
        for _ in range(6):
            await limiter.fail(f"waits-{gone}", Backoff(free=3, first=10, longest=30, forget=60))
            waits.append(await limiter.blocked(f"waits-{gone}"))
        await limiter.clear(f"waits-{gone}")
        return [*waits, await limiter.blocked(f"waits-{gone}")]

    waits = limiting(GONE if gone else socket, work)
    # Redis tells whole seconds: up to one less.
    assert waits == pytest.approx([0, 0, 10, 20, 30, 30, 0], abs=1.1)


def test_off_is_off(socket: Path) -> None:
    async def work(limiter: Limiter) -> list[bool]:
        await limiter.fail("off", Backoff(free=1))
        assert await limiter.blocked("off") == 0
        return [(await limiter.take("off", 1, 60)).allowed for _ in range(9)]

    assert limiting(socket, work, enabled=False) == [True] * 9


def test_a_process_alone_keeps_time_and_forgets() -> None:
    now = [0.0]
    keeper = InProcess(lambda: now[0])

    async def allowed() -> bool:
        return (await keeper.take([Bucket("x", 5, 60)]))[0].has

    async def work() -> None:
        assert [await allowed() for _ in range(6)] == [True] * 5 + [False]
        now[0] = 11.9
        assert not await allowed()
        now[0] = 12.0
        assert await allowed()
        now[0] = 1000.0
        assert [await allowed() for _ in range(6)] == [True] * 5 + [False], "never more than the limit"
        backoff = Backoff(free=2, first=10, longest=900, forget=1800)
        await keeper.fail("y", backoff)
        now[0] += 1801
        await keeper.fail("y", backoff)
        assert await keeper.blocked("y") == 0, "the first one was forgotten"
        for number in range(100_000):
            await keeper.take([Bucket(str(number), 5, 60)])

    asyncio.run(work())
    assert len(keeper._full) <= 20_000


@pytest.mark.parametrize(
    "address, name",
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("rubbish", "unknown"),
        (None, "unknown"),
    ],
)
def test_who_counts_as_one(address: str | None, name: str) -> None:
    assert origin(address) == name
