"""Secrets that must not come out of imapmeter again, in any of the shapes that a program could give them."""

import base64
import os

_LETTERS = 8


class Canary:
    """`word` stands for a password: letters and digits that occur nowhere else."""

    def __init__(self):
        self.word = b"Cnry" + base64.b32encode(os.urandom(_LETTERS)).rstrip(b"=")

    def shapes(self) -> dict[str, bytes]:
        """What to look for; base64 as it stands at each of the three places within four letters."""
        found = {
            "as it is": self.word, "hex": self.word.hex().encode(), "HEX": self.word.hex().upper().encode(),
            "UTF-16LE": self.word.decode().encode("utf-16-le"), "UTF-16BE": self.word.decode().encode("utf-16-be"),
            "URL": b"".join(b"%%%02x" % octet for octet in self.word),
            "URL, upper case": b"".join(b"%%%02X" % octet for octet in self.word), "backwards": self.word[::-1],
        }
        for place in range(3):
            # without the letters that hold bits of what stands before and behind
            text = base64.b64encode(bytes(place) + self.word)
            found[f"base64 at {place}"] = text[-(-place * 8 // 6):len(text) - 4].strip(b"=")
        return found

    def seen_in(self, octets: bytes) -> list[str]:
        """The shapes that occur there."""
        folded = octets.lower()
        return [shape for shape, what in self.shapes().items()
                if what in octets or (shape == "as it is" and what.lower() in folded)]
