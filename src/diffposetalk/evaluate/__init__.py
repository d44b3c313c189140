"""Measurements of a generator of motion, each a command: ``python -m diffposetalk.evaluate.<name> --json``.

``real_lips`` lips against tracked faces, ``closures`` lips sealed where the sound says so and in silence, ``presets``
whether manners are recognised, ``seams`` joins between windows, ``manner_statistics`` reference against generated
manner, ``lipsync_plot`` a picture to listen with one's eyes.
"""
