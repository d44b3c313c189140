"""The authors' released weights: read without running anything in them, converted, and used as their demo does.

The peculiarities of those weights and that code are handled only here.
"""
