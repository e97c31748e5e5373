"""What may leave this machine: nothing of credentialed data, unless its host was approved.

PhysioNet's terms allow MIMIC only at services that keep nothing. A user who has such an agreement
names the host in CHARTHOUSE_APPROVED_HOSTS. Loopback is always allowed, synthetic data anywhere.
"""

from dataclasses import dataclass


@dataclass
class Guard:
    """Stands between an encoder or learner and the network."""

    is_synthetic: bool = False
