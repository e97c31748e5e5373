"""All that can leave the machine."""
