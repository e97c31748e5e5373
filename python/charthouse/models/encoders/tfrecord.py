"""Reads TFRecord files of tf.train.Example without TensorFlow.

A record is its length, a checksum of the length, its bytes and a checksum of those; the checksums
are CRC-32C, rotated and shifted ("masked") as TensorFlow writes them. The bytes are a protocol
buffer, tensorflow/core/example/{example,feature}.proto.
"""

import functools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import DecodeError

Feature = list[bytes] | np.ndarray  # [n] float32 or int64

_HEADER = struct.Struct("<QI")  # length of the record, checksum of these 8 bytes
_FOOTER = struct.Struct("<I")  # checksum of the record
_SCHEMA = """
name: "example.proto" package: "tensorflow" syntax: "proto3"
message_type { name: "BytesList" field { name: "value" number: 1 label: 3 type: TYPE_BYTES } }
message_type { name: "FloatList" field { name: "value" number: 1 label: 3 type: TYPE_FLOAT } }
message_type { name: "Int64List" field { name: "value" number: 1 label: 3 type: TYPE_INT64 } }
message_type { name: "Feature" oneof_decl { name: "kind" }
  field { name: "bytes_list" number: 1 type_name: ".tensorflow.BytesList" oneof_index: 0 }
  field { name: "float_list" number: 2 type_name: ".tensorflow.FloatList" oneof_index: 0 }
  field { name: "int64_list" number: 3 type_name: ".tensorflow.Int64List" oneof_index: 0 } }
message_type { name: "Features"
  nested_type { name: "FeatureEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING }
    field { name: "value" number: 2 type_name: ".tensorflow.Feature" } }
  field { name: "feature" number: 1 label: 3 type_name: ".tensorflow.Features.FeatureEntry" } }
message_type { name: "Example"
  field { name: "features" number: 1 type_name: ".tensorflow.Features" } }
"""
"""The two files as protobuf's compiler describes them; label 3 is `repeated`."""


class DamagedRecord(Exception):
    """The bytes are not what the writer wrote; the message says what is wrong with them."""


def read_examples(path: Path) -> Iterator[dict[str, Feature]]:
    """The examples of a file, in order; holds the whole file in memory.

    Raises:
        DamagedRecord: cut short, a checksum that does not agree, or not an Example.
        OSError: the file cannot be read.
    """
    for record in split_records(path.read_bytes()):
        yield parse_example(record)


def split_records(data: bytes) -> Iterator[bytes]:
    """The records of a file's bytes; a DamagedRecord is cut short or fails its checksum."""
    at = 0
    while at < len(data):
        if len(data) - at < _HEADER.size:
            raise DamagedRecord("the file ends within the header of a record")
        length, checksum = _HEADER.unpack_from(data, at)
        if _masked_crc32c(data[at : at + 8]) != checksum:
            raise DamagedRecord("the checksum of a record's length does not agree")
        at += _HEADER.size
        if len(data) - at < length + _FOOTER.size:
            raise DamagedRecord("the file ends within a record")
        record = data[at : at + length]
        if _masked_crc32c(record) != _FOOTER.unpack_from(data, at + length)[0]:
            raise DamagedRecord("the checksum of a record does not agree")
        yield record
        at += length + _FOOTER.size


def _masked_crc32c(data: bytes) -> int:
    checksum: int = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def parse_example(message: bytes) -> dict[str, Feature]:
    """Features of a serialized tf.train.Example by name, [] without a list; or DamagedRecord."""
    try:
        example = _example_class().FromString(message)
    except DecodeError:
        raise DamagedRecord("it is not a tf.train.Example") from None
    return {name: _content(feature) for name, feature in example.features.feature.items()}


def _content(feature: Any) -> Feature:
    match feature.WhichOneof("kind"):
        case "bytes_list":
            return list(feature.bytes_list.value)
        case "float_list":
            return np.fromiter(feature.float_list.value, np.float32)
        case "int64_list":
            return np.fromiter(feature.int64_list.value, np.int64)
        case _:
            return []


@functools.cache
def _example_class() -> Any:
    """The class of tf.train.Example, in a pool of its own: TensorFlow may have its own beside."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(_SCHEMA, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))
