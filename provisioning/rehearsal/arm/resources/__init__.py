"""Microsoft.Resources and what hangs on it: subscriptions, providers, resource groups, lists, extension resources."""
