"""Which noise steps a sampler evaluates."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest

from diffposetalk.diffusion.noise import SCHEDULE_KINDS, NoiseSchedule
from diffposetalk.diffusion.samplers import n_evaluations, step_sequence
from diffposetalk.errors import UsageError

COSINE = NoiseSchedule.make("cosine", 500)


@pytest.mark.parametrize("kind", SCHEDULE_KINDS)
@pytest.mark.parametrize("spacing", ["time", "log_snr"])
@pytest.mark.parametrize("n_steps", [1, 7, 20, 500])
def test_step_sequences_fall_from_the_noisiest_step(kind: str, spacing: str, n_steps: int) -> None:
    schedule = NoiseSchedule.make(kind, n_steps)
    for steps in range(1, min(n_steps, 30) + 1):
        sequence = step_sequence(schedule, steps, spacing)
        assert len(sequence) == steps and sequence[0] == n_steps and sequence[-1] >= 1
        assert all(now > after for now, after in pairwise(sequence))
    assert step_sequence(schedule, n_steps, spacing) == list(range(n_steps, 0, -1))


def test_steps_a_sampler_cannot_take_are_refused() -> None:
    assert [n_evaluations(sampler, None, COSINE) for sampler in ("dpmpp", "ddim", "ddpm")] == [10, 25, 500]
    assert n_evaluations("dpmpp", None, NoiseSchedule.make("cosine", 4)) == 4
    with pytest.raises(UsageError, match="all 500 steps"):
        n_evaluations("ddpm", 10, COSINE)
    for steps in (0, 501):
        with pytest.raises(UsageError, match=r"1 \.\. 500"):
            n_evaluations("ddim", steps, COSINE)
    with pytest.raises(UsageError, match="euler"):
        n_evaluations("euler", 10, COSINE)
    with pytest.raises(UsageError, match="karras"):
        step_sequence(COSINE, 10, "karras")


def test_importing_the_samplers_loads_no_torch() -> None:
    code = (
        "import sys, diffposetalk.diffusion.guidance, diffposetalk.diffusion.samplers; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
