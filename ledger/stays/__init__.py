"""Divides a stay over the turn of a benefit year by its days, where its policy says so (DOMAIN section 4, step 0)."""
