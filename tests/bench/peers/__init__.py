"""What the appliance is measured beside: programs in .venv-bench, which import nothing of ours."""
