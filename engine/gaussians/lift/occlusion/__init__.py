"""What hides a part of the person: other limbs, held things, strangers."""
