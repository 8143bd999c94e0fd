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

_BY_NAME = {item[0]: item for item in PART_ITEMS}

TINT_ITEMS = (
    _BY_NAME["hair"],
    ("brows", "Brows", "Eyebrows"),
    ("skin", "Skin", "Skin of body and face; the lips follow it"),
    ("lips", "Lips", "Lips"),
    ("eyeshadow", "Eyeshadow", "Make-up on the eyelids"),
    ("blush", "Blush", "Make-up on the cheeks"),
    *(_BY_NAME[name] for name in ("upper", "lower", "skirt", "shoes")),
)
"""What can have another color, as the engine's table has it."""

EDIT_ITEMS = (
    ("AUTO", "Automatic", "What the picture shows"),
    *(item for item in PART_ITEMS if item[0] not in ("eyes", "mouth")),
    *TINT_ITEMS[1:2],
    *TINT_ITEMS[3:6],
)
"""What may have been changed in a portrait."""

LIBRARY_ITEMS = (
    ("AUTO", "Automatic", "What the file's name and tags say, or where it lies on the body"),
    ("outfit", "Outfit", "Suit, dress or overall; it replaces upper and lower clothes"),
    _BY_NAME["upper"],
    ("lower", "Lower Clothes", "Trousers, shorts or skirt"),
    ("coat", "Coat", "Coat or jacket over other clothes"),
    _BY_NAME["shoes"],
    ("hat", "Hat", "A hat or cap"),
    _BY_NAME["hair"],
    _BY_NAME["glasses"],
    _BY_NAME["earrings"],
    _BY_NAME["necklace"],
    _BY_NAME["scarf"],
    ("bracelet", "Bracelet", "Bracelet, watch or ring"),
)
"""What a file of a MakeHuman library may be, as the engine's table has it."""
