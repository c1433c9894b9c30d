"""Whether this computer and this account have what llamalift needs."""
