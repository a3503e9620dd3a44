"""`scripts/bench ai`: labels and tokens a second, ours beside llama-cpp-python and node-llama-cpp.

The same file, the same texts, the same few-shot prompt and as many threads on each side; every side is a
process of its own that holds its model, and they take turns, round by round, one at work at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from appliance import llama_install
from appliance.settings import HOME
from tests import models
from tests.bench import ai_job, ai_texts, report
from tests.bench.ai_texts import LABELS

NODE = HOME / "tests" / "bench" / "peers" / "node"
PEERS = "tests.bench.peers"
STORY = "Write a long story about a dragon who opens a bakery."
TOLD = {
    "appliance": "score_many in pieces of 32, as an analysis asks",
    "llama-cpp-python": "create_completion(prompt, max_tokens=1, logprobs=…), its prefix reuse on",
    "llama-cpp-python by tokens": "generate(tokens) and llama_get_logits_ith, its prefix reuse on",
    "node-llama-cpp": "controlledEvaluate behind the kept prefix, logits of the labels alone",
}
MOST = 100
"""Tokens of an answer."""


class Side:
    """A process that answers a line for each line."""

    def __init__(self, name: str, child: subprocess.Popen[str]) -> None:
        self.name, self._child = name, child
        self.load = float(self._answer()["load"])
        self.rows: list[list[float]] = []
        self.rates: list[float] = []
        self.cpu: list[float] = []
        self.speeds: list[float] = []
        self.answers: list[float] = []

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} has ended; what it said stands above")
        return dict(json.loads(line))

    def ask(self, **what: Any) -> dict[str, Any]:
        assert self._child.stdin
        self._child.stdin.write(json.dumps(what) + "\n")
        self._child.stdin.flush()
        return self._answer()

    def score(self, prefix: str, rests: list[str]) -> None:
        found = self.ask(prefix=prefix, rests=rests, labels=LABELS)
        self.rows += found["scores"]
        self.rates.append(len(rests) / found["seconds"])
        self.cpu.append(1000 * found["cpu"] / len(rests))

    def generate(self) -> None:
        """Tokens a second once the first is there, and seconds of the whole answer."""
        found = self.ask(prompt=STORY, most=MOST)
        first, *_, last = found["times"]
        self.speeds.append((len(found["times"]) - 1) / (last - first))
        self.answers.append(found["seconds"])

    def labels(self) -> list[int]:
        return [max(range(len(row)), key=row.__getitem__) for row in self.rows]


@contextmanager
def side(name: str, model: Path, threads: int) -> Iterator[Side]:
    command, environ = _command(name, [str(model), str(threads)])
    with subprocess.Popen(
        command, env=environ, cwd=HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as child:
        try:
            yield Side(name, child)
        finally:
            child.kill()


def _command(name: str, arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    environ = {**os.environ, "PYTHONPATH": str(HOME), "GOMP_SPINCOUNT": "1000"}
    if name == "node-llama-cpp":
        return ["node", str(NODE / "ai.mjs"), *arguments], environ
    if name == "appliance":
        return [sys.executable, "-m", f"{PEERS}.ai_ours", *arguments], environ
    environ["PYTHONPATH"] = f"{HOME}:{llama_install.FOLDER / 'packages'}"
    kind = "tokens" if "tokens" in name else "completion"
    return [sys.executable, "-m", f"{PEERS}.ai_llama_cpp", *arguments, kind], environ


def compare(names: list[str], model: Path, count: int, rounds: int, threads: int) -> list[Side]:
    """Every side reads each text once, and writes the story in each round."""
    prefix, rests = ai_texts.question(count)
    with ExitStack() as stack:
        sides = [stack.enter_context(side(name, model, threads)) for name in names]
        for each in sides:  # warm: its prefix is there
            each.ask(prefix=prefix, rests=rests[:2], labels=LABELS)
        for turn in range(rounds):
            for each in sides:
                each.score(prefix, rests[turn * count // rounds : (turn + 1) * count // rounds])
                each.generate()
                told = f"{each.rates[-1]:.1f} responses/s of {each.cpu[-1]:.0f} ms CPU"
                print(
                    f"round {turn + 1}: {each.name}: {told}, {each.speeds[-1]:.1f} tokens/s", file=sys.stderr
                )
    return sides


def _row(each: Side, ours: Side) -> dict[str, Any]:
    same = [one == other for one, other in zip(each.labels(), ours.labels(), strict=True)]
    rate, speed = statistics.median(each.rates), statistics.median(each.speeds)
    return {
        "side": each.name,
        "responses/s": round(rate, 2),
        "ours is": round(statistics.median(ours.rates) / rate, 2),
        "CPU ms each": round(statistics.median(each.cpu)),
        "same label": round(sum(same) / len(same), 3),
        "tokens/s": round(speed, 1),
        "ours is ": round(statistics.median(ours.speeds) / speed, 2),
        "load s": round(each.load, 2),
        f"{MOST} tokens s": round(statistics.median(each.answers), 2),
    }


def _aims(rows: list[dict[str, Any]], job: dict[str, Any] | None) -> list[dict[str, Any]]:
    ours, peers = rows[0], rows[1:]
    aims = [
        _aim(f"the same label as {row['side']} for 95 %, else all is void", row["same label"], low=0.95)
        for row in peers
    ]
    aims += [
        _aim(f"at least 2 times the responses/s of {row['side']}", row["ours is"], low=2.0) for row in peers
    ]
    aims += [
        _aim("at least 0.95 times the tokens/s of node-llama-cpp", row["ours is "], low=0.95)
        for row in peers
        if row["side"] == "node-llama-cpp"
    ]
    aims += [
        _aim("load within 10 s", ours["load s"], high=10),
        _aim(f"{MOST} tokens within 10 s", ours[f"{MOST} tokens s"], high=10),
    ]
    return aims + (ai_job.aims(job) if job else [])


def _aim(aim: str, measured: float, *, low: float = 0.0, high: float = float("inf")) -> dict[str, Any]:
    return {"aim": aim, "measured": measured, "pass": low <= measured <= high}


def install_node() -> None:
    """The peer of Node, by its lock: no scripts of packages run, no builds for other machines come along."""
    lock, ready = NODE / "package-lock.json", NODE / "node_modules" / "ready"
    if ready.is_file() and ready.read_bytes() == lock.read_bytes():
        return
    # Not `ci`: it wants the builds for other machines in the lock, which not every registry has.
    command = ["npm", "--prefix", str(NODE), "install", "--no-save", "--ignore-scripts", "--omit=optional"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    ready.write_bytes(lock.read_bytes())


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench ai", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--responses", type=int, default=200, help="that each side reads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=min(4, len(os.sched_getaffinity(0))))
    parser.add_argument("--model", type=Path, default=models.chat_model(), help="a GGUF file")
    parser.add_argument("--only", default=",".join(TOLD), help="sides")
    parser.add_argument("--job", type=int, default=1000, help="responses of the whole job; 0: leave it out")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    asked = parser.parse_args()
    models.until_built()
    install_node()
    names = [name for name in TOLD if name in asked.only.split(",")]
    machine = report.machine()
    sides = compare(names, asked.model, asked.responses, asked.rounds, asked.threads)
    rows = [_row(each, sides[0]) for each in sides]
    job = ai_job.measure(asked.job) if asked.job else None
    notes = {name: TOLD[name] for name in names}
    notes |= {"threads": str(asked.threads), "rounds": f"{asked.rounds}, {asked.responses} texts in all"}
    if job:
        notes["the whole job"] = ", ".join(f"{name} {value}" for name, value in job.items())
    result: dict[str, Any] = {
        "machine": machine | {"load after": round(os.getloadavg()[0], 1)},
        "notes": notes,
        "rows": rows,
        "job": job,
        "aims": _aims(rows, job),
    }
    report.show(result, asked.json)
    return 0 if all(aim["pass"] for aim in result["aims"]) else 1


if __name__ == "__main__":
    sys.exit(main())
