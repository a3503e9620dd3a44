"""llama-cpp-python, a prompt at a time: `python ai_llama_cpp.py MODEL THREADS completion|tokens`.

`completion` is its documented way: `Llama(logits_all=True)`, and of each prompt one token with the
log-probabilities of as many others as hold all labels. `tokens` is what somebody writes who knows it well:
its generator works on the tokens, and the logits are read through its binding. Both keep what two prompts
have in common, which is its default. It stands in PYTHONPATH, as do no others of our packages.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import llama_cpp
import numpy as np

from tests.bench.peers.ai_lines import serve

CONTEXT = 2048
_ENOUGH = 4_000
"""Log-probabilities to ask for, so that those of the labels are among them."""


class Completion:
    is_all = True

    def __init__(self, model: str, threads: int) -> None:
        self._llama: Any = llama_cpp.Llama(
            model,
            n_ctx=CONTEXT,
            n_threads=threads,
            n_threads_batch=threads,
            logits_all=self.is_all,
            verbose=False,
        )

    def score(self, prefix: str, rests: list[str], labels: list[str]) -> list[list[float]]:
        return [self._one(prefix + rest, labels) for rest in rests]

    def _one(self, prompt: str, labels: list[str]) -> list[float]:
        told = self._llama.create_completion(prompt, max_tokens=1, temperature=0.0, logprobs=_ENOUGH)
        found = told["choices"][0]["logprobs"]["top_logprobs"][0]
        return [float(found.get(label, -99.0)) for label in labels]

    def generate(self, prompt: str, most: int) -> list[float]:
        stream = self._llama.create_chat_completion(
            [{"role": "user", "content": prompt}], max_tokens=most, temperature=0.0, stream=True
        )
        return [time.monotonic() for chunk in stream if chunk["choices"][0]["delta"].get("content")]


class Tokens(Completion):
    is_all = False

    def _one(self, prompt: str, labels: list[str]) -> list[float]:
        tokens = self._llama.tokenize(prompt.encode(), add_bos=True, special=False)
        next(self._llama.generate(tokens, temp=0.0))
        row = llama_cpp.llama_get_logits_ith(self._llama.ctx, -1)
        logits = np.ctypeslib.as_array(row, shape=(self._llama.n_vocab(),)).astype(np.float64)
        logits -= logits.max() + np.log(np.exp(logits - logits.max()).sum())
        places = [self._llama.tokenize(label.encode(), add_bos=False)[0] for label in labels]
        return [float(logits[place]) for place in places]


if __name__ == "__main__":
    kind = {"completion": Completion, "tokens": Tokens}[sys.argv[3]]
    serve(lambda: kind(sys.argv[1], int(sys.argv[2])))
