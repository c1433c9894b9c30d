"""The rehearsal cloud: a loopback Azure Resource Manager and local machines, for learning and for tests."""
