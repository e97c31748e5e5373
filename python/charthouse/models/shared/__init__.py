"""What encoders and learners share: weights, X-ray files, tokens."""
