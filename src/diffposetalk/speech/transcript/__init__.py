"""What is said in speech, and when: words, phones and their times."""

from diffposetalk.speech.transcript.reading import Transcript, read_transcript
from diffposetalk.speech.transcript.timing import timed_phones

__all__ = ["Transcript", "read_transcript", "timed_phones"]
