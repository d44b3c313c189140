"""Copy the weights of Silero VAD (MIT) for 16 kHz out of the installed package silero-vad.

    pip install silero-vad && python tools/voice_activity.py

Writes `src/diffposetalk/assets/voice_activity.safetensors`, which `diffposetalk.speech.activity.voice` reads.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from safetensors.torch import save_file
from silero_vad import load_silero_vad

TARGET = Path(__file__).resolve().parents[1] / "src/diffposetalk/assets/voice_activity.safetensors"
NAMES = {
    "spectrum": "stft.forward_basis_buffer",
    **{
        f"convolution_{layer}.{part}": f"encoder.{layer}.reparam_conv.{part}"
        for layer in range(4)
        for part in ("weight", "bias")
    },
    **{f"lstm.{part}": f"decoder.rnn.{part}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")},
    "output.weight": "decoder.decoder.2.weight",
    "output.bias": "decoder.decoder.2.bias",
}
"""Our names of the tensors, and the package's."""


def main() -> None:
    """Write the weights."""
    theirs = load_silero_vad().state_dict()
    weights = {ours: theirs[f"_model.{name}"].contiguous() for ours, name in NAMES.items()}
    save_file(weights, TARGET, {"source": f"silero-vad {version('silero-vad')}", "licence": "MIT"})


if __name__ == "__main__":
    main()
