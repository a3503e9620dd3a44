"""What workers and the scheduler run: thin, calls services."""
