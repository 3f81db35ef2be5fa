// The msgpack that a plugin meets: a bounded cursor over a tuple's bytes, and a writer of one
// value.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

// No symbol of this is shared with another plugin of the same process.
#pragma GCC visibility push(hidden)
namespace fanmill::inline plugin_abi1 {
namespace detail {

enum class Kind : std::uint8_t { kNil, kBool, kUint, kInt, kFloat, kStr, kBin, kArray, kMap, kExt };

// The head of one element. `number`: of an integer its bits, of a float likewise as a double, of
// a bool 0 or 1, else the length in bytes or elements.
struct Head {
  Kind kind = Kind::kNil;
  std::uint64_t number = 0;
};

// Reads elements in turn. False is answered, and nothing is moved, where the bytes end too early.
class Cursor {
 public:
  Cursor() = default;
  explicit Cursor(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  const char* at() const { return at_; }
  void back_to(const char* at) { at_ = at; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  bool head(Head& out) {
    if (at_ == end_) return false;
    const auto byte = static_cast<unsigned char>(*at_);
    if (byte < 0x80) return done(out, Kind::kUint, byte);
    if (byte >= 0xe0) return done(out, Kind::kInt, sign_extended(byte, 1));
    if (byte < 0x90) return done(out, Kind::kMap, byte & 0x0fU);
    if (byte < 0xa0) return done(out, Kind::kArray, byte & 0x0fU);
    if (byte < 0xc0) return done(out, Kind::kStr, byte & 0x1fU);
    switch (byte) {
      case 0xc0:
        return done(out, Kind::kNil, 0);
      case 0xc2:
      case 0xc3:
        return done(out, Kind::kBool, byte & 1U);
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return sized(out, Kind::kBin, std::size_t{1} << (byte - 0xc4));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return sized(out, Kind::kExt, std::size_t{1} << (byte - 0xc7), 1);
      case 0xca:
        if (!sized(out, Kind::kFloat, 4)) return false;
        out.number = std::bit_cast<std::uint64_t>(
            static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(out.number))));
        return true;
      case 0xcb:
        return sized(out, Kind::kFloat, 8);
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return sized(out, Kind::kUint, std::size_t{1} << (byte - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3: {
        const std::size_t bytes = std::size_t{1} << (byte - 0xd0);
        if (!sized(out, Kind::kInt, bytes)) return false;
        out.number = sign_extended(out.number, bytes);
        if (static_cast<std::int64_t>(out.number) >= 0) out.kind = Kind::kUint;
        return true;
      }
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return done(out, Kind::kExt, (std::uint64_t{1} << (byte - 0xd4)) + 1);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return sized(out, Kind::kStr, std::size_t{1} << (byte - 0xd9));
      case 0xdc:
      case 0xdd:
        return sized(out, Kind::kArray, std::size_t{2} << (byte - 0xdc));
      case 0xde:
      case 0xdf:
        return sized(out, Kind::kMap, std::size_t{2} << (byte - 0xde));
      default:
        return false;
    }
  }

  bool bytes(std::uint64_t count, std::string_view& out) {
    if (left() < count) return false;
    out = {at_, static_cast<std::size_t>(count)};
    at_ += count;
    return true;
  }

  // Passes over one whole element, however it is nested.
  bool skip() {
    std::uint64_t elements = 1;
    while (elements > 0) {
      Head head_read;
      if (!head(head_read)) return false;
      --elements;
      std::string_view body;
      switch (head_read.kind) {
        case Kind::kStr:
        case Kind::kBin:
        case Kind::kExt:
          if (!bytes(head_read.number, body)) return false;
          break;
        case Kind::kArray:
          elements += head_read.number;
          break;
        case Kind::kMap:
          elements += 2 * head_read.number;
          break;
        default:
          break;
      }
    }
    return true;
  }

 private:
  static std::uint64_t sign_extended(std::uint64_t bits, std::size_t bytes) {
    const auto shift = static_cast<int>(64 - 8 * bytes);
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(bits << shift) >> shift);
  }
  bool done(Head& out, Kind kind, std::uint64_t number) {
    ++at_;
    out = {kind, number};
    return true;
  }
  // The number in the `bytes` behind the first; of an ext `more` follows, and belongs to its
  // body.
  bool sized(Head& out, Kind kind, std::size_t bytes, std::uint64_t more = 0) {
    if (left() < 1 + bytes) return false;
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      number = number << 8 | static_cast<unsigned char>(at_[1 + i]);
    }
    at_ += 1 + bytes;
    out = {kind, number + more};
    return true;
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;
};

// Appends msgpack to a string. Numbers take their shortest form.
class Packer {
 public:
  explicit Packer(std::string& out) : out_(out) {}

  void nil() { put(0xc0); }
  void boolean(bool v) { put(v ? 0xc3 : 0xc2); }
  void uint(std::uint64_t v) {
    if (v < 0x80) {
      put(static_cast<unsigned>(v));
    } else if (v <= 0xff) {
      put(0xcc, v, 1);
    } else if (v <= 0xffff) {
      put(0xcd, v, 2);
    } else if (v <= 0xffffffff) {
      put(0xce, v, 4);
    } else {
      put(0xcf, v, 8);
    }
  }
  void integer(std::int64_t v) {
    const auto bits = static_cast<std::uint64_t>(v);
    if (v >= 0) {
      uint(bits);
    } else if (v >= -32) {
      put(static_cast<unsigned>(bits & 0xffU));
    } else if (v >= INT8_MIN) {
      put(0xd0, bits, 1);
    } else if (v >= INT16_MIN) {
      put(0xd1, bits, 2);
    } else if (v >= INT32_MIN) {
      put(0xd2, bits, 4);
    } else {
      put(0xd3, bits, 8);
    }
  }
  void number(double v) { put(0xcb, std::bit_cast<std::uint64_t>(v), 8); }
  void text(std::string_view v) {
    if (v.size() < 32) {
      put(static_cast<unsigned>(0xa0 | v.size()));
    } else {
      length(v.size(), 0xd9, 0xda, 0xdb);
    }
    out_.append(v);
  }
  void binary(std::string_view v) {
    length(v.size(), 0xc4, 0xc5, 0xc6);
    out_.append(v);
  }
  void array(std::size_t elements) {
    if (elements < 16) {
      put(static_cast<unsigned>(0x90 | elements));
    } else {
      length(elements, 0, 0xdc, 0xdd);
    }
  }
  void map(std::size_t entries) {
    if (entries < 16) {
      put(static_cast<unsigned>(0x80 | entries));
    } else {
      length(entries, 0, 0xde, 0xdf);
    }
  }
  void raw(std::string_view packed) { out_.append(packed); }

 private:
  void put(unsigned byte) { out_.push_back(static_cast<char>(byte)); }
  void put(unsigned head, std::uint64_t word, std::size_t bytes) {
    char all[9];
    all[0] = static_cast<char>(head);
    for (std::size_t i = 0; i < bytes; ++i) {
      all[1 + i] = static_cast<char>(word >> (8 * (bytes - 1 - i)));
    }
    out_.append(all, 1 + bytes);
  }
  void length(std::size_t size, unsigned head8, unsigned head16, unsigned head32) {
    if (head8 != 0 && size <= 0xff) {
      put(head8, size, 1);
    } else if (size <= 0xffff) {
      put(head16, size, 2);
    } else {
      put(head32, size, 4);
    }
  }

  std::string& out_;
};

}  // namespace detail
}  // namespace fanmill::inline plugin_abi1
#pragma GCC visibility pop
