"""A manner of speaking: some twenty named parameters of articulation, upper face and head, and how to draw them.

The ranges were set by hand so that motion made with them covers what ten tracked clips of real talking faces show
(percentiles of ARKit scores, blink rates, head spread and speed per axis; nothing of the clips is stored here) and
what is published: blinks of 10-40 per minute while talking, lips ahead of the sound by up to two video frames, head
rotation of a few degrees around the pose of rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from diffposetalk.errors import UsageError


def _parameter(default: float, low: float, high: float, meaning: str) -> float:
    return field(default=default, metadata={"range": (low, high), "meaning": meaning})


@dataclass(frozen=True)
class Manner:
    """How one speaker moves: the default (a neutral speaker), the range (`Manner.ranges`) and the meaning of each parameter."""

    # fmt: off
    mouth_opening: float = _parameter(1.0, 0.6, 1.4, "Scale of how far vowels open the mouth.")
    precision: float = _parameter(0.6, 0.1, 1.0, "How fully quick sounds reach their targets: 0 mumbles, 1 speaks clearly.")
    jaw_lip_balance: float = _parameter(0.5, 0.0, 1.0, "Share of the opening that the jaw makes; the lips make the rest.")
    energy_coupling: float = _parameter(0.3, 0.1, 1.0, "How strongly loudness and stress widen the mouth.")
    rounding: float = _parameter(1.0, 0.4, 1.6, "Scale of pucker and funnel on rounded sounds.")
    spread: float = _parameter(1.0, 0.4, 1.6, "Scale of stretched lip corners on spread vowels.")
    anticipation: float = _parameter(0.02, -0.01, 0.05, "Seconds by which the mouth runs ahead of the sound.")
    smile: float = _parameter(0.06, 0.0, 0.6, "Raised lip corners held while speaking, with cheeks to match.")
    frown: float = _parameter(0.03, 0.0, 0.4, "Lowered lip corners held while speaking.")
    upper_lip: float = _parameter(0.1, 0.0, 0.5, "How much of the opening the upper lip does by rising.")
    lip_press: float = _parameter(0.1, 0.0, 0.5, "Pressed lips in closures and pauses.")
    brow_raise: float = _parameter(0.0, -0.5, 0.5, "Brow posture at rest: below 0 lowered, above 0 raised.")
    brow_activity: float = _parameter(0.5, 0.0, 1.4, "Size of brow movements on accents and questions.")
    blink_rate: float = _parameter(20.0, 8.0, 40.0, "Blinks per minute.")
    eye_openness: float = _parameter(0.0, -0.5, 0.5, "Lid posture: below 0 narrowed, above 0 wide.")
    gaze_activity: float = _parameter(0.5, 0.1, 1.4, "How far and how often the eyes move.")
    head_pitch: float = _parameter(0.036, 0.006, 0.1, "Spread of nodding posture, radians.")
    head_yaw: float = _parameter(0.045, 0.006, 0.13, "Spread of turning, radians.")
    head_roll: float = _parameter(0.024, 0.004, 0.07, "Spread of sideways tilting, radians.")
    nod_on_accent: float = _parameter(0.6, 0.0, 1.5, "Size of nods on accented syllables; 1 is about 4 degrees.")
    head_tilt: float = _parameter(0.0, -0.14, 0.14, "Sideways tilt held at rest, radians; above 0 toward the right shoulder.")
    head_speed: float = _parameter(1.2, 0.5, 2.0, "Speed of sway, strokes and new postures.")
    asymmetry: float = _parameter(0.0, -1.0, 1.0, "Side that moves more in mouth and brows: above 0 the left.")
    # fmt: on

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges().items():
            value = getattr(self, name)
            if not (np.isfinite(value) and low - 1e-6 <= value <= high + 1e-6):
                raise UsageError(f"manner: {name} must lie in [{low:g}, {high:g}], got {value}")

    @staticmethod
    def ranges() -> dict[str, tuple[float, float]]:
        """Return the allowed range of every parameter, in the order of `vector`."""
        return {item.name: item.metadata["range"] for item in fields(Manner)}

    @staticmethod
    def sample(rng: np.random.Generator) -> Manner:
        """Draw a speaker: each parameter from a U-shaped-to-flat law over its range, so that corners are covered.

        Smile and frown exclude each other, and head amplitudes share a common factor, as in people.

        Args:
            rng: source of randomness.
        """
        ranges = Manner.ranges()
        share = {name: float(rng.beta(0.8, 0.8)) for name in ranges}
        # postures that most people hold near zero
        for name in ("smile", "frown", "lip_press", "upper_lip"):
            share[name] = float(rng.beta(0.7, 1.8))
        if share["smile"] > share["frown"]:
            share["frown"] *= 0.15
        else:
            share["smile"] *= 0.15
        for name in ("head_tilt", "brow_raise", "eye_openness"):
            share[name] = float(rng.beta(1.3, 1.3))
        share["blink_rate"] = float(rng.beta(0.9, 1.05))
        share["asymmetry"] = float(rng.beta(2.2, 2.2))  # most people are nearly even, and no side is preferred
        liveliness = float(rng.beta(0.8, 0.8))
        for name in ("head_pitch", "head_yaw", "head_roll", "nod_on_accent"):
            share[name] = float(np.clip(0.65 * liveliness + 0.35 * share[name], 0, 1)) ** 1.4
        return Manner(**{name: low + (high - low) * share[name] for name, (low, high) in ranges.items()})

    def vector(self) -> np.ndarray:
        """Return the parameters scaled to [0, 1]: ``(23,)`` float32, in the order of `ranges`."""
        return np.array(
            [(getattr(self, name) - low) / (high - low) for name, (low, high) in self.ranges().items()], np.float32
        )

    @staticmethod
    def from_vector(vector: np.ndarray) -> Manner:
        """Return the manner that `vector` describes (the inverse; values are clipped to [0, 1])."""
        ranges = Manner.ranges()
        if np.shape(vector) != (len(ranges),):
            raise UsageError(f"a manner vector has {len(ranges)} numbers, got shape {np.shape(vector)}")
        clipped = np.clip(np.asarray(vector, float), 0, 1)
        return Manner(
            **{name: float(low + (high - low) * v) for (name, (low, high)), v in zip(ranges.items(), clipped)}
        )

    @staticmethod
    def from_dict(values: Mapping[str, float]) -> Manner:
        """Build a manner from names and numbers, refusing unknown names."""
        unknown = set(values) - set(Manner.ranges())
        if unknown:
            raise UsageError(f"manner: unknown parameter {', '.join(sorted(unknown))}")
        return Manner(**{name: float(value) for name, value in values.items()})


# fmt: off
PRESETS: dict[str, Manner] = {
    "neutral": Manner(),
    "lively": Manner(
        mouth_opening=1.25, precision=0.8, energy_coupling=0.9, spread=1.3, smile=0.22, frown=0.0, upper_lip=0.2,
        brow_raise=0.25, brow_activity=1.3, blink_rate=26.0, eye_openness=0.25, gaze_activity=1.1, head_pitch=0.055,
        head_yaw=0.07, head_roll=0.035, nod_on_accent=1.0, head_speed=1.6, anticipation=0.025,
    ),
    "calm": Manner(
        mouth_opening=0.72, precision=0.4, energy_coupling=0.35, rounding=0.8, spread=0.7, smile=0.03, frown=0.0,
        upper_lip=0.04, brow_raise=-0.02, brow_activity=0.1, blink_rate=10.0, eye_openness=-0.25,
        gaze_activity=0.2, head_pitch=0.01, head_yaw=0.012, head_roll=0.007, nod_on_accent=0.1, head_speed=0.6,
    ),
    "smiling": Manner(
        mouth_opening=1.0, spread=1.5, rounding=0.75, smile=0.52, frown=0.0, upper_lip=0.3, lip_press=0.03,
        brow_raise=0.12, brow_activity=0.6, blink_rate=20.0, eye_openness=-0.12, head_roll=0.03, head_tilt=0.05,
    ),
    "serious": Manner(
        mouth_opening=0.92, precision=0.85, spread=0.6, smile=0.0, frown=0.3, upper_lip=0.03, lip_press=0.38,
        brow_raise=-0.42, brow_activity=0.35, blink_rate=12.0, eye_openness=-0.1, gaze_activity=0.3,
        head_pitch=0.02, head_yaw=0.018, head_roll=0.008, nod_on_accent=0.45, head_speed=0.8,
    ),
    "expressive-head": Manner(
        mouth_opening=1.0, precision=0.6, brow_activity=0.7, gaze_activity=0.8, head_pitch=0.095, head_yaw=0.12,
        head_roll=0.062, nod_on_accent=1.4, head_speed=1.35,
    ),
}
# fmt: on
"""Manners bundled by name; clearly apart from one another in at least one of mouth, brows and head."""
