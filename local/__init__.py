"""The local platform: a launcher and the engines behind the local AWS. Nothing outside local/ imports it."""
