"""Skirts: meshes of their own that hang around both legs."""
