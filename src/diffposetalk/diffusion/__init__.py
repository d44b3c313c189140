"""The diffusion process: noise schedules, samplers and classifier-free guidance, without networks."""
