"""The authors' released weights: read without running anything in them, converted, and used as their demo does.

What is odd about those weights and that code is known here alone.
"""
