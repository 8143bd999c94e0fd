"""Image encoders: our own, Sapiens as TorchScript, Sapiens2 and DINOv2 through transformers."""
