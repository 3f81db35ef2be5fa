"""The Python codec against the golden bytes, and its tables against the page they were written from."""
import json
import pathlib
import re
import struct
import unittest

import wire

ROOT = pathlib.Path(__file__).parent.parent.parent
PAGE = (ROOT / "proto" / "PROTOCOL.md").read_text()


def golden():
    entries = []
    for paragraph in (ROOT / "tests/data/golden/messages.txt").read_text().split("\n\n"):
        lines = [line.split(": ", 1) for line in paragraph.splitlines() if line and not line.startswith("#")]
        if lines:
            entry = dict(lines)
            entry["fields"], entry["bytes"] = json.loads(entry["fields"]), bytes.fromhex(entry["bytes"])
            entries.append(entry)
    return entries


def in_hex(value):
    """As the entries have it: bytes in hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: in_hex(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [in_hex(one) for one in value]
    return value


class Golden(unittest.TestCase):
    def entries(self, *directions):
        found = [e for e in golden() if e["direction"].startswith(directions)]
        self.assertTrue(found)
        for entry in found:
            with self.subTest(name=entry["name"], direction=entry["direction"], note=entry.get("note", "")):
                yield entry

    def test_messages_are_read_and_written(self):
        for entry in self.entries("producer →", "worker →", "broker →"):
            number, name, session, fields = wire.decode_header(entry["bytes"])
            self.assertEqual((name, session, fields), (entry["name"], int(entry["session"]), entry["fields"]))
            self.assertEqual(list(fields), list(entry["fields"]))  # in this order
            if "check" not in entry:
                self.assertEqual(wire.encode_header(number, session, entry["fields"]).hex(), entry["bytes"].hex())

    def test_frames_of_executors_are_read_and_written(self):
        for entry in self.entries("executor →", "agent →"):
            self.assertEqual(struct.unpack(">I", entry["bytes"][:4])[0], len(entry["bytes"]) - 4)
            name, fields = wire.decode_frame(entry["bytes"][4:])
            self.assertEqual((name, in_hex(fields)), (entry["name"], entry["fields"]))
            if "check" not in entry:
                number = next(n for n, (known, _) in wire.FRAMES.items() if known == name)
                self.assertEqual(wire.encode_frame(number, fields).hex(), entry["bytes"].hex())

    def test_blobs_are_read_and_written(self):
        for entry in self.entries("end of the blob", "blob of"):
            size = entry["fields"].get("values_bytes", 0)
            values, columns = wire.values_of(entry["bytes"][:size]), wire.decode_columns(entry["bytes"][size:])
            self.assertEqual(in_hex(columns), entry["fields"].get("columns", entry["fields"]))
            self.assertEqual(values, entry["fields"].get("values", []))
            self.assertEqual((b"".join(map(wire.pack_tuple, values)) + wire.encode_columns(**columns)).hex(), entry["bytes"].hex())

    def test_the_digest_of_a_token(self):
        for entry in self.entries("held_digest"):
            token = wire.Fields(entry["fields"]["token"])
            self.assertEqual(wire.digest(token), entry["fields"]["digest"])
            self.assertEqual(wire.digest(token), int.from_bytes(entry["bytes"], "big"))

    def test_the_header_of_a_part(self):
        for entry in self.entries("both"):
            self.assertEqual(wire.part_header(entry["fields"]["still_to_come"]), entry["bytes"])

    def test_every_message_and_frame_is_there(self):
        seen = {(e["direction"].split(" ")[0], e["name"]) for e in golden()}
        for numbers, sender in ((range(1, 31), "producer"), (range(31, 61), "worker"), (range(61, 121), "broker")):
            for number, (name, _) in wire.MESSAGES.items():
                if number in numbers:
                    self.assertIn((sender, name), seen)
        for number, (name, _) in wire.FRAMES.items():
            self.assertIn(("executor" if number < 16 else "agent", name), seen)


class Page(unittest.TestCase):
    """What a stranger reads is what is spoken: the golden bytes hold these tables to the C++ codec."""

    def rows(self, first, last):
        """Cells of the table rows between two headings."""
        part = PAGE[PAGE.index(first):PAGE.index(last)]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]

    def test_messages(self):
        told = {}
        for cells in self.rows("## 1.3", "## 1.4"):
            fields = re.sub(r" \([^)]*\)", "", cells[2])
            if cells[0].isdigit():
                told[int(cells[0])] = (cells[1], fields)
            elif re.match(r"\d+, ", cells[0]):  # "96, 97, 98 | HeartbeatReply, … | as 69, 70, 68"
                for number, name, same in zip(cells[0].split(", "), cells[1].split(", "), re.findall(r"\d+", fields)):
                    told[int(number)] = (name, told[int(same)][1])
        self.assertEqual(told, wire.MESSAGES)

    def test_parts_of_messages(self):
        told = {}
        for cells in self.rows("| part |", "| enumeration |"):
            fields = re.match(r"`\[(.*?)\]`", cells[1])
            if fields:
                told[cells[0]] = fields.group(1)
        self.assertEqual(told, wire.PARTS)

    def test_enumerations(self):
        told = {}
        for cells in self.rows("| enumeration |", "A `signature`"):
            values = re.findall(r"(\d+) ([a-z ]+)", re.sub(r"\([^)]*\)", "", cells[1]))
            if values:
                self.assertEqual([int(number) for number, _ in values], list(range(len(values))))
                told[cells[0]] = [name.strip() for _, name in values]
        self.assertEqual(told, wire.ENUMERATIONS)

    def test_frames(self):
        told = {int(cells[0]): (cells[1], cells[2]) for cells in self.rows("# 2. Executor", "# 3. ") if cells[0].isdigit() and len(cells) == 4
                and not cells[1].endswith(("u64", "u32", "i32"))}
        self.assertEqual(told, wire.FRAMES)


class Refusals(unittest.TestCase):
    def test_what_the_page_does_not_allow(self):
        pack = wire.msgpack.packb
        for array in ([2, 1, 0], [1, 1000, 0], [1], {}, [1, 6, 9, -1, 0], [1, 6, 9, True, 0], [1, 7, 9, 1, 4, 0, 0],
                      [1, 4, 9, "k" * 257], [1, 31, 0, 1, 1, "n", "h", 1, 1, 5], [1, 65, 9, 1, [1], 0, 0, 6]):
            with self.assertRaises(wire.Malformed, msg=array):
                wire.decode_header(pack(array))
        for data in (b"", b"\xc1", pack([1, 2, 9])[:-1], pack([1, 2, 9]) + b"\x00"):
            with self.assertRaises(wire.Malformed):
                wire.decode_header(data)


if __name__ == "__main__":
    unittest.main()
