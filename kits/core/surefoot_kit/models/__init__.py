"""Models that come with the kit."""
