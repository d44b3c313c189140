"""Numbers of the mouth's motion: how far gestures of speech move the ARKit channels of lips, jaw and cheeks.

`GAP_MM` is measured on the bundled head. `ROUNDING_NARROWS`, `TUCK_SHUTS` and the shares of pucker, funnel, roll and
stretch were moved toward what one filmed talker with known phones shows (GRID corpus, talker s1, 450 sentences). All
other numbers were set by eye on rendered clips, until the checks of the corpus report held. Weights and gestures have
no unit, 0 is none and 1 is full. "By X" is added for each unit of X.
"""

from __future__ import annotations

GAP_MM = {
    "jawOpen": 32.0,
    "mouthClose": -32.7,
    "mouthFunnel": 9.3,
    "mouthUpperUp": 5.1,
    "mouthLowerDown": 4.1,
    "mouthShrugUpper": 3.3,
    "mouthPucker": -2.8,
    "mouthSmile": -2.5,
    "mouthPress": -1.9,
    "mouthRollUpper": -1.7,
    "mouthRollLower": -2.7,
    "mouthShrugLower": -4.4,
}
"""Lip gap at the middle of the mouth, millimetres for a weight of 1 (both sides together)."""
GAINS = {
    "mouthRollLower": {"press": 0.32, "tuck": 0.55, "rest": 0.15, "always": 0.01},
    "mouthRollUpper": {"press": 0.34, "rest": 0.15, "always": 0.01},
    "mouthShrugLower": {"press": 0.06, "rest": 0.1, "always": 0.02},
    "mouthShrugUpper": {"press": 0.05, "frown": 0.05},
    "mouthPress": {"press": 0.5, "rest": 0.6},
    "mouthSmile": {"smile": 1.0, "spread": 0.14},
    "mouthDimple": {"spread": 0.06, "smile": 0.1, "rest": 0.08},
}
"""Weight of a channel for each gesture at 1: lips pressed in a closure, lips at rest, lower lip tucked under the teeth
(f, v), corners spread, smile, frown, and always."""

GAP_FULL_MM = 23.5
"""Lip gap in millimetres at a gap of 1, for a speaker whose `mouth_opening` is 1."""
GAP_NOISE = 0.05
"""Standard deviation of the lip gap's slow noise, as a share of the gap."""
HEARD_SHARE = 0.6
"""Share of the teacher's lip gap in the mixture with that of the phones, where there is a teacher. The teacher knows real
faces, the phones know every language."""
HEARD_JAW = 0.8
"""Jaw opening by what the teacher's gap adds."""
ROUNDING_NARROWS = 0.5
"""Share of the lip gap that full rounding takes away."""
TUCK_SHUTS = 0.7
"""Share of the lip gap that a tucked lower lip takes away."""
BEYOND_CONTACT_MM = 2.5
"""Overlap of the lips asked for in a firm closure, millimetres; press and roll absorb it."""
REST_PRESSES = 0.3
"""Press of the lips at rest, as a share of that in a closure."""
LIPS_OPEN_MM = 2.0
"""Most that the lips add to the gap where the other channels do not open far enough, millimetres."""
LIPS_OPEN_SHARE = 0.08
"""Share of the gap that the lips always open."""
UPPER_LIP_SHARE = 0.15
"""Upper lip's share of what the lips open."""
UPPER_LIP_BY_MANNER = 0.7
"""The same by `upper_lip` of the manner."""
TUCK_RAISES_LIP = 0.3
"""`mouthUpperUp` of a tucked lower lip."""
SMILE_RAISES_LIP = 0.1
"""`mouthUpperUp` of a smile at a gap of 1."""
SPREAD_LOWERS_LIP = 0.12
"""`mouthLowerDown` of spread corners at a gap of 1."""

JAW_FULL = 0.78
"""`jawOpen` at a jaw opening of 1, for a `mouth_opening` of 1 and an even balance of jaw and lips."""
JAW_SHARE = 0.55
"""Factor of `jawOpen` at a `jaw_lip_balance` of 0."""
JAW_SHARE_BY_BALANCE = 0.9
"""The same by `jaw_lip_balance`."""
JAW_NOISE = 0.04
"""Standard deviation of the jaw's slow noise, as a share of its opening."""
JAW_LIMIT = 0.95
"""Largest `jawOpen`."""
TUCK_LIFTS_JAW = 0.3
"""Share of the jaw's opening that a tucked lower lip takes away."""
ROUNDING_LIFTS_JAW = 0.2
"""Share of the jaw's opening that full rounding takes away."""
ROUNDING_PUSHES_JAW = 0.06
"""`jawForward` of full rounding."""

PRESS = 0.25
"""Press in a closure at a `lip_press` of 0."""
PRESS_BY_MANNER = 0.75
"""The same by `lip_press`."""
GESTURE_LIMIT = 1.2
"""Largest rounding and spreading, before the factor of the manner."""
REST_RELAXES = 0.5
"""Share of spreading that rest takes away."""
PUCKER = 0.4
"""`mouthPucker` of full rounding."""
PUCKER_GROWS = 1.4
"""Exponent of the pucker over rounding: slight rounding hardly pushes the lips forward."""
GAP_ENDS_PUCKER = 0.35
"""Share of the pucker that a gap of 1 takes away."""
FUNNEL = 0.28
"""`mouthFunnel` of full rounding at a gap of 0."""
FUNNEL_BY_GAP = 0.75
"""The same by gap."""
STRETCH = 0.4
"""`mouthStretch` of full spreading."""
ROUNDING_ENDS_STRETCH = 0.5
"""Share of the stretch that full rounding takes away."""
TONGUE_OUT = 0.22
"""`tongueOut` by how far the tongue is above `TONGUE_SHOWS`."""
TONGUE_SHOWS = 0.35
"""Height of the tongue from which it is visible between the teeth."""

SMILE_AT_REST = 0.8
"""Share of the manner's smile that stays at rest."""
SMILE_BY_SPEAKING = 0.2
"""Share of the manner's smile that speaking adds."""
ROUNDING_ENDS_SMILE = 0.45
"""Share of the smile that full rounding takes away."""
CHEEK = 0.45
"""`cheekSquint` by how far the smile is above `CHEEK_FROM`."""
CHEEK_FROM = 0.1
"""Smile from which the cheeks rise."""
SQUINT = 0.25
"""`eyeSquint` by how far the smile is above `SQUINT_FROM`."""
SQUINT_FROM = 0.15
"""Smile from which the eyes narrow."""
SNEER_AT_REST = 0.02
"""`noseSneer` of a resting face."""
SNEER = 0.1
"""`noseSneer` by `mouthUpperUp`."""

ASYMMETRY = 0.3
"""Difference of each side from the mean, as a share, at an `asymmetry` of 1."""
JAW_SIDE = 0.02
"""Sideways weight of an open jaw at an `asymmetry` of 1."""
MOUTH_SIDE = 0.04
"""Sideways weight of the speaking mouth at an `asymmetry` of 1."""
SIDE_NOISE = 0.012
"""Standard deviation of the sideways weights' slow noise."""
SHRUG_NOISE = 0.01
"""Standard deviation of the slow noise of `mouthShrugLower`."""
NOISE_S = 0.35
"""Correlation time of slow noise, seconds."""
POSTURE_NOISE = 0.12
"""Standard deviation of the slow noise of smile and frown, as a share of them."""
POSTURE_NOISE_S = 1.5
"""Correlation time of the same, seconds."""
FASTEST_MOUTH = 9.0
"""Largest change of a mouth weight in a second."""
