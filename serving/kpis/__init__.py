"""Key figures of the service: speed, resolution, access and satisfaction, against their targets."""
