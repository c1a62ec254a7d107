"""The example client: what an editor's software does with the hub, in plain aiormq."""
