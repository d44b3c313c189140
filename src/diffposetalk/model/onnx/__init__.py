"""The networks as ONNX graphs, made from a model file's settings and weights, and run by onnxruntime; no torch here."""
