"""The parts of a person as enum items."""

PART_ITEMS = (
    ("skin", "Skin", "Skin of the body and the hands"),
    ("face", "Face", "Face with ears, eyelids and lips"),
    ("eyes", "Eyes", "Eyeballs"),
    ("mouth", "Mouth", "Teeth, tongue and the inside of the mouth"),
    ("hair", "Hair", "Hair of the head"),
    ("beard", "Beard", "Beard and moustache"),
    ("upper", "Upper Clothes", "Clothes of trunk and arms"),
    ("lower", "Lower Clothes", "Trousers and stockings"),
    ("skirt", "Skirt", "Skirt, dress or coat below the waist"),
    ("shoes", "Shoes", "Shoes"),
    ("hat", "Hat", "Hat"),
    ("glasses", "Glasses", "Glasses"),
    ("held", "Held Things", "What the hands hold"),
    ("headphones", "Headphones", "Headphones"),
    ("earrings", "Earrings", "Earrings"),
    ("necklace", "Necklace", "Necklace"),
    ("scarf", "Scarf", "Scarf"),
)
"""All parts but the unknown one."""
