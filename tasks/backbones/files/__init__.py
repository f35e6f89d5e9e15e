"""Backbones from files: ONNX, OpenVINO's own format, and saved Keras models."""
