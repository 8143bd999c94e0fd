"""What people wear on the head and neck: shapes of our own, or MakeHuman's files, fitted."""
