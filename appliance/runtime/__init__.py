"""Starting, supervising and stopping the appliance's programs. Stands alone: uses only the vocabulary."""
