"""The Dual-UV network: encoders, decoder, their files and their run time."""
