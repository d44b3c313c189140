"""How well a model's speech encoder hears people that it has not met: a linear probe reads phones from it.

``inputs`` makes what a probe reads, ``probe`` fits it, ``scores`` measures it on speakers held out.
"""
