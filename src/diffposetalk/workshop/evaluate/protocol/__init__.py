"""The protocol of a comparison: which clips, which style for each of them, which seeds, all pinned by hashes."""

from diffposetalk.workshop.evaluate.protocol.contents import Part, PinnedClip, Protocol, Topology

__all__ = ["Part", "PinnedClip", "Protocol", "Topology"]
