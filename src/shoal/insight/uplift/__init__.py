"""Who responds to a treatment: effects of single customers, and how far they can be trusted."""
