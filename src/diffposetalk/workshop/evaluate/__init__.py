"""Measurements of a generator of motion; `diffposetalk evaluate` runs them.

Each module has ``evaluate``, which returns the result as plain values, and ``report``, which lays it out as text.
"""
