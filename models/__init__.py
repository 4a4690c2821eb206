"""What will probably happen: risk per customer, contact volume, and the two made one."""
