"""The WebSocket server: sound in, the same sound with 52 weights and the head's rotation out.

It needs `pip install 'diffposetalk[serve]'` (websockets). Of the libraries that would do, `websockets` is the one without
dependencies: it bounds what waits in both directions, refuses oversized messages while they come in, and its client serves
our Python client. A web framework would add routing that three paths do not need.
"""

from diffposetalk.live.server.limits import Limits
from diffposetalk.live.server.server import PORT, LiveServer
from diffposetalk.live.server.voices import Manner, TalkerVoices, Voices

__all__ = ["PORT", "Limits", "LiveServer", "Manner", "TalkerVoices", "Voices"]
