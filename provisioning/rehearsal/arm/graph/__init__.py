"""Microsoft.ResourceGraph: a small part of the Kusto Query Language over what exists."""
