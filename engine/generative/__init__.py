"""Generated people (paper, supplement B.2): prompts, clips, side and back views, shards.

Scenes are composed from vocabularies, rewritten by a language model, filmed by a video model;
an image model turns one frame of each clip to the sides and the back. What the tracker follows
well becomes training data of the same form as the rendered people's.
"""
