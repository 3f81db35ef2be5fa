// Structs to msgpack arrays and back from one description of their fields, so that the two
// directions cannot drift. A description is an overload
//   template <class A, wire::Of<Lease> M> void describe(A& a, M& m) { a(m.lease, m.job, …); }
// beside the struct's namespace; the archive `a` is a FieldWriter or a FieldReader. Appending a
// field to a description is the only change of a format that needs no other version.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <initializer_list>
#include <limits>
#include <msgpack/pack.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "proto/limits.hpp"
#include "proto/messages.hpp"
#include "proto/wire.hpp"

namespace fanmill::wire {

template <class M, class Struct>
concept Of = std::same_as<std::remove_const_t<M>, Struct>;

// Bounds of a text or a list where they are not the usual ones: texts are names
// (limits::kNameBytesMax), lists are bounded by the header that holds them.
template <class T>
struct AtMost {
  T& field;
  std::size_t count;                         // of bytes or elements
  std::size_t each = limits::kNameBytesMax;  // of the bytes of an element that is a text
};
template <class T>
AtMost<T> at_most(T& field, std::size_t count, std::size_t each = limits::kNameBytesMax) {
  return {field, count, each};
}
// A sentence for people: cut to `count` bytes when written, refused beyond when read.
template <class T>
struct Clipped {
  T& field;
  std::size_t count;
};
template <class T>
Clipped<T> clipped(T& field, std::size_t count) {
  return {field, count};
}
// Raw bytes, as bin. `or_nothing`: longer ones are written as none, for a part would be useless.
template <class T>
struct AsBin {
  T& field;
  std::size_t count;
  bool or_nothing = false;
};
template <class T>
AsBin<T> whole_bin(T& field, std::size_t count) {
  return {field, count, true};
}
template <class T>
AsBin<T> as_bin(T& field, std::size_t count) {
  return {field, count};
}

// The longest front of `text` of at most `most` bytes that does not end inside a UTF-8 character.
inline std::string_view front_of(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0U) == 0x80) --most;
  return text.substr(0, most);
}

template <class Enum>
constexpr std::uint64_t kLastOf = 0;
template <>
inline constexpr auto kLastOf<Outcome> = static_cast<std::uint64_t>(Outcome::kCancelled);
template <>
inline constexpr auto kLastOf<RowOrder> = static_cast<std::uint64_t>(RowOrder::kFailures);
template <>
inline constexpr auto kLastOf<WaitingFor> = static_cast<std::uint64_t>(WaitingFor::kPaused);
template <>
inline constexpr auto kLastOf<Topic> = static_cast<std::uint64_t>(Topic::kStatus);
template <>
inline constexpr auto kLastOf<HaltOn> = static_cast<std::uint64_t>(HaltOn::kEnds);
template <>
inline constexpr auto kLastOf<Steering> = static_cast<std::uint64_t>(Steering::kRetry);
template <>
inline constexpr auto kLastOf<ErrorCode> = static_cast<std::uint64_t>(ErrorCode::kNotFound);

// Where msgpack-c's packer writes.
struct StringSink {
  std::string& out;
  void write(const char* data, std::size_t size) { out.append(data, size); }
};
using Packer = msgpack::packer<StringSink>;

inline void put_str(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}
inline void put_bin(Packer& packer, std::string_view bytes) {
  packer.pack_bin(static_cast<std::uint32_t>(bytes.size()));
  packer.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}

class FieldWriter {
 public:
  // The array begins with the numbers of `lead`, and `tail` elements are added by the caller.
  explicit FieldWriter(std::string& out, std::initializer_list<std::uint64_t> lead = {},
                       std::uint32_t tail = 0)
      : sink_{out}, packer_(sink_), lead_count_(lead.size()), tail_(tail) {
    FANMILL_ASSERT(lead.size() <= lead_.size());
    std::copy(lead.begin(), lead.end(), lead_.begin());
  }
  FieldWriter(const FieldWriter&) = delete;  // the packer refers to the sink beside it
  FieldWriter& operator=(const FieldWriter&) = delete;

  template <class... F>
  void operator()(const F&... fields) {
    packer_.pack_array(static_cast<std::uint32_t>(lead_count_ + sizeof...(F)) + tail_);
    for (std::size_t i = 0; i < lead_count_; ++i) packer_.pack_uint64(lead_[i]);
    (put(fields), ...);
  }

