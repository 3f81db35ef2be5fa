#include "proto/tuple_view.hpp"

#include "proto/limits.hpp"

namespace fanmill {
namespace {

// Passes over one element of a single byte, as most elements of short tasks are.
bool skip_tiny(std::string_view bytes, std::size_t& at) {
  if (at >= bytes.size()) return false;
  const auto byte = static_cast<unsigned char>(bytes[at]);
  std::size_t size = 0;
  if (byte < 0x80 || byte >= 0xe0 || byte == 0xc0 || byte == 0xc2 || byte == 0xc3) {
    size = 1;
  } else if (byte >= 0xcc && byte <= 0xcf) {
    size = 1 + (std::size_t{1} << (byte - 0xcc));
  } else if (byte >= 0xd0 && byte <= 0xd3) {
    size = 1 + (std::size_t{1} << (byte - 0xd0));
  } else if (byte == 0xcb) {
    size = 9;
  } else if (byte >= 0xa0 && byte < 0xc0) {
    size = 1 + (byte & 0x1fU);
  } else {
    return false;
  }
  if (bytes.size() - at < size) return false;
  at += size;
  return true;
}

std::uint32_t big_endian(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < size; ++i) {
    number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return number;
}

}  // namespace

Result<void> cut_tuple(std::string_view bytes, std::size_t& at, TupleView& tuple) {
  const std::size_t begin = at;
  if (at >= bytes.size()) return fail(ErrorCode::kProtocol, "tuple: the bytes end too early");
  const auto head = static_cast<unsigned char>(bytes[at]);
  std::size_t head_bytes = 1;
  if ((head & 0xf0U) == 0x90) {
    tuple.count = head & 0x0fU;
    tuple.named = false;
  } else if ((head & 0xf0U) == 0x80) {
    tuple.count = head & 0x0fU;
    tuple.named = true;
  } else if (head >= 0xdc && head <= 0xdf) {
    const std::size_t size = (head & 1U) != 0 ? 4 : 2;
    if (bytes.size() - at <= size) {
      return fail(ErrorCode::kProtocol, "tuple: the bytes end too early");
    }
    tuple.count = big_endian(bytes, at + 1, size);
    tuple.named = head >= 0xde;
    head_bytes += size;
  } else {
    return fail(ErrorCode::kProtocol, "tuple: neither an array nor a map");
  }
  if (tuple.count > limits::kTupleElementsMax) {
    return fail(ErrorCode::kLimit,
                "tuple: more than " + std::to_string(limits::kTupleElementsMax) + " elements");
  }
  std::size_t end = at + head_bytes;
  const std::uint64_t parts = std::uint64_t{tuple.count} * (tuple.named ? 2 : 1);
  for (std::uint64_t i = 0; i < parts; ++i) {
    if (skip_tiny(bytes, end)) continue;
    if (auto skipped = skip_msgpack(bytes, end, 1); !skipped) return skipped;
  }
  tuple.bytes = bytes.substr(begin, end - begin);
  tuple.body = tuple.bytes.substr(head_bytes);
  at = end;
  return {};
}

std::vector<std::string_view> TupleView::elements() const {
  std::vector<std::string_view> found;
  found.reserve(count);
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (named) static_cast<void>(skip_msgpack(body, at, 1));
    const std::size_t begin = at;
    static_cast<void>(skip_msgpack(body, at, 1));
    found.push_back(body.substr(begin, at - begin));
  }
  return found;
}

std::vector<std::string> TupleView::names() const {
  std::vector<std::string> found;
  if (!named) return found;
  found.reserve(count);
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto key = decode_msgpack(body, at);
    const std::string* name = key ? key->as<std::string>() : nullptr;
    found.push_back(name != nullptr ? *name : std::string());
    static_cast<void>(skip_msgpack(body, at, 1));
  }
  return found;
}

}  // namespace fanmill
