"""Is the manner of a reference kept? Statistics of reference motions against motion generated in their style."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from diffposetalk.corpus.manner import Manner
from diffposetalk.evaluate import command, references
from diffposetalk.evaluate.generators import Generator, load_generator
from diffposetalk.metrics import manner_statistics, statistics_correlation
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech


def measure(
    generate: Generator, reference: Sequence[Motion], speeches: Sequence[Speech], seed: int = 0
) -> dict[str, Any]:
    """Generate in the style of each reference and compare statistics over references.

    Args:
        generate: takes a `Motion` as style.
        reference: motions of differing manners.
        speeches: what the generated face says; reference k gets speech k, modulo their number.
        seed: of the first sample.

    Returns:
        ``correlation`` per statistic over references; ``reference`` and ``generated``: their mean and spread.
    """
    asked = [manner_statistics(motion) for motion in reference]
    made = [
        manner_statistics(generate(speeches[k % len(speeches)], seed=seed + k, style=motion))
        for k, motion in enumerate(reference)
    ]
    return {
        "correlation": statistics_correlation(asked, made),
        "reference": _spread(asked),
        "generated": _spread(made),
        "n": len(asked),
    }


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as a table."""
    rows = [
        [name, r, *result["reference"][name].values(), *result["generated"][name].values()]
        for name, r in result["correlation"].items()
    ]
    header = ["statistic", "r", "reference mean", "spread", "generated mean", "spread"]
    known = [r for r in result["correlation"].values() if np.isfinite(r)]
    mean = float(np.mean(known)) if known else float("nan")
    return "\n".join([command.table(header, rows), f"{result['n']} references; mean correlation {mean:.3f}"])


def main(argv: Sequence[str] | None = None) -> tuple[dict[str, Any], str, bool]:
    """Run the comparison from command-line arguments."""
    options = command.parser("manner_statistics", __doc__ or "")
    options.add_argument("--references", type=int, default=30, help="reference manners (default: %(default)s)")
    chosen = options.parse_args(argv)
    n = max(3, chosen.references)
    generate = load_generator(chosen.generator, **command.read_options(chosen.option))
    rng = np.random.default_rng(references.SEED)
    spoken = references.utterances(min(n, 12), shortest_s=6.0)
    said = [one.speech for one in references.utterances(min(n, 12), seed=references.SEED + 1, shortest_s=6.0)]
    manners = [Manner.sample(rng) for _ in range(n)]
    motions = [references.motions(manner, [spoken[k % len(spoken)]], seed=k)[0] for k, manner in enumerate(manners)]
    result = measure(generate, motions, said) | {"generator": chosen.generator}
    return result, report(result), chosen.json


def _spread(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {
        name: {"mean": float(np.mean([row[name] for row in rows])), "std": float(np.std([row[name] for row in rows]))}
        for name in rows[0]
    }


if __name__ == "__main__":
    sys.exit(command.run(main))
