"""A loopback Azure Resource Manager: enough of it that the Azure SDKs cannot tell the difference on what we use."""