 private:
  void put(bool flag) { flag ? packer_.pack_true() : packer_.pack_false(); }
  template <std::unsigned_integral T>
  void put(T number) {
    packer_.pack_uint64(number);
  }
  template <std::signed_integral T>
  void put(T number) {
    packer_.pack_int64(number);
  }
  template <class E>
    requires std::is_enum_v<E>
  void put(E value) {
    packer_.pack_uint64(static_cast<std::uint64_t>(value));
  }
  template <class Tag, class Rep>
  void put(const StrongId<Tag, Rep>& id) {
    packer_.pack_uint64(id.value);
  }
  void put(const TaskIndex& index) { packer_.pack_uint64(index.value); }
  void put(const std::string& text) { put_str(packer_, text); }
  template <class T>
  void put(const std::vector<T>& list) {
    packer_.pack_array(static_cast<std::uint32_t>(list.size()));
    for (const T& element : list) put(element);
  }
  template <class T>
  void put(const AtMost<T>& bounded) {
    put(bounded.field);
  }
  template <class T>
  void put(const Clipped<T>& text) {
    put_str(packer_, front_of(text.field, text.count));
  }
  template <class T>
  void put(const AsBin<T>& bytes) {
    const bool left_out = bytes.or_nothing && bytes.field.size() > bytes.count;
    put_bin(packer_, left_out ? std::string_view() : std::string_view(bytes.field));
  }
  template <class T>
    requires std::is_class_v<T>
  void put(const T& part) {
    FieldWriter inner(sink_.out);
    describe(inner, part);
  }

  StringSink sink_;
  Packer packer_;
  std::array<std::uint64_t, 3> lead_{};
  std::size_t lead_count_;
  std::uint32_t tail_;
};

class FieldReader {
 public:
  // Reads an array of which `left` elements remain; fields that are missing keep their value, and
  // what follows the known ones is passed over.
  FieldReader(Reader& reader, std::uint64_t left) : reader_(reader), left_(left) {}

  template <class... F>
  void operator()(F&&... fields) {
    (take(fields), ...);
    reader_.skip(left_);
    left_ = 0;
  }

 private:
  template <class F>
  void take(F& field) {
    if (left_ == 0) return;
    --left_;
    get(field);
  }

  void get(bool& flag) { flag = reader_.boolean(); }
  template <std::unsigned_integral T>
  void get(T& number) {
    const std::uint64_t read = reader_.uint();
    if (read > std::numeric_limits<T>::max()) refuse(ErrorCode::kProtocol, "a number is too large");
    number = static_cast<T>(read);
  }
  template <std::signed_integral T>
  void get(T& number) {
    const std::int64_t read = reader_.int64();
    if (read > std::numeric_limits<T>::max() || read < std::numeric_limits<T>::min()) {
      refuse(ErrorCode::kProtocol, "a number is too large");
    }
    number = static_cast<T>(read);
  }
  template <class E>
    requires std::is_enum_v<E>
  void get(E& value) {
    static_assert(kLastOf<E> > 0);
    const std::uint64_t read = reader_.uint();
    if (read > kLastOf<E>) refuse(ErrorCode::kProtocol, "an enumerator that does not exist");
    value = static_cast<E>(read);
  }
  template <class Tag, class Rep>
  void get(StrongId<Tag, Rep>& id) {
    get(id.value);
  }
  void get(TaskIndex& index) { index.value = reader_.uint(); }
  void get(std::string& text) { text = reader_.str(limits::kNameBytesMax); }
  template <class T>
  void get(std::vector<T>& list) {
    get_list(list, std::numeric_limits<std::size_t>::max(), limits::kNameBytesMax);
  }
  template <class T>
  void get(AtMost<T>& bounded) {
    if constexpr (std::same_as<T, std::string>) {
      bounded.field = reader_.str(bounded.count);
    } else {
      get_list(bounded.field, bounded.count, bounded.each);
    }
  }
  template <class T>
  void get(Clipped<T>& text) {
    text.field = reader_.str(text.count);
  }
  template <class T>
  void get(AsBin<T>& bytes) {
    bytes.field = reader_.bin(bytes.count);
  }
  template <class T>
    requires std::is_class_v<T>
  void get(T& part) {
    FieldReader inner(reader_, reader_.array(std::numeric_limits<std::size_t>::max()));
    describe(inner, part);
  }

  template <class T>
  void get_list(std::vector<T>& list, std::size_t most, std::size_t each) {
    const std::uint64_t count = reader_.array(most);
    list.clear();
    // Room for what the bytes could hold, but not for a crowd of empty elements in advance.
    constexpr std::uint64_t kReservedMax = 4096;
    list.reserve(static_cast<std::size_t>(std::min(count, kReservedMax)));
    for (std::uint64_t i = 0; i < count; ++i) {
      T& element = list.emplace_back();
      if constexpr (std::same_as<T, std::string>) {
        element = reader_.str(each);
      } else {
        get(element);
      }
    }
  }

  Reader& reader_;
  std::uint64_t left_;
};

}  // namespace fanmill::wire
