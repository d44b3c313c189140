"""Pickles read as plain numbers; nothing in them is run."""

from diffposetalk.files.pickles.arrays import Unread
from diffposetalk.files.pickles.reader import KINDS, unpickle, unpickle_npy
from diffposetalk.files.pickles.unpickler import short

__all__ = ["KINDS", "Unread", "short", "unpickle", "unpickle_npy"]
