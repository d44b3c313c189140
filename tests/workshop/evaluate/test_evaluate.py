"""The evaluation commands on stand-ins whose results are known, and on the real recordings where they are at hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.cli import run
from diffposetalk.cli.commands.evaluate import read_options
from diffposetalk.cli.commands.evaluate.measures import MEASURES
from diffposetalk.errors import InputError, UsageError
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate import closures, presets, real_lips, seams
from diffposetalk.workshop.evaluate.generators import energy_follower, load_generator, samples_of
from diffposetalk.workshop.evaluate.plots import lipsync as lipsync_plot
from diffposetalk.workshop.evaluate.recordings.clips import TrackedClip, grid_sentence, tracked_aperture, transcripts

REALDATA = Path(__file__).parents[3] / "../shared/realdata"
real = pytest.mark.skipif(not REALDATA.is_dir(), reason="the real recordings (../shared/realdata) are not here")


def jaw(motion: Motion) -> np.ndarray:
    """Stand in for the lip gap on a head."""
    return motion.channel("jawOpen").astype(np.float64)


def syllables(duration: float = 4.0, seed: int = 0) -> Speech:
    """Return noise whose loudness rises and falls irregularly, about four times a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration * 16000)) / 16000
    loud = np.interp(t, np.linspace(0, duration, round(duration * 8)), rng.random(round(duration * 8)))
    return Speech((rng.normal(size=len(t)) * 0.1 * loud).clip(-1, 1).astype(np.float32))


def a_manner(smile: float) -> Motion:
    expression = np.zeros((100, 52), np.float32)
    expression[:, [INDEX["mouthSmileLeft"], INDEX["mouthSmileRight"]]] = smile
    return Motion(expression, CHANNELS, np.zeros((100, 3), np.float32), 25.0)


def test_lips_that_are_captured_ones_shifted_are_found_out():
    clips = [
        TrackedClip(str(seed), speech, jaw(energy_follower(speech)) * 0.1 + 0.02)
        for seed, speech in enumerate([syllables(), syllables(6.0, 1)])
    ]

    def late(speech, *, seed=0, style=None):
        motion = energy_follower(speech)
        return Motion(np.roll(motion.expression, 2, axis=0), CHANNELS, motion.head_pose, 25.0)

    result = real_lips.compare(real_lips.generated_apertures(late, clips, 2, jaw), clips)
    assert result["mean"]["best_lag"] == result["per_clip"]["1"]["one"]["best_lag"] == 2
    assert result["mean"]["best_r"] > 0.95
    assert result["targets_met"]["best_lag_0_to_3"] and result["targets_met"]["mean_best_r_above_0.42"]
    assert len(result["each_seed_r0"]) == 2
    assert "pooled" in real_lips.report(result)


def test_the_linear_baseline_predicts_what_is_linear_in_the_sound():
    clips = [
        TrackedClip(str(seed), syllables(5.0, seed), np.sqrt(jaw(energy_follower(syllables(5.0, seed)))))
        for seed in range(4)
    ]
    baseline = real_lips.linear_baseline(clips)
    result = real_lips.compare([baseline], clips)
    assert result["mean"]["r0"] > 0.8 and result["mean"]["best_lag"] == 0


def test_closures_of_a_mouth_that_obeys_and_of_one_that_does_not():
    speech = syllables(3.0)
    phones = [("b", 0.4, 0.48), ("aa", 0.6, 0.8), ("m", 1.0, 1.1), ("ay", 1.3, 1.6), ("sil", 2.0, 2.9)]

    def obeys(speech, *, seed=0, style=None):
        motion = a_manner(0.0)
        motion.expression[:, INDEX["jawOpen"]] = 1
        for symbol, start, end in phones:
            if symbol in ("b", "m"):
                motion.expression[int(start * 25) : int(end * 25) + 1, INDEX["jawOpen"]] = 0
        return motion

    good = closures.measure(obeys, {"a": (speech, phones)}, 2, jaw)
    assert good["share"] == 1 and good["n"] == 4 and good["false_closures"] == 0
    assert good["gap_ratio"] < 1 / 3 and all(good["targets_met"].values())
    assert good["per_class"]["open vowels"]["mean_gap"] == pytest.approx(1)
    bad = closures.measure(lambda s, seed=0, style=None: obeys(s).slice(20), {"a": (speech, phones)}, 1, jaw)
    assert bad["share"] < 1 and not bad["targets_met"]["share_at_least_0.75"]
    for result in (good, bad):
        assert result["per_class"]["p b m"]["sealed"] == result["share"]
        assert result["per_class"]["open vowels"]["sealed"] == result["false_closures"]
    assert "p b m sealed" in closures.report(good)


