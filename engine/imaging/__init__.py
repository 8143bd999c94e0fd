"""Pictures: loading, resampling, alpha matting."""
