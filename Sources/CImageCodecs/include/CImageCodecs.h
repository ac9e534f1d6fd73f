// Replaced by the first real header.
