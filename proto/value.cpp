#include "proto/value.hpp"

#include <algorithm>
#include <bit>

#include "proto/fields.hpp"
#include "proto/limits.hpp"
#include "proto/wire.hpp"

namespace fanmill {
namespace {

class ValuePacker {
 public:
  explicit ValuePacker(std::string& out) : sink_{out}, packer_(sink_) {}
  ValuePacker(const ValuePacker&) = delete;
  ValuePacker& operator=(const ValuePacker&) = delete;

  void put(const Value& value) { std::visit(*this, value.variant()); }

  void operator()(std::nullptr_t) { packer_.pack_nil(); }
  void operator()(bool flag) { flag ? packer_.pack_true() : packer_.pack_false(); }
  void operator()(std::int64_t number) { packer_.pack_int64(number); }
  void operator()(std::uint64_t number) { packer_.pack_uint64(number); }
  void operator()(double number) {
    // Not pack_double(): it writes whole numbers as integers, and 2.0 would come back as 2.
    constexpr char kFloat64 = '\xcb';
    sink_.out += kFloat64;
    const auto bits = std::bit_cast<std::uint64_t>(number);
    for (int shift = 56; shift >= 0; shift -= 8) {
      sink_.out += static_cast<char>(bits >> shift & 0xffU);
    }
  }
  void operator()(const std::string& text) { wire::put_str(packer_, text); }
  void operator()(const Bytes& bytes) { wire::put_bin(packer_, bytes.data); }
  void operator()(const Array& array) {
    packer_.pack_array(static_cast<std::uint32_t>(array.size()));
    for (const Value& element : array) put(element);
  }
  void operator()(const Map& map) {
    packer_.pack_map(static_cast<std::uint32_t>(map.size()));
    for (const auto& [key, value] : map) {
      put(key);
      put(value);
    }
  }

 private:
  wire::StringSink sink_;
  wire::Packer packer_;
};

Value read_value(wire::Reader& reader, std::uint32_t depth_left) {
  // Room in advance for short containers only: a length is a claim until its elements were read.
  constexpr std::uint64_t kReservedMax = 64;
  const wire::Head head = reader.head();
  const bool is_container = head.kind == wire::Kind::kArray || head.kind == wire::Kind::kMap;
  if (is_container && depth_left == 0) {
    wire::refuse(ErrorCode::kLimit, "values are nested too deeply");
  }
  switch (head.kind) {
    case wire::Kind::kNil:
      return nullptr;
    case wire::Kind::kFalse:
      return false;
    case wire::Kind::kTrue:
      return true;
    case wire::Kind::kUint:
      return head.number;
    case wire::Kind::kInt:
      return static_cast<std::int64_t>(head.number);
    case wire::Kind::kDouble:
      return std::bit_cast<double>(head.number);
    case wire::Kind::kStr:
    case wire::Kind::kBin: {
      if (head.number > limits::kValueBytesMax) {
        wire::refuse(ErrorCode::kLimit, "a value is too long");
      }
      std::string bytes(reader.bytes(head.number));
      if (head.kind == wire::Kind::kStr) return bytes;
      return Bytes{std::move(bytes)};
    }
    case wire::Kind::kArray: {
      Array array;
      array.reserve(static_cast<std::size_t>(std::min(head.number, kReservedMax)));
      for (std::uint64_t i = 0; i < head.number; ++i) {
        array.push_back(read_value(reader, depth_left - 1));
      }
      return array;
    }
    case wire::Kind::kMap: {
      Map map;
      map.reserve(static_cast<std::size_t>(std::min(head.number, kReservedMax)));
      for (std::uint64_t i = 0; i < head.number; ++i) {
        Value key = read_value(reader, depth_left - 1);
        Value value = read_value(reader, depth_left - 1);
        map.emplace_back(std::move(key), std::move(value));
      }
      return map;
    }
  }
  wire::refuse(ErrorCode::kProtocol, "an unknown kind of value");
}

constexpr const char* kWhat = "value";

Result<std::string_view> rest_of(std::string_view bytes, std::size_t at) {
  if (at > bytes.size()) return fail(ErrorCode::kProtocol, "value: begins behind the end");
  return bytes.substr(at);
}

}  // namespace

void append_msgpack(std::string& out, const Value& value) { ValuePacker(out).put(value); }

Result<Value> decode_msgpack(std::string_view bytes, std::size_t& at) {
  const auto rest = rest_of(bytes, at);
  if (!rest) return tl::make_unexpected(rest.error());
  return wire::guarded(kWhat, [&] {
    wire::Reader reader(*rest);
    Value value = read_value(reader, limits::kValueDepthMax);
    at = bytes.size() - reader.left();
    return value;
  });
}

Result<void> skip_msgpack(std::string_view bytes, std::size_t& at, std::uint64_t count) {
  const auto rest = rest_of(bytes, at);
  if (!rest) return tl::make_unexpected(rest.error());
  return wire::guarded(kWhat, [&] {
    wire::Reader reader(*rest);
    reader.skip(count);
    at = bytes.size() - reader.left();
  });
}

}  // namespace fanmill