def test_the_lower_lip_comes_to_the_upper_teeth_or_not():
    speech, phones = syllables(3.0), [("f", 0.4, 0.5), ("b", 0.6, 0.7), ("aa", 0.75, 0.85), ("v", 1.0, 1.1)]
    shut = a_manner(0.0)
    wide = a_manner(0.0)
    wide.expression[20:, INDEX["jawOpen"]] = 0.6
    shares = [
        closures.measure(
            lambda s, seed=0, style=None, motion=motion: motion,
            {"a": (speech, phones)},
            below_teeth_of=closures.OWN_TEETH,
        )["at_teeth"]
        for motion in (shut, wide)
    ]
    assert shares == [1.0, 0.5]


def test_silence_shuts_the_energy_follower_but_it_is_not_alive():
    found = closures.silence(energy_follower, syllables(), 2.0, jaw, silent_s=4.0)
    assert found["closing_s"] <= 0.08 and found["closed_share"] == 1
    assert found["targets_met"] == {"closed_within_0.3_s": True, "blinks_go_on": False, "head_goes_on": False}


def test_wilson_interval():
    low, high = closures.wilson_interval(3, 4)
    assert (low, high) == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert closures.wilson_interval(0, 0) == (0.0, 1.0)


def test_presets_are_recognised_by_what_tells_them_apart():
    smiles = {"serious": 0.0, "smiling": 0.8}
    known = {name: [a_manner(value + k / 50) for k in range(3)] for name, value in smiles.items()}

    def encode(motion):
        smile = motion.channel("mouthSmileLeft").mean()
        return np.array([np.cos(smile), np.sin(smile)])

    right = presets.recognise(lambda s, seed=0, style=None: a_manner(smiles[style]), encode, known, {"x": syllables()})
    assert right["accuracy"] == right["reference_accuracy"] == 1 and right["target_met"]
    wrong = presets.recognise(lambda s, seed=0, style=None: a_manner(0.8), encode, known, {"x": syllables()}, 2)
    assert wrong["accuracy"] == 0.5 and wrong["confusion"]["serious"] == {"serious": 0, "smiling": 2}
    assert "share right" in presets.report(wrong)


