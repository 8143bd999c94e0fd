"""The body's surface: its limbs, the labels on it, and how it is unrolled, sampled and covered."""
