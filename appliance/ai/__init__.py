"""The local language models: what runs them, what is asked of them, what becomes of their answers."""
