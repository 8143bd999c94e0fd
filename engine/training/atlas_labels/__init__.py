"""The network that labels what a photo does not show, taught over the body's atlas."""
