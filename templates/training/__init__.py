"""The trainer, as it runs on the machine; only the pure parts are imported on the client."""