def test_seams_by_group():
    def jumps(speech, *, seed=0, style=None):
        motion = energy_follower(speech)
        pose = np.cumsum(np.random.default_rng(seed).normal(size=(len(motion), 3)) * 1e-3, axis=0)
        pose += (np.arange(len(motion)) // 100)[:, None] * 0.1
        return Motion(motion.expression, CHANNELS, pose, 25.0)

    result = seams.measure(jumps, syllables(20.0), n_samples=2)
    assert result["targets_met"]["head"] is False and result["targets_met"]["lips"] is True
    assert result["groups"]["head"]["beyond"] == 1 and result["control"]["head"]["beyond"] < 0.5
    assert result["n_joins"] == 8
    assert "MISSED" in seams.report(result)


def test_grid_sentences():
    assert grid_sentence("bbaf2n") == "bin blue at f two now"
    assert grid_sentence("swwzzp") == "set white with z zero please"
    for name in ("bbaf2", "xxaf2n"):
        with pytest.raises(InputError):
            grid_sentence(name)


def test_generators_by_name():
    assert load_generator("energy") is energy_follower
    assert load_generator("diffposetalk.workshop.evaluate.generators:energy_follower") is energy_follower
    assert len(samples_of(energy_follower, syllables(1.0), 3)) == 3
    for what in ("no_such_module:f", "diffposetalk.speech:nothing"):
        with pytest.raises(UsageError):
            load_generator(what)
    with pytest.raises(UsageError):
        load_generator("energy", {"steps": 3})
    for name in ("stepz", "seed", "style", "progress"):
        with pytest.raises(UsageError, match=f"unknown sampling option '{name}': choose from sampler, steps, "):
            load_generator("lite", {name: 3})


def test_options_and_errors_are_one_line(capsys, tmp_path):
    assert read_options(["steps=8", "style_scale=1.5", "sampler=ddim"]) == {
        "steps": 8,
        "style_scale": 1.5,
        "sampler": "ddim",
    }
    with pytest.raises(UsageError):
        read_options(["steps"])
    for value in ("[" * 100_000, "9" * 100_000):
        with pytest.raises(UsageError, match=r"^--option steps: its value is not readable") as error:
            read_options([f"steps={value}"])
        assert len(str(error.value)) < 300
    assert run(["evaluate", "real-lips", "--recordings", str(tmp_path), "--generator", "energy"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("diffposetalk: ") and error.count("\n") == 1
    assert run(["evaluate", "seams"]) == 2
    assert "--recordings" in capsys.readouterr().err


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_takes_the_options_of_the_command_line(name):
    import argparse
    import dataclasses
    import importlib
    import inspect

    from diffposetalk.cli.commands import evaluate

    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    (measures,) = (action for action in parser._actions if action.dest == "measure")
    declared = {action.dest for action in measures.choices[name]._actions} - {"help", "json", "quiet", "debug"}
    declared = declared - {"option"} | ({"options"} if "option" in declared and not MEASURES[name].generator else set())
    for argument, together in MEASURES[name].together().items():
        declared = declared - {part.name for part in dataclasses.fields(together)} | {argument}
    module = importlib.import_module(f"diffposetalk.workshop.evaluate.{MEASURES[name].module}")
    assert set(inspect.signature(module.evaluate).parameters) == declared | {"progress"}
    assert callable(module.report)


def test_aperture_of_a_track_skips_frames_without_a_face(tmp_path):
    indices = np.array([82, 13, 312, 87, 14, 317, 10, 152])
    points = np.zeros((4, 8, 3))
    points[:, 3:6, 1] = np.array([0.0, 1.0, 99.0, 3.0])[:, None]
    points[:, 7, 1] = 100
    track = tmp_path / "a.npz"
    times = np.arange(4) / 25
    np.savez(track, landmark_idx=indices, landmarks_px=points, time=times, detected=np.array([1, 1, 0, 1], bool))
    assert tracked_aperture(track) == pytest.approx([0, 0.01, 0.02, 0.03])
    np.savez(track, landmark_idx=indices + 1, landmarks_px=points, time=times, detected=np.ones(4, bool))
    with pytest.raises(InputError, match="lacks face mesh landmark"):
        tracked_aperture(track)
    np.savez(track, landmarks_px=points, time=times)
    with pytest.raises(InputError, match="it lacks detected, landmark_idx"):
        tracked_aperture(track)


def test_the_plot_is_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    speech = syllables(2.0)
    out = tmp_path / "lips.png"
    phones = [("b", 0.2, 0.3), ("aa", 0.3, 0.5)]
    lipsync_plot.plot(out, speech, {"one": energy_follower(speech)}, phones, np.linspace(0, 1, 50), "a test")
    from PIL import Image

    with Image.open(out) as image:
        assert image.width > 600 and np.asarray(image.convert("L")).std() > 5


@real
def test_real_lips_with_the_stand_in(capsys):
    code = run(
        ["evaluate", "real-lips", "--json", "--recordings", str(REALDATA), "--generator", "energy", "--samples", "1"]
    )
    result = json.loads(capsys.readouterr().out)
    assert code == 0 and len(result["per_clip"]) == 10
    assert 0 < result["mean"]["r0"] < 0.3  # loudness alone is far from enough
    assert 0.36 < result["baseline"]["r0"] < 0.42 and result["baseline"]["best_lag"] in (0, 1)
    assert result["baseline"]["r_at_offset"] > result["baseline"]["r0"]
    offsets = result["offsets"]
    assert abs(offsets["grid_bbaf2n"]["seconds"]) < 0.02 and offsets["grid_bbaf2n"]["method"] == "closures"
    assert -0.06 < offsets["vr_2"]["seconds"] < -0.01


@real
def test_real_closures_of_tracked_lips_agree_with_the_alignment():
    pytest.importorskip("pocketsphinx")
    from diffposetalk.workshop.evaluate.recordings.alignment import align, aligned

    known = [one for one in transcripts(REALDATA) if one.name == "grid_pwij3p"]
    assert known[0].words == "place white in j three please"
    (_, phones), left_out = aligned(known)[0]["grid_pwij3p"], aligned(known)[1]
    assert not left_out and sum(symbol == "p" for symbol, _, _ in phones) == 2
    found = closures.closures(tracked_aperture(REALDATA / "tracks/grid_pwij3p.npz"), 25.0, phones)
    assert found.n_pressed == found.n_sealed == 2
    with pytest.raises(InputError, match="qwrtz"):
        align(np.zeros(16000), "place qwrtz")
