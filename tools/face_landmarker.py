"""Make the bundled face model, `src/diffposetalk/assets/face_landmarker.task`, of the models in a MediaPipe wheel.

Wheels of MediaPipe up to 0.10.21 carry a face detector and a face mesh "with attention" (Apache-2.0). The mesh has seven
outputs: 468 landmarks, refined lips, eyes and irises, and a score. MediaPipe's Tasks API, which later wheels have alone,
wants 478 landmarks in one output. So this script appends to the network what MediaPipe's graph
`tensors_to_face_landmarks_with_attention` did outside it: lips and eyes take x and y of their refined landmarks, irises
also the mean depth of their lids. No weight is changed.

    pip download --no-deps --python-version 3.12 --only-binary=:all: mediapipe==0.10.21
    python tools/face_landmarker.py mediapipe-0.10.21-*.whl            # needs a MediaPipe from 1.0 on, for its schema
"""

from __future__ import annotations

import argparse
import io
import struct
import zipfile
from pathlib import Path

import numpy as np

TARGET = Path(__file__).resolve().parents[1] / "src/diffposetalk/assets/face_landmarker.task"
DETECTOR = "mediapipe/modules/face_detection/face_detection_short_range.tflite"
MESH = "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite"

N_MESH, N_IRIS = 468, 5
LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
    76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408,
    62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407,
)  # fmt: skip
LEFT_EYE = (
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173,
    130, 25, 110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190,
    226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189,
    35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193,
)  # fmt: skip
RIGHT_EYE = (
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398,
    359, 255, 339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414,
    446, 261, 448, 449, 450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413,
    265, 353, 276, 283, 282, 295, 372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417,
)  # fmt: skip
"""Which landmark each refined point is, in the order of the network's outputs (MediaPipe's graph of the same name)."""
ALIGNMENT = 16
"""Bytes: networks are read where they lie in the file."""
N_LID = 16
"""The first points of an eye are the edge of its lids."""


def merged(data: bytes) -> bytes:
    """Append operations that merge the outputs of the face mesh with attention.

    Args:
        data: the network, a TFLite flatbuffer.

    Returns:
        The same network with two outputs: x, y and z of 478 landmarks ``(1, 1, 1, 1434)``, and the score of a face.
    """
    import flatbuffers
    from mediapipe.tasks.metadata import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    graph = model.subgraphs[0]
    operator, options = schema.BuiltinOperator, schema.BuiltinOptions

    def buffer(values: np.ndarray | None = None) -> int:
        made = schema.BufferT()
        if values is not None:
            made.data = np.frombuffer(values.astype("<i4").tobytes(), np.uint8)
        model.buffers.append(made)
        return len(model.buffers) - 1

    empty = buffer()

    def tensor(name: str, shape: tuple[int, ...], constant: np.ndarray | None = None) -> int:
        made = schema.TensorT()
        made.name, made.shape = name.encode(), np.array(shape, np.int32)
        made.type = schema.TensorType.FLOAT32 if constant is None else schema.TensorType.INT32
        made.buffer = empty if constant is None else buffer(constant)
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def kind(builtin: int) -> int:
        made = schema.OperatorCodeT()
        made.builtinCode = made.deprecatedBuiltinCode = builtin
        made.version = 1
        model.operatorCodes.append(made)
        return len(model.operatorCodes) - 1

    def append(opcode: int, inputs: list[int], output: int, option_type: int, option: object) -> int:
        made = schema.OperatorT()
        made.opcodeIndex, made.builtinOptionsType, made.builtinOptions = opcode, option_type, option
        made.inputs, made.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        graph.operators.append(made)
        return output

    gather, mean, concatenate = kind(operator.GATHER), kind(operator.MEAN), kind(operator.CONCATENATION)
    last_axis = tensor("last_axis", (1,), np.array([3]))

    def picked(source: int, indices: np.ndarray, name: str) -> int:
        option = schema.GatherOptionsT()
        option.axis = 3
        index = tensor(f"{name}_indices", indices.shape, indices)
        return append(
            gather, [source, index], tensor(name, (1, 1, 1, len(indices))), options.GatherOptions, option
        )  # fmt: skip

    def mean_of(source: int, name: str) -> int:
        option = schema.ReducerOptionsT()
        option.keepDims = True
        return append(mean, [source, last_axis], tensor(name, (1, 1, 1, 1)), options.ReducerOptions, option)

    mesh, lips, left_eye, right_eye, left_iris, right_iris, score = (int(index) for index in graph.outputs)
    depths = [
        mean_of(picked(mesh, 3 * np.array(eye[:N_LID]) + 2, f"{name}_lid_depths"), f"{name}_iris_depth")
        for name, eye in (("left", LEFT_EYE), ("right", RIGHT_EYE))
    ]
    parts = [mesh, lips, left_eye, right_eye, left_iris, right_iris, *depths]
    sizes = [3 * N_MESH, 2 * len(LIPS), 2 * len(LEFT_EYE), 2 * len(RIGHT_EYE), 2 * N_IRIS, 2 * N_IRIS, 1, 1]
    option = schema.ConcatenationOptionsT()
    option.axis = 3
    everything = append(
        concatenate, parts, tensor("outputs", (1, 1, 1, sum(sizes))), options.ConcatenationOptions, option
    )
    landmarks = picked(everything, places(sizes), "landmarks")
    graph.outputs = np.array([landmarks, score], np.int32)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def places(sizes: list[int]) -> np.ndarray:
    """Return where among all outputs, one after the other, x, y and z of each landmark lie, ``(1434,)``."""
    starts = np.cumsum([0, *sizes])
    place = np.zeros((N_MESH + 2 * N_IRIS, 3), np.int64)
    place[:N_MESH] = np.arange(3 * N_MESH).reshape(N_MESH, 3)
    irises = (range(N_MESH, N_MESH + N_IRIS), range(N_MESH + N_IRIS, N_MESH + 2 * N_IRIS))
    for start, landmarks in zip(starts[1:], (LIPS, LEFT_EYE, RIGHT_EYE, *irises)):
        place[list(landmarks), 0] = start + 2 * np.arange(len(landmarks))
        place[list(landmarks), 1] = place[list(landmarks), 0] + 1
    for start, iris in zip(starts[6:], irises):
        place[list(iris), 2] = start
    return place.reshape(-1)


def bundle(wheel: Path) -> bytes:
    """Return the bundle that MediaPipe's face landmarker opens; the same wheel gives the same bytes."""
    with zipfile.ZipFile(wheel) as opened:
        models = {
            "face_detector.tflite": opened.read(DETECTOR),
            "face_landmarks_detector.tflite": merged(opened.read(MESH)),
        }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, data in models.items():
            entry = zipfile.ZipInfo(name)
            padding = -(stream.tell() + 30 + len(name) + 4) % ALIGNMENT  # 30 bytes of header, then name and this field
            entry.extra = struct.pack("<HH", 0xFFFF, padding) + bytes(padding)  # a field that readers skip
            archive.writestr(entry, data)
    return stream.getvalue()


def main() -> None:
    """Write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=TARGET)
    arguments = parser.parse_args()
    arguments.output.write_bytes(bundle(arguments.wheel))


if __name__ == "__main__":
    main()
