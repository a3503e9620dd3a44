"""The certificate that HTTPS is served with: where it comes from, whether it can be used, who trusts it."""
