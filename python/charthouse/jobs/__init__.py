"""What reads marts and writes results."""
