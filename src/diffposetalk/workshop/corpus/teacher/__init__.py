"""The teacher of the speech encoder: a large pretrained speech model with readers of phones and of the lip gap on top.

It is used to make training data, and never when speech is animated.
"""
