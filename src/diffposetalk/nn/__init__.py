"""The networks: speech encoder, style encoder, denoiser. They know shapes, not schedules, samplers or files."""
