"""What covers the body all around, where the photo shows it and where it does not."""
