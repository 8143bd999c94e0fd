"""The photo over the dressed body: its light, its patterns, and which pixels are trusted where."""
