"""The way that needs nothing but pip: an SSH server of our own, one process per machine.

No sandbox: the machine's `/etc/ssh`, home and `/opt` are folders below the machine's own folder, its commands see the
whole computer, and the environment says where things are (`LLAMALIFT_WORKSPACE`, `LLAMALIFT_SSH_DIR`).
`python -m provisioning.rehearsal.machines.in_process SETTINGS` is the machine's process.
"""
