"""Client of the live server: sound goes out, the same sound comes back with 52 weights and the head's rotation.

Asynchronous::

    async with connect("ws://127.0.0.1:8765/live", rate=24000, style="lively") as live:
        async for sent in live.speak(blocks_of_sound):
            play(sent.chunk.sound); show(sent.chunk.weights, sent.chunk.head)

Not asynchronous: `connect_sync`, whose methods have the same names. Messages: docs/live-protocol.md. Needs
`pip install 'diffposetalk[serve]'`.
"""

from diffposetalk.live.client.asynchronous import Live
from diffposetalk.live.client.connecting import connect, connect_sync
from diffposetalk.live.client.events import Event, LiveError
from diffposetalk.live.client.synchronous import LiveSync
from diffposetalk.live.protocol import Sent
from diffposetalk.live.synced import SyncedChunk

__all__ = ["Event", "Live", "LiveError", "LiveSync", "Sent", "SyncedChunk", "connect", "connect_sync"]
