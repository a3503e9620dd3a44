"""Forms and answers, pure: no I/O but this package's own data file, no framework, no clock."""
