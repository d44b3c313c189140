"""Speech: its sound (`sound`), where in it somebody speaks (`activity`), and what is said (`transcript`)."""

from diffposetalk.speech.sound import MAX_DURATION, SAMPLE_RATE, Speech, SpeechFile, silent

__all__ = ["MAX_DURATION", "SAMPLE_RATE", "Speech", "SpeechFile", "silent"]
