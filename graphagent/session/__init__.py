"""Sessions: settings, the composition root, controllers, child sessions, and the JSON documents."""
