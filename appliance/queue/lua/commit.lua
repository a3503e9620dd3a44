-- Commit an attempt: see `committing`. Returns 0 when the task was not ours any more, 1 when it was, 2 when it was done before.
return commit()
