"""What moves in a face: lids, eyes, lips and the inside of the mouth."""
