"""What this machine does in a second: `presage bench`."""
