"""Dual-UV: image features carried to the body's UV space (paper section 3.1)."""
