"""Networks for use without this package: as PyTorch source, and as files of torch.export and ONNX."""
