"""Networks (speech encoder, style encoder, denoiser) and the files they are stored in."""
