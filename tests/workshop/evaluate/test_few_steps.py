"""Quality against the number of steps, on the recordings beside the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diffposetalk.workshop.evaluate import few_steps
from diffposetalk.workshop.evaluate.generators import Generation
from diffposetalk.workshop.evaluate.recordings.clips import tracked_clips


def test_rows_of_a_tiny_model(shared: Path, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = tracked_clips(shared)[:2]
    phones = [("sil", 0.0, 0.5), ("aa", 0.5, 0.8), ("b", 0.8, 0.9), ("aa", 0.9, 1.2)]
    monkeypatch.setattr(few_steps, "tracked_clips", lambda folder: clips)
    monkeypatch.setattr(few_steps, "transcripts", lambda folder: [])
    monkeypatch.setattr(few_steps, "aligned", lambda found, cache: ({"said": (clips[0].speech, phones)}, {}))
    result = few_steps.evaluate(shared, Generation(str(tiny_model_path), {}, samples=2), (3, 1))
    assert [row["steps"] for row in result["rows"]] == [3, 1]
    for row in result["rows"]:
        assert set(few_steps.COLUMNS) <= set(row) and row["realtime"] > 0
        assert np.isfinite([row["lips_r"], row["head_std_deg"], row["diversity"]]).all()
    assert result["rows"][0]["diversity"] != result["rows"][1]["diversity"]
    assert len(few_steps.report(result).splitlines()) == 4
