"""Where models are made and measured: corpus, footage, training, evaluation.

Nothing outside imports this package but the command line.
"""
