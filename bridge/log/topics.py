"""The names of everything in an episode log. Writer and reader agree on them here."""

FORMAT = 1  # a reader refuses a log of a newer format

ACTION, COMMAND, MEASURED = "/action", "/command", "/measured"
STATE = "/sim/state"
SEEN = "/seen"
EVENT, EVENT_DATA = "/event", "/event/data"
PLAN, SCORE = "/plan", "/score"
MANIFEST_FILE = "manifest.json"


def picture_topic(key: str) -> str:
    """Topic of an observation key: `image.front` is `/obs/front`, `depth.front` is `/obs/front/depth`."""
    kind, camera = key.split(".", 1)
    return f"/obs/{camera}" if kind == "image" else f"/obs/{camera}/depth"
