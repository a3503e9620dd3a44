"""`scripts/bench ai-memory`: what models take in worker-ai, beside what `appliance model check` reckons.

For each model an appliance is started with its plan for 16 GiB, in which worker-ai has 4 GiB, enforced by
its cgroup where there is one (said in the output). It is asked for an answer and for an analysis, so both
contexts are there and in use. Real: anonymous memory of worker-ai's processes, what they share counted once,
and the mapped files of the one that has most of them, whoever else may have mapped them too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from appliance import plan
from appliance.services import ai_models
from appliance.stores import programs
from tests import models
from tests.bench import ai_job, big_model, report
from tests.running import Running, running

MIB = 2**20
GIVEN = 16 * 1024
"""MiB of the machine, of which worker-ai has a quarter."""
OFF = 0.15
"""How far what is reckoned may be off."""
_WORDS = "The quick brown fox jumps over the lazy dog and what is this about? "


def measure(name: str, *, tokens: int, prompt: int, responses: int, **environ: str) -> dict[str, Any]:
    with running(APPLIANCE_MEMORY=f"{GIVEN}M", **environ) as appliance:
        models.until_at_work(appliance)
        with appliance.client(appliance.login()) as client:
            purposes = ["chat", "embedding"]
            if name == "vectors":
                client.post("/v1/embeddings", json={"input": _WORDS * 20}, timeout=600).raise_for_status()
                purposes = ["embedding"]
                took = [0.0, 0.0]
            else:
                took = [_answer(client, prompt, 1), _answer(client, prompt, tokens)]
                client.post("/v1/embeddings", json={"input": _WORDS * 20}, timeout=600).raise_for_status()
                form_id = ai_job.publish(client)
                ai_job.fill(client, form_id, responses)
                ai_job.until_done(client, ai_job.analyze(client, form_id))
        return _row(name, appliance, purposes, took, tokens)


def _answer(client: Any, words: int, most: int) -> float:
    text = " ".join((_WORDS * 100).split()[:words])
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": most, "temperature": 0}
    started = time.monotonic()
    client.post("/v1/chat/completions", json=body, timeout=1800).raise_for_status()
    return time.monotonic() - started


def _row(
    name: str, appliance: Running, purposes: list[Any], took: list[float], tokens: int
) -> dict[str, Any]:
    found = plan.find(appliance.paths)
    assert found
    needs = []
    for purpose in purposes:
        choice = ai_models.find(appliance.settings, purpose)
        assert choice
        needs.append(ai_models.judge(appliance.settings, choice.path).fit)
    reckoned = sum(fit.need.total for fit in needs) - needs[0].need.own * (len(needs) - 1)
    parts = [_memory(pid) for pid in _tree(appliance.pid("worker-ai"))]
    anonymous, mapped = sum(each[0] for each in parts), max(each[1] for each in parts)
    use = programs.use(found, "worker-ai", None)
    share = found.budget.share("worker-ai")
    return {
        "model": name,
        "context": needs[0].context,
        "tight": needs[0].is_tight,
        "reckoned MiB": reckoned // MIB,
        "real MiB": (anonymous + mapped) // MIB,
        "reckoned/real": round(reckoned / (anonymous + mapped), 2),
        "anonymous": anonymous // MIB,
        "mapped": mapped // MIB,
        "peak of cgroup": (use.peak or 0) // MIB,
        "limit": (share.memory or 0) // MIB,
        "held by": "cgroup " + found.backend if "memory" in found.folders else "nothing",
        "first answer s": round(took[0], 1),
        "tokens/s": round((tokens - 1) / took[1], 2) if took[1] else "",
        "killed": use.oom_kills,
    }


def _tree(pid: int) -> list[int]:
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += _tree(int(child))
    return found


def _memory(pid: int) -> tuple[int, int]:
    """Bytes: its part of what has no file behind it, and all that has one."""
    found: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) * 1024
    return found["Pss_Anon"], found["Rss"] - found["Anonymous"]


def _forget(path: Path) -> None:
    """Have the kernel let go of the file's pages: whoever reads them next is charged for them."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench ai-memory", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--big", type=Path, help="a file of 7B that was made before; default: one is made")
    parser.add_argument("--only", default="chat,vectors,7B")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    asked = parser.parse_args()
    models.until_built()
    machine, wanted = report.machine(), asked.only.split(",")
    rows: list[dict[str, Any]] = []
    if "chat" in wanted:
        rows.append(measure("chat", tokens=50, prompt=1500, responses=64))
    if "vectors" in wanted:
        rows.append(measure("vectors", tokens=0, prompt=0, responses=0))
    if "7B" in wanted:
        with tempfile.TemporaryDirectory(prefix="bench-7b-") as folder:
            path = asked.big or Path(folder) / "7b.gguf"
            if not path.exists():
                big_model.make(models.chat_model(), path)
            _forget(path)
            rows.append(measure("7B", tokens=8, prompt=20, responses=2, AI_MODEL=str(path)))
    result: dict[str, Any] = {
        "machine": machine,
        "rows": rows,
        "aims": [aim for row in rows for aim in _aims(row)],
    }
    report.show(result, asked.json)
    return 0 if all(aim["pass"] for aim in result["aims"]) else 1


def _aims(row: dict[str, Any]) -> list[dict[str, Any]]:
    ratio = row["reckoned/real"]
    return [
        {
            "aim": f"{row['model']}: reckoned within 15 % of what is real",
            "measured": ratio,
            "pass": abs(ratio - 1) <= OFF,
        },
        {"aim": f"{row['model']}: nothing was killed", "measured": row["killed"], "pass": not row["killed"]},
    ]


if __name__ == "__main__":
    sys.exit(main())
