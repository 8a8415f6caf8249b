"""Networks as ONNX graphs, which run without PyTorch."""
