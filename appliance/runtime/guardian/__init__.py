"""The guardian: starts again what ended or hangs, by the policy, and tells when it gives up."""
