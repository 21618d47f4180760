"""Pictures that explain: maps in colours, panels with captions, files side by side."""
