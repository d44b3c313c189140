"""Distillation: a model learns to do in one pass, or in fewer steps, what it does in several."""
