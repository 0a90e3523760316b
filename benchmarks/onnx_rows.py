"""What a row costs in onnxruntime, and how far it is from ``Reasoner.score``: python -m benchmarks.onnx_rows.

Random codes, some of them missing; one thread, the fastest of some rounds in processor time, so that other work on the
machine counts little. Where nothing is missing a row states every condition; where all is, it leaves them all open.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hepagraph.inference import Reasoner
from hepagraph.inference.onnx_export import INPUTS, model_variables, onnx_model

MISSING = (0.0, 0.4, 0.8, 1.0)
BATCHES = (1, 64, 1024)


def random_codes(sizes: list[int], rows: int, missing: float) -> NDArray[np.int64]:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, sizes, size=(rows, len(sizes)))
    return np.where(rng.random(codes.shape) < missing, -1, codes)


def as_likelihoods(codes: NDArray[np.int64], sizes: list[int]) -> NDArray[np.float32]:
    parts = [np.vstack([np.eye(size), np.ones(size)])[codes[:, column]] for column, size in enumerate(sizes)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def fastest(act: Callable[[], Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.process_time()
        act()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    reasoner = Reasoner.load()
    names = model_variables(reasoner)
    sizes = [len(reasoner.network.states[name]) for name in names]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    print(f"{'inputs':12}{'missing':>8}{'rows':>6}{'us a row':>10}{'score, us a row':>17}{'largest difference':>20}")
    for inputs in INPUTS:
        model = onnx_model(reasoner, inputs=inputs)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for missing in MISSING:
            for rows in BATCHES:
                codes = random_codes(sizes, rows, missing)
                given = {inputs: codes if inputs == "codes" else as_likelihoods(codes, sizes)}
                by_name = {name: codes[:, column] for column, name in enumerate(names)}
                found, wanted = session.run(["posterior"], given)[0], reasoner.score(by_name)[0]
                own = fastest(functools.partial(session.run, None, given), rounds)
                ours = fastest(functools.partial(reasoner.score, by_name), rounds)
                cost, score = (f"{1e6 * seconds / rows:,.0f}" for seconds in (own, ours))
                difference = np.abs(found - wanted).max()
                print(f"{inputs:12}{missing:>8.0%}{rows:>6}{cost:>10}{score:>17}{difference:>20.1e}")


if __name__ == "__main__":
    main()
