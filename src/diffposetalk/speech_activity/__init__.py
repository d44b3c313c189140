"""Where in a sound somebody speaks: voice activity, music, and speech with all else silenced.

`SpeechOnly` is what generating motion needs: a mouth must not move for what is no speech.
"""

from diffposetalk.speech_activity.silenced import SpeechOnly
from diffposetalk.speech_activity.voice import VoiceDetector, voice_probabilities, voice_spans

__all__ = ["SpeechOnly", "VoiceDetector", "voice_probabilities", "voice_spans"]
