"""Plugins for frameworks of voice agents: speech of the agent in, the same speech and the motion of a face out.

`pipecat` needs `pip install 'diffposetalk[pipecat]'`, `livekit` needs `pip install 'diffposetalk[livekit]'`. Both run the
model in the agent's own process; `diffposetalk serve` is the way to run it elsewhere.
"""
