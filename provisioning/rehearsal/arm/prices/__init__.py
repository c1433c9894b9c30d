"""The Retail Prices API, which on Azure is a service of its own and asks for no sign-in."""
