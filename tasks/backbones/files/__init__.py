"""Backbones from files: ONNX, and OpenVINO's own format."""
