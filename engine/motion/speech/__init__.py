"""A face that speaks: recordings, texts and lip-sync files to ARKit's 52 actions.

The way a recording takes: :mod:`.audio` reads it, :mod:`.recognizer` (or :mod:`.acoustics`, for
other languages) finds timed sounds, :mod:`.visemes` turns them into shapes of the mouth,
:mod:`.articulation` into weights over time, and :mod:`.behavior` adds blinks and the head.
"""
