"""Keys, tokens, passwords, signatures."""
