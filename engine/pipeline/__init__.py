"""From photo to avatar: options, tracking, building and the report."""
