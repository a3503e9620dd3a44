"""What is promised when things break."""
