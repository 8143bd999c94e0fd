"""What each pixel of the photo shows: which limb, and skin, hair or which garment."""
