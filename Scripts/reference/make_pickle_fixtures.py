#!/usr/bin/env python3
"""Pickles of plain values as Python 2 and 3 write them, for the reader of RefCOCO's references.

    python3 Scripts/reference/make_pickle_fixtures.py Tests/InstructionDataTests/Fixtures/pickles

Python 2's texts are opcodes that Python 3 no longer writes, so its pickler's `save_str` is repeated here. Each file is
read back with CPython before it is kept. The values are made up.
"""
import io, json, os, pickle, struct, sys

REFERENCES = [
    {
        "ref_id": 40 + number, "ann_id": 1700000 + number, "image_id": 2**31 + number, "category_id": number * 300,
        "split": "train" if number % 3 else "testA", "file_name": f"COCO_train2014_{number:012}_1.jpg",
        "sent_ids": [2 * number, 2 * number + 1],
        "sentences": [
            {"tokens": ["the", "café", str(number)], "raw": f"The 'café' \"{number}\"\\n", "sent": f"the café {number}", "sent_id": 2 * number},
            {"tokens": ["man"], "raw": "Man\nleft\t😀", "sent": "man left 😀", "sent_id": 2 * number + 1},
        ],
        "area": 0.125 * number - 3, "iscrowd": number == 1, "none": None, "negative": -(10**12) * number, "pair": (1, (2, "x")),
        "empty": [[], {}, (), ""], "long": "é" * 300,
    }
    for number in range(5)
]
# The same list twice: a pickle writes it once and remembers it.
REFERENCES[4]["sent_ids"] = REFERENCES[3]["sent_ids"]


class Python2(pickle._Pickler):
    """Writes texts as Python 2 writes `str`."""
    dispatch = dict(pickle._Pickler.dispatch)

    def save_text(self, text):
        data = text.encode()
        if not self.bin:
            self.write(b"S" + repr(data)[1:].encode() + b"\n")
        elif len(data) < 256:
            self.write(b"U" + bytes([len(data)]) + data)
        else:
            self.write(b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(text)

    dispatch[str] = save_text


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    expected = json.loads(json.dumps(REFERENCES))
    for protocol in range(6):
        for name, pickler in [("python2", Python2), ("python3", pickle._Pickler)]:
            if name == "python2" and protocol > 2:
                continue
            buffer = io.BytesIO()
            pickler(buffer, protocol).dump(REFERENCES)
            read = pickle.loads(buffer.getvalue(), encoding="utf-8")
            assert json.loads(json.dumps(read)) == expected, (name, protocol)
            with open(os.path.join(folder, f"{name}-{protocol}.p"), "wb") as file:
                file.write(buffer.getvalue())
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(expected, file, indent=1)


main()
