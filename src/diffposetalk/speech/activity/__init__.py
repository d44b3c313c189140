"""Where in a sound somebody speaks: voice activity, music, and speech with everything else silenced.

Generating motion measures by `SpeechMeter` how much of a sound is not speech, or silences that part by `SpeechOnly`.
"""

from diffposetalk.speech.activity.silenced import SpeechMeter, SpeechOnly
from diffposetalk.speech.activity.voice import VoiceDetector, voice_probabilities, voice_spans

__all__ = ["SpeechMeter", "SpeechOnly", "VoiceDetector", "voice_probabilities", "voice_spans"]
