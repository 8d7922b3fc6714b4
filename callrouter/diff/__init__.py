"""Two sets of rules side by side: what is written otherwise, who goes elsewhere, and who would have gone elsewhere."""
