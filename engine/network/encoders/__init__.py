"""Image encoders: our own, Sapiens as TorchScript, Sapiens2 and DINOv2 through transformers.

Needs torch. The paper's is a frozen Sapiens-1B (section 3.1).
"""

from .encoder import Encoder, create_encoder

__all__ = ["Encoder", "create_encoder"]
