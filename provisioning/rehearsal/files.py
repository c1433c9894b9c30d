"""Names of files inside the rehearsal cloud's folder, known to the emulator and to those who start it."""

ACCOUNT = "account.json"
"""Ids and secrets; 0600."""

ADDRESS = "address.json"
"""Where the emulator listens and its process id; replaced at every start."""

CLOUD = "cloud.sqlite"
"""What exists."""

LOCK = "emulator.lock"
"""Held by the emulator as long as it lives."""

START_LOCK = "start.lock"
"""Held by whoever is starting the emulator."""

LOG = "emulator.log"
"""What the emulator writes to its standard output and error."""

CA = "ca.pem"
"""The certificate authority to trust."""
