"""Measurements of a generator of motion, each a command: ``python -m diffposetalk.workshop.evaluate.<name> --json``.

``real_lips`` lips against tracked faces, ``closures`` lips sealed where the sound says so and in silence, ``held_out``
a style encoder of its own and ``presets`` whether it recognises manners, ``style_statistics`` reference against
generated manner, ``style_robustness`` styles of disturbed motion, ``seams`` joins between windows, ``tracking`` tracked
video against independent tracks, ``lipsync_plot`` a picture to listen with one's eyes, ``learning_plot`` how a run learned.
"""
